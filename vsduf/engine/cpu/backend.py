"""The CPU backend: several frames are computed at a time, by one set of threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence

from vsduf import system
from vsduf.engine.backend import Source, TileNetwork
from vsduf.engine.cpu.network import CpuTileNetwork, NativeEngine, working_bytes
from vsduf.engine.folded import FoldedArrays
from vsduf.engine.planning import SHARE, DeviceMemory
from vsduf.engine.pool import PriorityPool
from vsduf.engine.tiles import Tile
from vsduf.network.config import DufConfig
from vsduf.upscaler import Planes


class CpuBackend:
    """See `backend.Backend`. extension: LR pixels by which a frame is extended at every side before tiles are cut.

    threads: default one for each core that the process may use. kernels: see `network.NativeEngine`.
    """

    def __init__(
        self,
        folded: FoldedArrays,
        extension: int,
        *,
        threads: int | None = None,
        kernels: str | None = None,
    ) -> None:
        threads = threads or system.usable_cores()
        self.at_once = at_once(threads)
        self._engine, self._extension = NativeEngine(folded, threads, kernels), extension
        self._turns = PriorityPool(range(self.at_once))
        self._starting = threading.Lock()

    def tile_network(self, tile: Tile) -> TileNetwork:
        """See `backend.Backend`."""
        return CpuTileNetwork(self._engine, tile, self._extension)

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Planes], None],
    ) -> None:
        """See `backend.Backend`. `compute` only starts operations; the next frame's start before these are done."""
        with self._turns.take(window[len(window) // 2]):
            with self._starting:
                call = self._engine.begin()
                try:
                    compute(frames.__getitem__, out)
                except BaseException:
                    self._engine.end(call)  # the operations that have started use the caller's frames
                    raise
            self._engine.end(call)

    def ran_out(self, error: BaseException) -> bool:
        """See `backend.Backend`."""
        return isinstance(error, MemoryError)

    def settle(self) -> None:
        """See `backend.Backend`."""
        self._engine.settle()

    def release(self) -> None:
        """See `backend.Backend`."""
        self._engine.settle()
        self._engine.trim()

    def close(self) -> None:
        """See `backend.Backend`."""
        self._engine.close()


def at_once(threads: int) -> int:
    """Returns how many frames to compute at a time: while one's last tasks run, the next has tasks for all threads."""
    return 2 if threads <= 4 else 3 if threads <= 16 else 4


def opener(num_streams: int | None) -> Callable[[FoldedArrays, int], CpuBackend]:
    """Returns the function that opens a `CpuBackend` for a folded network and an extension. num_streams: threads."""
    return functools.partial(CpuBackend, threads=num_streams)


def memory(config: DufConfig, num_streams: int | None) -> DeviceMemory:
    """Returns the memory that the planner may use; the threads' working memory does not depend on the tiles."""
    threads = num_streams or system.usable_cores()
    working = working_bytes(config, threads)
    return DeviceMemory(int(system.free_bytes() * SHARE), lambda width: working, at_once(threads) - 1)
