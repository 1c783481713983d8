"""Owns the network's memory and device state for one filter instance, and computes its frames."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vsduf.engine import device as devices
from vsduf.engine import planning, reservations, tiles
from vsduf.engine.backend import Backend, Picture, Source
from vsduf.engine.cpu.backend import CpuBackend
from vsduf.engine.cpu.library import kernels
from vsduf.engine.device import DeviceChoice
from vsduf.engine.feature_cache import FeatureCache
from vsduf.engine.folded import FoldedArrays, fold
from vsduf.engine.planning import DeviceMemory, TilePlan
from vsduf.errors import ArgumentError, DeviceError
from vsduf.network import catalogue, weights
from vsduf.network.config import DufConfig
from vsduf.network.weights import Weights
from vsduf.upscaler import SCALES, WINDOW, Planes

MAX_STREAMS = 1024  # more threads than cores gain nothing, and millions of them exhaust the memory
EXTENSION = 4  # LR pixels by which a frame is extended for networks that were not trained on a picture's borders
IDLE_FRAMES = 2  # calls after which an unused feature is dropped; VapourSynth asks slightly out of order

SETTLED = 2 * WINDOW  # frames after which an engine has allocated what it planned

Opener = Callable[[FoldedArrays, int], Backend]
"""Opens a backend for a folded network and the LR pixels by which frames are extended."""

_warned: set[str] = set()
_warned_lock = threading.Lock()


class Engine:
    """The network as an `upscaler.Upscaler` for frames of one size."""

    def __init__(
        self,
        model: Weights,
        width: int,
        height: int,
        *,
        plan: TilePlan,
        overlap: int,
        warn: Callable[[str], None],
        backend: Opener = CpuBackend,
    ) -> None:
        self.scale, self.siting = model.config.scale, model.siting
        self.width, self.height, self.overlap, self.warn = width, height, overlap, warn
        self.extension = _extension(model)
        self._backend = backend(fold(model), self.extension)
        self.at_once, self._pictures, self._process = self._backend.at_once, 0, os.getpid()
        self.half = False
        self._use(plan)

    def __call__(self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes) -> None:
        """Writes one frame; see `upscaler.Upscaler`. Where memory runs out, tiles are halved, with one warning.

        Raises DeviceError in a process that was forked after the engine was opened: threads are not copied by a fork.
        """
        if self._process != os.getpid():
            raise DeviceError("the engine belongs to the process that opened it; open another one after the fork")
        self._backend.make(window, frames, out, lambda source, picture: self._compute(window, source, picture))

    def close(self) -> None:
        """Frees all memory; the engine is not called again. Does nothing in a process that was forked meanwhile."""
        if self._process == os.getpid():
            reservations.release(self)
            self._caches.clear()
            self._backend.close()

    def _use(self, plan: TilePlan) -> None:
        self.plan = plan
        cut = tiles.cut(self.height, self.width, plan.size, self.overlap, self.extension)
        self._caches = [FeatureCache(self._backend.tile_network(tile), IDLE_FRAMES) for tile in cut]

    def _compute(self, window: Sequence[int], source: Source, picture: Picture) -> None:
        plan = self.plan
        while not self._fits(window, source, picture):
            self._halve()
        self._pictures += 1
        if self._pictures == SETTLED:
            reservations.release(self)
        if self.plan is not plan and self.plan.size is not None:
            size = "{}x{}".format(*self.plan.size)
            self.warn(f"memory ran out; going on with {size} tiles, set tilesize to begin with them")

    def _fits(self, window: Sequence[int], source: Source, picture: Picture) -> bool:
        """Computes all tiles; returns False if memory ran out."""
        centre = source(window[len(window) // 2])
        try:
            for cache in self._caches:
                cache.network.finish(cache(window, source), centre, picture)
                if not self.plan.cache_features:
                    cache.clear()
                    self._backend.settle()
        except (MemoryError, RuntimeError) as error:
            if not self._backend.ran_out(error):
                raise
            return False
        return True

    def _halve(self) -> None:
        whole = self.width + 2 * self.extension, self.height + 2 * self.extension
        size = whole if self.plan.size is None else (min(whole[0], self.plan.size[0]), min(whole[1], self.plan.size[1]))
        smaller = planning.halve(size, tiles.smallest(self.overlap))
        if smaller == size:
            raise DeviceError(f"memory ran out, and {size[0]}x{size[1]} tiles cannot be smaller; free some memory")
        self._caches.clear()
        self._backend.release()
        self._use(TilePlan(smaller, cache_features=False))


def open_engine(
    model: str | Path | None,
    scale: int,
    width: int,
    height: int,
    *,
    device_id: int | None = None,
    device: str | None = None,
    fp16: bool | None = None,
    tilesize: tuple[int, int] | None = None,
    overlap: int | None = None,
    num_streams: int | None = None,
    warn: Callable[[str], None],
) -> Engine:
    """Opens an engine for frames of width x height LR pixels; None means the default everywhere.

    warn: takes sentences that a user should read. Raises ArgumentError, WeightsError or DeviceError, one sentence each,
    for what cannot be done.
    """
    _check(scale, tilesize, overlap, num_streams)
    choice = devices.choose_device(device_id, fp16, device)
    if device_id is None and device is None and choice.on_cpu:
        _warn_once(devices.unusable_gpu(), warn)
    loaded = _load(model, scale)
    overlap = loaded.config.receptive_radius if overlap is None else overlap
    opener, memory = _device(choice, num_streams, width, height, loaded.config, warn)
    if tilesize is not None:
        tiles.check(tilesize, overlap)
        plan = TilePlan(tilesize)
    else:
        extended = height + 2 * _extension(loaded), width + 2 * _extension(loaded)
        size = 2 if choice.fp16 else 4
        plan = planning.plan_tiles(
            loaded.config,
            *extended,
            memory.budget - reservations.reserved(choice.name),
            overlap=overlap,
            idle_frames=IDLE_FRAMES + memory.more_frames,
            sample_bytes=size,
            working_bytes=memory.working_bytes,
        )
    engine = Engine(loaded, width, height, plan=plan, overlap=overlap, warn=warn, backend=opener)
    engine.half = choice.fp16
    reservations.reserve(engine, choice.name, plan.planned)
    return engine


def cpu_kernels() -> str:
    """Returns the name of the kernels that the CPU runs: "avx512", "avx2" or "portable"."""
    return kernels()[0]


def _check(scale: int, tilesize: tuple[int, int] | None, overlap: int | None, num_streams: int | None) -> None:
    if scale not in SCALES:
        raise ArgumentError(f"scale is {scale}; it must be 2, 3 or 4")
    if num_streams is not None and not 1 <= num_streams <= MAX_STREAMS:
        raise ArgumentError(f"num_streams is {num_streams}; it must be 1 to {MAX_STREAMS}")
    if overlap is not None and overlap < 0:
        raise ArgumentError(f"overlap is {overlap}; it must be 0 or more")
    if tilesize is not None:
        tiles.check(tilesize, overlap or 0)


def _load(model: str | Path | None, scale: int) -> Weights:
    loaded = weights.load(model if model is not None else catalogue.best(scale))
    if loaded.config.scale != scale:
        found = loaded.config.scale
        raise ArgumentError(f"the model {str(model)!r} upscales by {found}, not by {scale}; set scale={found}")
    return loaded


def _device(
    choice: DeviceChoice,
    num_streams: int | None,
    width: int,
    height: int,
    config: DufConfig,
    warn: Callable[[str], None],
) -> tuple[Opener, DeviceMemory]:
    """Returns the device's opener and its memory; warns once where plain torch replaces the CUDA kernels."""
    if choice.on_cpu:
        from vsduf.engine.cpu import backend as cpu

        return cpu.opener(num_streams), cpu.memory(config, num_streams)
    if choice.kind == "cuda":
        from vsduf.engine.cuda import backend as cuda

        problem = cuda.problem()
        if problem is None:
            return cuda.opener(choice, num_streams), cuda.memory(choice, num_streams, config, width, height)
        _warn_once(f"{problem}; until then plain torch computes, more slowly", warn)
    from vsduf.engine.torch import backend as torch

    return torch.opener(choice), torch.memory(choice, config, width, height)


def _extension(model: Weights) -> int:
    """Returns the LR pixels by which frames are extended at every side."""
    return 0 if model.metadata.get("border") == "learned" else EXTENSION


def _warn_once(fact: str | None, warn: Callable[[str], None]) -> None:
    """Warns of a fact about the whole process; only the first time."""
    if fact is None:
        return
    with _warned_lock:
        known = fact in _warned
        _warned.add(fact)
    if not known:
        warn(fact)
