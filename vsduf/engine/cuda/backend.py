"""A CUDA device as an engine's.

One thread of the engine's own queues all work on one stream of its own: cuDNN keeps its plans, and cuBLAS its working
memory, for each thread that calls them, and VapourSynth has many. It waits for nothing, so while the device computes a
frame the next one's sources go up and the one before comes down, each on the thread that asked for that frame.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from vsduf.engine import planning
from vsduf.engine.backend import Source, TileNetwork
from vsduf.engine.cuda import runtime
from vsduf.engine.cuda.frames import Result, SourceRing
from vsduf.engine.cuda.network import STRIP, CudaTileNetwork, strip_channels, to_device
from vsduf.engine.device import DeviceChoice
from vsduf.engine.folded import Folded
from vsduf.engine.pool import PriorityPool
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import Tile
from vsduf.network.duf import DufConfig
from vsduf.upscaler import WINDOW, Planes

STREAMS = 3  # pictures on their way by default: one going up, one being made, one coming down
SPARE = 3  # source frames kept beyond a window, so that a copy into one seldom waits for the network
OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation and CUDA_ERROR_OUT_OF_MEMORY

OOM_MESSAGES = (  # what errors without a type of their own say
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute this computation",  # torch, where no plan of cuDNN's got its working memory
)


class CudaBackend:
    """See `backend.Backend`. num_streams: pictures that may be on their way at a time."""

    def __init__(
        self, folded: Folded, extension: int, *, device: torch.device, dtype: torch.dtype, num_streams: int
    ) -> None:
        runtime.cupy()  # first: its absence is the likeliest fault
        self._device, self._extension = device, extension
        self._network = to_device(folded, device, dtype)
        self._scratch = Scratch(device, dtype)
        self._worker = ThreadPoolExecutor(1, "vsduf-cuda", runtime.use, (device,))
        with runtime.on_device(device):
            self._sources = SourceRing(WINDOW + SPARE, device)
            self._results = PriorityPool([Result(device) for _ in range(num_streams)])
        self.at_once = num_streams

    def tile_network(self, tile: Tile) -> TileNetwork:
        """See `backend.Backend`."""
        return CudaTileNetwork(self._network, tile, self._extension, self._scratch)

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Tensor], None],
    ) -> None:
        """See `backend.Backend`."""
        with self._results.take(window[len(window) // 2]) as result:
            self._worker.submit(self._queue, window, frames, out, result, compute).result()
            with runtime.on_device(self._device):
                result.download(out)

    def ran_out(self, error: BaseException) -> bool:
        """See `backend.Backend`."""
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        code = getattr(error, "status", getattr(error, "error_code", None))  # CuPy's errors; torch's AcceleratorError
        return code == OUT_OF_MEMORY or (isinstance(error, RuntimeError) and any(n in str(error) for n in OOM_MESSAGES))

    def settle(self) -> None:
        """See `backend.Backend`; on one stream memory can be used again at once."""

    def release(self) -> None:
        """See `backend.Backend`."""
        self._scratch.clear()
        runtime.empty_cache()

    def close(self) -> None:
        """See `backend.Backend`."""
        self._worker.shutdown()
        self._scratch.clear()
        self._sources.clear()
        self._results.clear()
        runtime.empty_cache()

    def _queue(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        result: Result,
        compute: Callable[[Source, Tensor], None],
    ) -> None:
        with torch.inference_mode():
            try:
                with self._sources.window(window, frames) as source:
                    compute(source, result.prepare(out))
                    result.made()
            except BaseException:
                self._sources.wait()  # the frames that are being copied are the caller's, who is told now
                raise


def opener(choice: DeviceChoice, num_streams: int | None) -> Callable[[Folded, int], CudaBackend]:
    """What opens a device for a folded network and an extension."""
    dtype = torch.float16 if choice.fp16 else torch.float32
    return functools.partial(CudaBackend, device=_device(choice), dtype=dtype, num_streams=num_streams or STREAMS)


def budget(choice: DeviceChoice, width: int, height: int, scale: int, num_streams: int | None) -> int:
    """Returns the bytes of the device's free memory for features, after pictures, whose samples count as floats."""
    free, _ = torch.cuda.mem_get_info(_device(choice))
    pictures = 3 * 4 * width * height * (WINDOW + SPARE + (num_streams or STREAMS) * scale**2)
    return int(free * planning.SHARE) - pictures


def working_bytes(choice: DeviceChoice, config: DufConfig, width: int) -> int:
    """Returns the bytes of working memory for tiles of that width: a strip of merge and heads."""
    return max(STRIP, width) * strip_channels(config) * (2 if choice.fp16 else 4)


def _device(choice: DeviceChoice) -> torch.device:
    return torch.device("cuda", choice.device_id)
