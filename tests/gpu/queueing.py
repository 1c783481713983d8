"""Times the host's part of a frame: what queueing costs when no kernel, product or convolution does anything.

    python tests/gpu/queueing.py [REPEATS]

Needs no GPU. Prints, for each network, launches and milliseconds a frame in the middle of a clip: the best of the
repeats, since other programs only ever add to it. The calls of cuDNN, cuBLAS and the CUDA driver are not in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.networks import random_weights

from vsduf.engine.cuda import launchers, runtime
from vsduf.engine.cuda.network import CudaTileNetwork, to_device
from vsduf.engine.engine import IDLE_FRAMES
from vsduf.engine.feature_cache import FeatureCache
from vsduf.engine.folded import fold
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import cut
from vsduf.network.duf import DufConfig

HEIGHT, WIDTH = 27, 48  # small: allocating tensors of the CPU should cost as little as of a device
CPU = torch.device("cpu")


class Kernel:
    """A kernel whose launch does nothing. launches: how many there were."""

    launches = 0

    def __call__(self, grid: object, block: object, args: object, *, stream: object) -> None:
        Kernel.launches += 1


def convolution(pixels: Tensor, kernel: Tensor, padding: list[int], *_: object) -> Tensor:
    """Allocates what torch.cudnn_convolution returns."""
    Kernel.launches += 1
    height, width = (side + 2 * pad - 2 for side, pad in zip(pixels.shape[2:], padding, strict=True))
    form = torch.channels_last
    return torch.empty(1, len(kernel), height, width, dtype=pixels.dtype, device=pixels.device, memory_format=form)


def product(*_: object, out: Tensor) -> None:
    """Stands for torch.mm and torch._addmm_activation."""
    Kernel.launches += 1


@contextmanager
def nothing_is_computed() -> Iterator[None]:
    """Replaces kernels, convolutions and products by functions that do nothing."""
    module = SimpleNamespace(get_function=lambda name: Kernel())
    stream = SimpleNamespace(ptr=0)
    with (
        patch.object(runtime, "cupy", lambda: SimpleNamespace(RawModule=lambda **_: module)),
        patch.object(runtime, "stream", lambda: stream),
        patch.object(torch, "cudnn_convolution", convolution),
        patch.object(torch, "_addmm_activation", product),
        patch.object(torch, "mm", product),
    ):
        launchers.kernel.cache_clear()
        yield
    launchers.kernel.cache_clear()


def queued(config: DufConfig, repeats: int) -> tuple[int, float]:
    """Returns launches and milliseconds of queueing a frame."""
    network = to_device(fold(random_weights(config)), CPU, torch.float16)
    (tile,) = cut(HEIGHT, WIDTH, None, 0)
    cache = FeatureCache(CudaTileNetwork(network, tile, 0, Scratch(CPU, torch.float16)), IDLE_FRAMES)
    source = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8, device=CPU)
    picture = torch.zeros(3, config.scale * HEIGHT, config.scale * WIDTH, dtype=torch.uint8, device=CPU)
    best, launches = float("inf"), 0
    with torch.inference_mode(), nothing_is_computed():
        for n in range(3, repeats + 13):
            before, start = Kernel.launches, time.perf_counter()
            cache.network.finish(cache(range(n - 3, n + 4), lambda _: source), source, picture)
            if n >= 13:
                best, launches = min(best, time.perf_counter() - start), Kernel.launches - before
    return launches, best * 1e3


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    torch.set_num_threads(1)
    for layers, width in ((16, "full"), (16, "medium"), (16, "light"), (52, "full")):
        launches, milliseconds = queued(DufConfig.of_depth(layers, 4, streaming=True, width=width), repeats)
        sys.stdout.write(f"{layers} layers, {width}: {launches} launches, {milliseconds:.2f} ms a frame\n")


if __name__ == "__main__":
    main()
