"""Measures the operations of a frame as the CPU engine computes them, for `helpers.schedule`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from helpers.schedule import Frame, Operation

from vsduf.engine.cpu.backend import CpuBackend
from vsduf.engine.cpu.network import Feature
from vsduf.engine.engine import Engine
from vsduf.engine.planning import TilePlan
from vsduf.engine.tiles import Tile
from vsduf.network.config import DufConfig
from vsduf.network.weights import Weights
from vsduf.upscaler import Planes, clamped_window


class Recorder:
    """A `TileNetwork` that waits for every operation. frames: the operations of each frame so far.

    Seconds are those that the process's threads computed, whatever else the machine does.
    """

    def __init__(self, network: Any, backend: CpuBackend) -> None:
        self.config: DufConfig = network.config
        self.frames: list[list[Operation]] = [[]]
        self._network, self._backend = network, backend
        self._made_by: dict[int, tuple[Any, int, int]] = {}  # id of a feature -> the feature, frame, position

    def stem(self, samples: Planes) -> Any:
        """See `TileNetwork`."""
        return self._record(0, [], lambda: self._network.stem(samples))

    def partial_sums(self, block: int, inputs: Sequence[Feature], offsets: Sequence[int]) -> Any:
        """See `TileNetwork`."""
        return self._record(1, inputs, lambda: self._network.partial_sums(block, inputs, offsets))

    def accumulate(self, block: int, sums: Sequence[tuple[Feature, int]]) -> Any:
        """See `TileNetwork`; a single sum is its own total, and no operation."""
        return self._record(0, [feature for feature, _ in sums], lambda: self._network.accumulate(block, sums))

    def finish(self, inputs: Sequence[Feature], samples: Planes, picture: Planes) -> None:
        """See `TileNetwork`; ends the frame."""
        self._record(1, inputs, lambda: self._network.finish(inputs, samples, picture))
        self.frames.append([])

    def _record(self, halo: int, inputs: Sequence[Feature], compute: Callable[[], Any]) -> Any:
        started = time.process_time()
        made = compute()
        self._backend.settle()
        seconds = time.process_time() - started
        if made is None or id(made) not in self._made_by:
            here = len(self.frames) - 1
            places = [self._made_by[id(feature)][1:] for feature in inputs]
            self.frames[-1].append(Operation(seconds, halo, tuple((here - frame, at) for frame, at in places)))
            if made is not None:
                self._made_by[id(made)] = (made, here, len(self.frames[-1]) - 1)
        return made


class RecordingBackend(CpuBackend):
    """The CPU, with a Recorder in place of the network of its only tile."""

    def tile_network(self, tile: Tile) -> Any:
        """See `Backend`."""
        self.recorder = Recorder(super().tile_network(tile), self)
        return self.recorder


def record(weights: Weights, size: tuple[int, int], threads: int, frames: int = 5) -> Frame:
    """Returns a frame in the middle of a clip, its operations cut for so many threads; the median of several frames.

    size: height and width in LR pixels. threads: run on the cores of this process, one operation at a time.
    """
    found: list[RecordingBackend] = []

    def backend(*arguments: Any) -> RecordingBackend:
        found.append(RecordingBackend(*arguments, threads=threads))
        return found[0]

    _compute(weights, size, frames + 7, backend)
    steady = found[0].recorder.frames[7:-1]
    assert len({tuple(o.inputs for o in frame) for frame in steady}) == 1, "the frames differ"
    operations = [
        Operation(median(o.seconds for o in column), column[0].halo, column[0].inputs)
        for column in zip(*steady, strict=True)
    ]
    python = _compute(weights, size, frames + 7, lambda *arguments: CpuBackend(*arguments, threads=threads))
    return Frame(tuple(operations), size, median(python[7:]))


def _compute(weights: Weights, size: tuple[int, int], frames: int, backend: Any) -> list[float]:
    """Makes frames in order; returns the seconds that each occupied the thread that asked for it."""
    height, width = size
    scale, seconds = weights.config.scale, []
    source = [list(np.full((3, height, width), n % 7 / 7, np.float32)) for n in range(frames + 3)]
    out = list(np.empty((3, scale * height, scale * width), np.float32))
    engine = Engine(weights, width, height, plan=TilePlan(None), overlap=0, warn=print, backend=backend)
    for n in range(frames):
        window = clamped_window(n, len(source))
        started = time.thread_time()
        engine(window, {k: source[k] for k in window}, out)
        seconds.append(time.thread_time() - started)
    engine.close()
    return seconds
