"""A pool of resources; the thread with the lowest frame number is served first.

VapourSynth's threads ask for neighbouring frames in any order, and cached features serve frames in order. A resource
that is given back wakes one thread: if all of 192 waiting threads woke, they would cost 5 ms of the interpreter's lock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(order=True)
class _Waiter[Resource]:
    """A thread that waits. gate: released when `resource` is set."""

    frame: int
    arrival: int
    gate: threading.Lock = field(compare=False)
    resource: Resource | None = field(default=None, compare=False)


class PriorityPool[Resource]:
    """Lends each resource to one thread at a time."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._free = list(resources)  # empty as long as a thread waits
        self._waiters: list[_Waiter[Resource]] = []  # a heap
        self._arrivals = itertools.count()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiters)

    @contextmanager
    def take(self, frame: int) -> Iterator[Resource]:
        """Lends a resource for the length of the context; waits until one is free and no lower frame waits."""
        resource = self._obtain(frame)
        try:
            yield resource
        finally:
            self._give_back(resource)

    def clear(self) -> None:
        """Drops the resources that no thread has."""
        with self._lock:
            self._free.clear()

    def _obtain(self, frame: int) -> Resource:
        with self._lock:
            if self._free:
                return self._free.pop()
            waiter: _Waiter[Resource] = _Waiter(frame, next(self._arrivals), threading.Lock())
            waiter.gate.acquire()
            heapq.heappush(self._waiters, waiter)
        try:
            waiter.gate.acquire()
        except BaseException:  # such as KeyboardInterrupt
            self._leave(waiter)
            raise
        assert waiter.resource is not None
        return waiter.resource

    def _leave(self, waiter: _Waiter[Resource]) -> None:
        """Takes a thread out of the queue; passes on a resource that it got meanwhile."""
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                heapq.heapify(self._waiters)
        if waiter.resource is not None:
            self._give_back(waiter.resource)

    def _give_back(self, resource: Resource) -> None:
        with self._lock:
            if not self._waiters:
                self._free.append(resource)
                return
            waiter = heapq.heappop(self._waiters)
            waiter.resource = resource
        waiter.gate.release()
