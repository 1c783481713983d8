"""Things that threads take in turns, the earliest frame's thread first."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class PriorityPool[Thing]:
    """A pool that whoever wants the lowest frame is served from first.

    VapourSynth's threads come with neighbouring frames in no sure order, and what a trunk keeps is for frames in order.
    """

    def __init__(self, things: Iterable[Thing]) -> None:
        self._free = list(things)
        self._waiting: set[tuple[int, int]] = set()
        self._arrivals = itertools.count()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, frame: int) -> Iterator[Thing]:
        """One of the things, given back at the end; waits until one is free and no lower frame waits."""
        turn = (frame, next(self._arrivals))
        with self._changed:
            self._waiting.add(turn)
            try:
                self._changed.wait_for(lambda: self._free and min(self._waiting) == turn)
                thing = self._free.pop()
            finally:  # also where waiting is interrupted
                self._waiting.remove(turn)
                self._changed.notify_all()  # another may be free for the next in line
        try:
            yield thing
        finally:
            with self._changed:
                self._free.append(thing)
                self._changed.notify_all()

    def clear(self) -> None:
        """Forgets what nobody has taken."""
        with self._changed:
            self._free.clear()
