"""Computes how the CPU engine's scheduler keeps any number of threads busy, from the measured times of its operations.

The events are those of vsduf/native/scheduler.cpp and vsduf/engine/cpu/backend.py: a caller starts a frame's operations
one after the other while it holds the interpreter's lock; a task is ready when the tasks that it reads are done; a
thread takes the ready task of the lowest frame and operation; a caller whose frame is done begins the next one.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

TILE, WIDEST, TALLEST = 4, 192, 32  # of kernels.h
EACH, LEAST_ROWS, LEAST_COLUMNS = 3, 8, 64  # of scheduler.cpp
LOCK = 1e-6  # seconds that a thread holds the scheduler's lock to end a task and take the next one


@dataclass(frozen=True)
class Operation:
    """seconds: of all its tasks. halo: pixels of the inputs that a task reads around its own.

    inputs: (frames ago, position among that frame's operations) of the operations that it reads.
    """

    seconds: float
    halo: int
    inputs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Frame:
    """The operations of a frame in the middle of a clip, in the order in which they are started.

    size: (height, width) in LR pixels. python: seconds for which the interpreter's lock is held.
    """

    operations: tuple[Operation, ...]
    size: tuple[int, int]
    python: float

    @property
    def seconds(self) -> float:
        """Seconds of all tasks."""
        return sum(operation.seconds for operation in self.operations)


@dataclass(frozen=True)
class Grid:
    """How an operation is cut into tasks, as `vsduf::Grid` does it. rows, columns: pixels of a rectangle."""

    size: tuple[int, int]
    rows: int
    columns: int

    @classmethod
    def of(cls, size: tuple[int, int], threads: int) -> Grid:
        """Returns the grid that the scheduler chooses for so many threads."""
        height, width = size
        columns = _part(width, WIDEST)
        wanted = max(1, -(-EACH * threads // -(-width // columns)))
        most = height // wanted // TILE * TILE
        rows = _part(height, min(max(most, LEAST_ROWS), TALLEST))
        parts = min(-(-threads // -(-height // rows)), width // LEAST_COLUMNS)
        return cls(size, rows, _part(width, -(-width // parts)) if parts > -(-width // columns) else columns)

    @property
    def down(self) -> int:
        """How many rectangles lie below each other."""
        return -(-self.size[0] // self.rows)

    @property
    def across(self) -> int:
        """How many rectangles lie beside each other."""
        return -(-self.size[1] // self.columns)

    def share(self, index: int) -> float:
        """Returns a rectangle's share of all pixels."""
        height, width = self.size
        rows = min(self.rows, height - index // self.across * self.rows)
        columns = min(self.columns, width - index % self.across * self.columns)
        return rows * columns / (height * width)

    def around(self, index: int, halo: int) -> Iterator[int]:
        """Yields the rectangles that a rectangle meets when it is grown by a halo no larger than a rectangle."""
        y, x, reach = index // self.across, index % self.across, min(halo, 1)
        for row in range(max(0, y - reach), min(self.down, y + reach + 1)):
            for column in range(max(0, x - reach), min(self.across, x + reach + 1)):
                yield row * self.across + column


def _part(length: int, most: int) -> int:
    """Returns the pixels of each of the equal parts of a length that are no larger than `most`, a multiple of TILE."""
    parts = -(-length // most)
    return -(-length // (parts * TILE)) * TILE


@dataclass(frozen=True)
class Computed:
    """fps: frames a second. idle: share of threads' time without a task. python: share of time with Python's lock."""

    fps: float
    idle: float
    python: float


Task = tuple[int, int, int]
"""Frame, position among its operations, rectangle: also the order in which ready tasks are taken."""


class Simulation:
    """Computes `frames` frames on so many threads. parts: threads for which operations are cut, default `threads`."""

    def __init__(self, frame: Frame, threads: int, at_once: int, frames: int = 40, parts: int | None = None) -> None:
        self.frame, self.threads, self.at_once, self.frames = frame, threads, at_once, frames
        self.grid = Grid.of(frame.size, parts or threads)
        self._tasks = self.grid.down * self.grid.across
        self._events: list[tuple[float, int, str, Task]] = []
        self._order = itertools.count()
        self._ready: list[Task] = []
        self._waits: dict[Task, int] = {}  # of tasks that were started: those that they wait for
        self._readers: dict[Task, list[Task]] = {}
        self._done: set[Task] = set()
        self._left = [len(frame.operations) * self._tasks] * frames
        self._free, self._next = threads, 0
        self._lock = self._python = 0.0
        self._ends: list[float] = []

    def run(self) -> Computed:
        """Returns the rates of the second half of the frames."""
        for _ in range(min(self.at_once, self.frames)):
            self._begin(0.0)
        while self._events:
            now, _, kind, task = heapq.heappop(self._events)
            (self._add if kind == "add" else self._end)(now, task)
            self._take(now)
        half = self.frames // 2
        fps = half / (self._ends[-1] - self._ends[-1 - half])
        return Computed(fps, 1 - fps * self.frame.seconds / self.threads, fps * self.frame.python)

    def _begin(self, now: float) -> None:
        """Has a caller start the next frame's operations, one after the other."""
        if self._next == self.frames:
            return
        start, step = max(now, self._python), self.frame.python / len(self.frame.operations)
        for position in range(len(self.frame.operations)):
            self._at(start + (position + 1) * step, "add", (self._next, position, 0))
        self._python = start + self.frame.python
        self._next += 1

    def _at(self, time: float, kind: str, task: Task) -> None:
        heapq.heappush(self._events, (time, next(self._order), kind, task))

    def _add(self, now: float, operation: Task) -> None:
        frame, position, _ = operation
        for index in range(self._tasks):
            task, waits = (frame, position, index), 0
            for before in self._inputs(task):
                if before not in self._done:
                    self._readers.setdefault(before, []).append(task)
                    waits += 1
            self._waits[task] = waits
            if not waits:
                heapq.heappush(self._ready, task)

    def _inputs(self, task: Task) -> Iterator[Task]:
        frame, position, index = task
        operation = self.frame.operations[position]
        for ago, producer in operation.inputs:
            if ago <= frame:  # the clip's first frames find what came before them computed
                for around in self.grid.around(index, operation.halo):
                    yield frame - ago, producer, around

    def _take(self, now: float) -> None:
        while self._free and self._ready:
            task = heapq.heappop(self._ready)
            self._free -= 1
            self._lock = max(now, self._lock) + LOCK
            seconds = self.frame.operations[task[1]].seconds * self.grid.share(task[2])
            self._at(self._lock + seconds, "end", task)

    def _end(self, now: float, task: Task) -> None:
        self._free += 1
        self._done.add(task)
        for reader in self._readers.pop(task, []):
            self._waits[reader] -= 1
            if not self._waits[reader]:
                heapq.heappush(self._ready, reader)
        self._left[task[0]] -= 1
        if not self._left[task[0]]:
            self._ends.append(now)
            self._begin(now)
