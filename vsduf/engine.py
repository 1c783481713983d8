"""Engine: weights on a device, source frames in, finished frames out. Owner of everything that a node holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vsduf import memory, tiles, weights
from vsduf.cpu import CpuLayers, planes_to_picture
from vsduf.device import choose
from vsduf.errors import ArgumentError, DeviceError
from vsduf.folded import fold
from vsduf.tiles import Tile
from vsduf.trunk import Trunk
from vsduf.upscaler import Planes
from vsduf.weights import Weights

EXTENSION = 4  # LR pixels by which a frame is extended for networks that have not learnt what a picture's edge is
KEEP = 2  # windows back that results are held for: requests may arrive a little out of order


class Engine:
    """An `upscaler.Upscaler` for frames of one size."""

    def __init__(
        self, model: Weights, width: int, height: int, *, plan: memory.Plan, overlap: int, warn: Callable[[str], None]
    ) -> None:
        self.scale, self.siting = model.config.scale, model.siting
        self.width, self.height, self.overlap, self.warn = width, height, overlap, warn
        self.extension = 0 if model.metadata.get("border") == "learned" else EXTENSION
        self._folded = fold(model.network())
        self._lock = threading.Lock()
        self._frames: Mapping[int, Planes] = {}
        self._use(plan)

    def _use(self, plan: memory.Plan) -> None:
        self.plan = plan
        cut = tiles.cut(self.height, self.width, plan.size, self.overlap, self.extension)
        self._trunks: list[Trunk] = []
        for tile in cut:
            self._trunks.append(Trunk(CpuLayers(self._folded, tile, self._picture), KEEP))

    def __call__(self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes) -> None:
        """See `upscaler.Upscaler`. Where memory runs out tiles are halved, with one warning."""
        with self._lock, torch.inference_mode():
            self._frames = frames
            try:
                while not self._try(window, out):
                    self._halve()
            finally:
                self._frames = {}

    def _try(self, window: Sequence[int], out: Planes) -> bool:
        """False if memory ran out."""
        try:
            for trunk in self._trunks:
                self._compute(trunk, window, out)
        except (MemoryError, torch.OutOfMemoryError):
            return False
        except RuntimeError as error:
            if "DefaultCPUAllocator" not in str(error):  # torch has no type for it on the CPU
                raise
            return False
        return True

    def _compute(self, trunk: Trunk, window: Sequence[int], out: Planes) -> None:
        layers = trunk.layers
        assert isinstance(layers, CpuLayers)
        own = layers.tile.own
        top, left = own.top * self.scale, own.left * self.scale
        target = [p[top : top + len(own.rows) * self.scale, left : left + len(own.columns) * self.scale] for p in out]
        floats = [np.empty(p.shape, np.float32) for p in target] if out[0].dtype == np.float16 else target
        layers.finish(trunk(window), window[len(window) // 2], floats)
        if floats is not target:
            for plane, values in zip(target, floats, strict=True):
                plane[...] = values
        if not self.plan.retain:
            trunk.clear()

    def _halve(self) -> None:
        size = self.plan.size or (self.width, self.height)
        smaller = memory.halve(size, 2 * self.overlap + tiles.SMALLEST)
        if smaller == size:
            raise DeviceError(f"memory ran out, and {size[0]}x{size[1]} tiles cannot be smaller; free some memory")
        self._trunks.clear()
        self._use(memory.Plan(smaller, retain=False))
        self.warn(f"memory ran out; going on with {smaller[0]}x{smaller[1]} tiles, set tilesize to begin with them")

    def _picture(self, frame: int, tile: Tile) -> Tensor:
        return planes_to_picture(self._frames[frame], tile, self.extension)

    def close(self) -> None:
        """Releases all memory; the engine is not called again."""
        with self._lock:
            self._trunks.clear()


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
    choose(device_id, fp16)
    loaded = weights.load(model if model is not None else weights.best(scale))
    config = loaded.config
    if config.scale != scale:
        raise ArgumentError(
            f"the model {str(model)!r} upscales by {config.scale}, not by {scale}; set scale={config.scale}"
        )
    overlap = config.receptive_radius if overlap is None else overlap
    if tilesize is not None:
        tiles.check(tilesize, overlap)
        plan = memory.Plan(tilesize)
    elif overlap < 0:
        raise ArgumentError(f"overlap is {overlap}; it must be 0 or more")
    else:
        budget = int(memory.free_bytes() * memory.SHARE)
        plan = memory.plan(config, height, width, budget, overlap=overlap, keep=KEEP)
    return Engine(loaded, width, height, plan=plan, overlap=overlap, warn=warn)
