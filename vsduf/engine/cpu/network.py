"""The network's operations on the CPU. Each is started here and returns at once; the library's threads compute it.

A feature may be the input of an operation before it is computed: the library starts the tasks that read it later.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from typing import Any

from vsduf.engine.cpu.library import INTEGER, POINTER, NativePlanes, kernels, library, native_planes
from vsduf.engine.cpu.packing import pack, strips, widths
from vsduf.engine.folded import FoldedArrays
from vsduf.engine.tiles import Tile
from vsduf.network.config import DufConfig
from vsduf.upscaler import Planes


def working_bytes(config: DufConfig, threads: int) -> int:
    """Returns the bytes of working memory that `threads` threads take."""
    return threads * int(library().vsduf_working_bytes(0, (INTEGER * 5)(*widths(config))))


class Feature:
    """A feature of a tile in the library's memory. strips: groups of 16 channels. size: number of floats.

    In a forked process it is not released: a thread that the fork did not copy may have held the library's lock.
    """

    def __init__(self, handle: int | None, strips: int, size: int) -> None:
        if not handle:
            raise MemoryError
        self.handle, self.strips, self.size, self.process = handle, strips, size, os.getpid()

    def __del__(self) -> None:
        if getattr(self, "process", None) == os.getpid():
            library().vsduf_release(self.handle)


class NativeEngine:
    """The library's engine: packed weights and threads, which end with `close` or when nobody holds the object.

    kernels_name: one of `library.kernels()`, default the fastest. call: that of the frame whose operations are being
    started. Raises MemoryError.
    """

    def __init__(self, folded: FoldedArrays, threads: int, kernels_name: str | None = None) -> None:
        self.config, self.call = folded.config, 0
        index = kernels().index(kernels_name) if kernels_name else 0
        self.handle = library().vsduf_open(folded.config.scale, index)
        if not self.handle:
            raise MemoryError
        self._closing = weakref.finalize(self, _close, self.handle, os.getpid())
        self._closing.atexit = False  # frames may still be computed then
        pack(self.handle, folded)
        if not library().vsduf_start(self.handle, threads):
            raise MemoryError

    def begin(self) -> int:
        """Begins a call, which the operations after it belong to, and returns it."""
        call = library().vsduf_begin(self.handle)
        if not call:
            raise MemoryError
        self.call = int(call)
        return self.call

    def end(self, call: int) -> None:
        """Waits until all operations of a call are done, and frees the call."""
        library().vsduf_end(self.handle, call)

    def settle(self) -> None:
        """Waits until the operations that the present call has started are done."""
        library().vsduf_wait(self.handle, self.call)

    def trim(self) -> None:
        """Frees the memory of features that nobody holds."""
        library().vsduf_trim(self.handle)

    def close(self) -> None:
        """Ends the threads and frees the weights."""
        self._closing()
        self.handle = 0


def _close(engine: int, process: int) -> None:
    """Closes an engine of the library; not in a forked process, where the threads to wait for do not exist."""
    if process == os.getpid():
        library().vsduf_close(engine)


class CpuTileNetwork:
    """See `backend.TileNetwork`. Only those pixels of a level are computed that the tile's interior depends on.

    extension: LR pixels by which the frame was extended at every side before tiles were cut.
    """

    def __init__(self, engine: NativeEngine, tile: Tile, extension: int) -> None:
        self.engine, self.config, self.tile = engine, engine.config, tile
        self.top, self.left = tile.top - extension, tile.left - extension
        self._growth = strips(self.config.growth)
        self._areas = [self._area(self.config.blocks + 1 - level) for level in range(self.config.blocks + 1)]
        self._interior = self._area(0)

    def stem(self, samples: Planes) -> Feature:
        """See `backend.TileNetwork`."""
        engine, area, frame = self.engine, self._areas[0], self._frame(samples)
        made = library().vsduf_stem(engine.handle, engine.call, area, ctypes.byref(frame))
        return self._feature(made, strips(self.config.stem))

    def partial_sums(self, block: int, inputs: Sequence[Feature], offsets: Sequence[int]) -> Feature:
        """See `backend.TileNetwork`."""
        reach = 0 if self.config.streaming and block < self.config.full_window_blocks else 1
        first, last = ((offset + reach) * self._growth for offset in (offsets[0], offsets[-1] + 1))
        engine, area = self.engine, self._areas[block + 1]
        made = library().vsduf_block(engine.handle, engine.call, area, block, first, last, *_handles(inputs))
        return self._feature(made, last - first)

    def accumulate(self, block: int, sums: Sequence[tuple[Feature, int]]) -> Feature:
        """See `backend.TileNetwork`."""
        if len(sums) == 1 and sums[0][0].strips == self._growth:
            return sums[0][0]
        handles, count = _handles([feature for feature, _ in sums])
        firsts = (INTEGER * count)(*(k * self._growth for _, k in sums))
        engine, area = self.engine, self._areas[block + 1]
        made = library().vsduf_add(engine.handle, engine.call, area, self._growth, handles, firsts, count)
        return self._feature(made, self._growth)

    def finish(self, inputs: Sequence[Feature], samples: Planes, picture: Planes) -> None:
        """See `backend.TileNetwork`."""
        interior, engine, frame = self.tile.interior, self.engine, self._frame(samples)
        out = native_planes(picture, interior.top - interior.rows.start, interior.left - interior.columns.start)
        if not library().vsduf_finish(
            engine.handle, engine.call, self._interior, *_handles(inputs), ctypes.byref(frame), ctypes.byref(out)
        ):
            raise MemoryError

    def _frame(self, samples: Planes) -> NativePlanes:
        return native_planes(samples, self.top, self.left)

    def _feature(self, handle: int | None, strips: int) -> Feature:
        return Feature(handle, strips, strips * 16 * self.tile.height * self.tile.width)

    def _area(self, grown: int) -> ctypes.Array[ctypes.c_int]:
        """Returns height and width of the tile; top, left, bottom and right of its interior grown at every side."""
        tile, rows, columns = self.tile, self.tile.interior.rows, self.tile.interior.columns
        top, left = max(0, rows.start - grown), max(0, columns.start - grown)
        bottom, right = min(tile.height, rows.stop + grown), min(tile.width, columns.stop + grown)
        return (INTEGER * 6)(tile.height, tile.width, top, left, bottom, right)


def _handles(features: Sequence[Feature]) -> tuple[Any, int]:
    return (POINTER * len(features))(*(f.handle for f in features)), len(features)
