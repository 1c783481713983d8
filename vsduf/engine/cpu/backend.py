"""The CPU as an engine's device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import torch

from vsduf.engine.backend import Source, TileNetwork
from vsduf.engine.cpu.network import ROWS, STRIP, CpuNetwork, CpuTileNetwork
from vsduf.engine.cpu.worker import on_compute_thread
from vsduf.engine.folded import Folded
from vsduf.engine.tiles import Tile
from vsduf.upscaler import Planes

PER_PIXEL = 16 << 10  # bytes of a strip's working memory for each of its pixels


def working_bytes(width: int) -> int:
    """Returns the bytes of working memory for tiles of that width: one strip's products, hidden channels and logits."""
    return max(STRIP, ROWS * width) * PER_PIXEL


class CpuBackend:
    """See `backend.Backend`. extension: LR pixels by which a frame is extended at every side before tiles are cut."""

    at_once = 1

    def __init__(self, folded: Folded, extension: int) -> None:
        self._network, self._extension = on_compute_thread(lambda: CpuNetwork(folded)), extension

    def tile_network(self, tile: Tile) -> TileNetwork:
        """See `backend.Backend`."""
        return CpuTileNetwork(self._network, tile, self._extension)

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Planes], None],
    ) -> None:
        """See `backend.Backend`."""
        on_compute_thread(functools.partial(_compute, frames, out, compute))

    def ran_out(self, error: BaseException) -> bool:
        """See `backend.Backend`."""
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)  # torch has no type for it

    def release(self) -> None:
        """Gives the working memory back."""
        self._network.scratch.clear()

    def close(self) -> None:
        """Gives the working memory back."""
        self._network.scratch.clear()


@torch.inference_mode()
def _compute(frames: Mapping[int, Planes], out: Planes, compute: Callable[[Source, Planes], None]) -> None:
    compute(frames.__getitem__, out)
