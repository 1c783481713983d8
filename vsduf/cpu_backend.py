"""The CPU as an engine's device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vsduf.cpu import CpuLayers, CpuNetwork, planes_to_picture
from vsduf.folded import Folded
from vsduf.tiles import Tile
from vsduf.trunk import Layers
from vsduf.upscaler import Planes
from vsduf.worker import computed


class CpuBackend:
    """See `backend.Backend`. extension: LR pixels by which a frame is extended at every side before tiles are cut."""

    at_once = 1

    def __init__(self, folded: Folded, extension: int) -> None:
        self._network, self._extension = computed(lambda: CpuNetwork(folded)), extension
        self._frames: Mapping[int, Planes] = {}

    def layers(self, tile: Tile) -> Layers:
        """See `backend.Backend`."""
        return CpuLayers(self._network, tile, self._picture)

    def make(
        self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes, compute: Callable[[Planes], None]
    ) -> None:
        """See `backend.Backend`."""
        computed(functools.partial(self._make, frames, out, compute))

    def _make(self, frames: Mapping[int, Planes], out: Planes, compute: Callable[[Planes], None]) -> None:
        with torch.inference_mode():
            self._frames = frames
            try:
                compute(out)
            finally:
                self._frames = {}

    def finish(self, layers: Layers, inputs: list[Tensor], frame: int, picture: Planes) -> None:
        """See `backend.Backend`."""
        assert isinstance(layers, CpuLayers)
        own, scale = layers.tile.own, layers.config.scale
        rows, columns = (
            slice(start * scale, (start + len(r)) * scale)
            for start, r in ((own.top, own.rows), (own.left, own.columns))
        )
        target = [plane[rows, columns] for plane in picture]
        floats = [np.empty(p.shape, np.float32) for p in target] if target[0].dtype == np.float16 else target
        layers.finish(inputs, frame, floats)
        if floats is not target:
            for plane, values in zip(target, floats, strict=True):
                plane[...] = values

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

    def _picture(self, frame: int, tile: Tile) -> Tensor:
        return planes_to_picture(self._frames[frame], tile, self._extension)
