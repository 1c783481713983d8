"""Reuses working memory: named buffers that grow to the largest size asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LARGEST = (1 << 31) - 1  # samples of a tensor; cuDNN counts no further
PAGE, APART = 1024, 16  # floats: see `planes`


class Scratch:
    """Buffers that all tiles of one device share; the next `take` of a name uses the same memory."""

    def __init__(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self._buffers: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Returns a contiguous, uninitialised tensor. Raises MemoryError for more samples than a tensor can have."""
        view = self._views.get((name, shape))
        if view is None:
            view = self._views[name, shape] = self._room(name, math.prod(shape)).view(shape)
        return view

    def _room(self, name: str, size: int) -> Tensor:
        if size > LARGEST:
            raise MemoryError(f"{size} samples are more than one tensor can have")
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers.pop(name, None)  # before the larger one is allocated, not after
            self._views = {key: view for key, view in self._views.items() if key[0] != name}
            self._buffers[name] = torch.empty(size, device=self.device, dtype=self.dtype)
        return self._buffers[name][:size]

    def planes(self, name: str, count: int, rows: int, columns: int) -> Tensor:
        """Returns [count, rows, columns] with a gap between planes, so that they do not share cache sets.

        Planes whose distance is a multiple of 4 KiB map to the same sets of the processor's cache.
        """
        plane = -(-rows * columns // PAGE) * PAGE + APART
        return self.take(name, count * plane).as_strided((count, rows, columns), (plane, columns, 1))

    def clear(self) -> None:
        """Frees all buffers."""
        self._views.clear()
        self._buffers.clear()
