"""Engine: weights on a device, source frames in, finished frames out. Owner of everything that a node holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vsduf import memory, tiles, weights
from vsduf.backend import Backend
from vsduf.cpu_backend import CpuBackend
from vsduf.device import CPU, choose, overlooked
from vsduf.errors import ArgumentError, DeviceError
from vsduf.folded import Folded, fold
from vsduf.trunk import Trunk
from vsduf.upscaler import Planes
from vsduf.weights import Weights
from vsduf.worker import computed

EXTENSION = 4  # LR pixels by which a frame is extended for networks that have not learnt what a picture's edge is
KEEP = 2  # windows back that results are held for: requests may arrive a little out of order
_mentioned: set[str] = set()


class Engine:
    """An `upscaler.Upscaler` for frames of one size."""

    def __init__(
        self,
        model: Weights,
        width: int,
        height: int,
        *,
        plan: memory.Plan,
        overlap: int,
        warn: Callable[[str], None],
        backend: Callable[[Folded, int], Backend] = CpuBackend,
    ) -> None:
        self.scale, self.siting = model.config.scale, model.siting
        self.width, self.height, self.overlap, self.warn = width, height, overlap, warn
        self.extension = _extension(model)
        self._backend = backend(computed(lambda: fold(model.network())), self.extension)
        self.at_once = self._backend.at_once
        self._use(plan)

    def _use(self, plan: memory.Plan) -> None:
        self.plan = plan
        cut = tiles.cut(self.height, self.width, plan.size, self.overlap, self.extension)
        self._trunks = [Trunk(self._backend.layers(tile), KEEP) for tile in cut]

    def __call__(self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes) -> None:
        """See `upscaler.Upscaler`. Where memory runs out tiles are halved, with one warning."""
        self._backend.make(window, frames, out, lambda picture: self._compute(window, picture))

    def _compute(self, window: Sequence[int], picture: Any) -> None:
        plan = self.plan
        while not self._try(window, picture):
            self._halve()
        if self.plan is not plan and self.plan.size is not None:
            size = "{}x{}".format(*self.plan.size)
            self.warn(f"memory ran out; going on with {size} tiles, set tilesize to begin with them")

    def _try(self, window: Sequence[int], picture: Any) -> bool:
        """False if memory ran out."""
        try:
            for trunk in self._trunks:
                self._backend.finish(trunk.layers, trunk(window), window[len(window) // 2], picture)
                if not self.plan.retain:
                    trunk.clear()
        except (MemoryError, RuntimeError) as error:
            if not self._backend.ran_out(error):
                raise
            return False
        return True

    def _halve(self) -> None:
        whole = self.width + 2 * self.extension, self.height + 2 * self.extension
        size = whole if self.plan.size is None else (min(whole[0], self.plan.size[0]), min(whole[1], self.plan.size[1]))
        smaller = memory.halve(size, 2 * self.overlap + tiles.SMALLEST)
        if smaller == size:
            raise DeviceError(f"memory ran out, and {size[0]}x{size[1]} tiles cannot be smaller; free some memory")
        self._trunks.clear()
        self._backend.release()
        self._use(memory.Plan(smaller, retain=False))

    def close(self) -> None:
        """Releases all memory; the engine is not called again."""
        self._trunks.clear()
        self._backend.close()


def open_engine(
    model: str | Path | None,
    scale: int,
    width: int,
    height: int,
    *,
    device_id: int | None = None,
    fp16: bool | None = None,
    tilesize: tuple[int, int] | None = None,
    overlap: int | None = None,
    num_streams: int | None = None,
    warn: Callable[[str], None],
) -> Engine:
    """An engine for frames of width x height LR pixels; None means the default everywhere.

    Raises ArgumentError, WeightsError or DeviceError, one sentence each, for what cannot be done.
    """
    if scale not in (2, 3, 4):
        raise ArgumentError(f"scale is {scale}; it must be 2, 3 or 4")
    if num_streams is not None and num_streams < 1:
        raise ArgumentError(f"num_streams is {num_streams}; it must be 1 or more")
    choice = choose(device_id, fp16)
    if device_id is None and choice.device_id == CPU:
        _mention(overlooked(), warn)
    loaded = computed(lambda: weights.load(model if model is not None else weights.best(scale)))
    config = loaded.config
    if config.scale != scale:
        raise ArgumentError(
            f"the model {str(model)!r} upscales by {config.scale}, not by {scale}; set scale={config.scale}"
        )
    overlap = config.receptive_radius if overlap is None else overlap
    if tilesize is not None:
        tiles.check(tilesize, overlap)
        plan: memory.Plan | None = memory.Plan(tilesize)
    elif overlap < 0:
        raise ArgumentError(f"overlap is {overlap}; it must be 0 or more")
    else:
        plan = None
    backend: Callable[[Folded, int], Backend] = CpuBackend
    budget = int(memory.free_bytes() * memory.SHARE)
    if choice.device_id != CPU:
        from vsduf import cuda_backend  # CuPy comes with it

        backend = cuda_backend.on(choice, num_streams)
        budget = cuda_backend.budget(choice, width, height, scale, num_streams)
    if plan is None:
        size = 2 if choice.fp16 else 4
        extended = height + 2 * _extension(loaded), width + 2 * _extension(loaded)
        plan = memory.plan(config, *extended, budget, overlap=overlap, keep=KEEP, sample_bytes=size)
    return Engine(loaded, width, height, plan=plan, overlap=overlap, warn=warn, backend=backend)


def _extension(model: Weights) -> int:
    """LR pixels by which frames are extended at every side."""
    return 0 if model.metadata.get("border") == "learned" else EXTENSION


def _mention(fact: str | None, warn: Callable[[str], None]) -> None:
    """Warns of what holds for the whole process, once."""
    if fact is not None and fact not in _mentioned:
        _mentioned.add(fact)
        warn(fact)
