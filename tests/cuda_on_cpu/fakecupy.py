"""The few CuPy names that vsduf uses, on the CPU: `stand_in.install` puts this module in CuPy's place.

A device does queued work when it likes. So do the streams here: copies and kernels are queued, and done when something
waits for them, or earlier, in any order that streams and events allow. `order` says in which:

    "at once"       every stream does its work as soon as it may
    "late"          nothing is done before somebody waits for it
    "copies first"  streams of copies do their work as soon as they may, kernels late
    "kernels first" the network's stream does its work as soon as it may, copies late
    a number        a random legal order with that seed

A wait that the code forgets then shows as a picture with old or unwritten samples in one of them.
"""

from __future__ import annotations

import ctypes
import functools
import random
import threading
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from cuda_on_cpu import emulator
from cuda_on_cpu.instances import NAMES


class RawModule:
    def __init__(self, *, code, options=(), name_expressions=()):
        (name,) = name_expressions
        known = NAMES[name.partition("<")[0]]  # all at once: most of the time goes into the header
        self._module = _module(code, tuple(options), known if name in known else (name,))

    def get_function(self, name):
        return self._module.get_function(name)


_module = functools.cache(emulator.RawModule)


class Simulation:
    """The streams of the device, and the order in which they do their work."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset("at once")

    def reset(self, order: str | int) -> None:
        """Forgets all streams; see the module's docstring for `order`."""
        self.order, self.random = order, random.Random(order if isinstance(order, int) else 0)
        self.streams: dict[int, Stream] = {}
        self.here = threading.local()

    def pending(self) -> int:
        """How many copies and kernels are not done."""
        return sum(len(stream.queue) for stream in self.streams.values())

    def go_on(self) -> None:
        """Does as much work as the order wants by now."""
        if self.order == "late":
            return
        moved = True
        while moved:
            moved = False
            for stream in self.random.sample(list(self.streams.values()), len(self.streams)):
                wanted = {"at once": True, "copies first": stream.copies, "kernels first": not stream.copies}
                steps = len(stream.queue) if wanted.get(self.order) else 0
                if isinstance(self.order, int):
                    steps = self.random.randint(0, len(stream.queue))
                moved |= stream.advance(steps) and not isinstance(self.order, int)


simulation = Simulation()


class Stream:
    """A queue of work. copies: made by `Stream()`, as the streams of copies are; else a thread's stream of kernels."""

    def __init__(self, *, non_blocking=False, copies=True):
        self.queue: deque[tuple[Callable[[], object] | None, Event | None]] = deque()
        self.copies, self.done, self.ptr = copies, 0, len(simulation.streams) + 1
        simulation.streams[self.ptr] = self

    def enqueue(self, work: Callable[[], object] | None, event: Event | None = None) -> None:
        """Queues a copy or kernel, or a wait for an event."""
        with simulation.lock:
            self.queue.append((work, event))
            simulation.go_on()

    def advance(self, steps: int) -> bool:
        """Does up to so many entries, until one has to wait; tells whether it did any."""
        did = False
        while steps and self.queue and (self.queue[0][1] is None or self.queue[0][1].done()):
            self._do_first()
            did, steps = True, steps - 1
        return did

    def finish(self, count: int) -> None:
        """Does all entries up to the count-th, and first what they wait for."""
        while self.done < count:
            event = self.queue[0][1]
            if event is not None:
                event.stream.finish(event.count)
            self._do_first()

    def _do_first(self) -> None:
        work, _ = self.queue.popleft()
        self.done += 1
        if work is not None:
            with torch.inference_mode():
                work()

    def record(self, event=None):
        with simulation.lock:
            event = event or Event()
            event.stream, event.count = self, self.done + len(self.queue)
            return event

    def wait_event(self, event):
        self.enqueue(None, event)

    def synchronize(self):
        self.record().synchronize()


class Event:
    def __init__(self, *, block=False, disable_timing=False):
        self.block, self.stream, self.count = block, None, 0

    def done(self):
        return self.stream is None or self.stream.done >= self.count

    def synchronize(self):
        with simulation.lock:
            if self.stream is not None:
                self.stream.finish(self.count)


class Device:
    def __init__(self, number):
        self.id = number

    def use(self):
        pass


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


def current_stream() -> Any:
    """The stream of the calling thread's kernels."""
    here = simulation.here
    with simulation.lock:
        if not hasattr(here, "stream"):
            here.stream = Stream(copies=False)
        return here.stream


def memcpyAsync(dst, src, size, kind, stream):
    simulation.streams[stream].enqueue(lambda: ctypes.memmove(dst, src, size))


def memcpy2DAsync(dst, dpitch, src, spitch, width, height, kind, stream):
    if width > dpitch or (height > 1 and width > spitch):
        raise CUDARuntimeError(12)  # cudaErrorInvalidPitchValue

    def copy():
        for row in range(height):
            ctypes.memmove(dst + row * dpitch, src + row * spitch, width)

    simulation.streams[stream].enqueue(copy)


runtime = SimpleNamespace(
    memcpyAsync=memcpyAsync, memcpy2DAsync=memcpy2DAsync, memcpyHostToDevice=1, memcpyDeviceToHost=2,
    CUDARuntimeError=CUDARuntimeError, runtimeGetVersion=lambda: 1000 * int((torch.version.cuda or "13").split(".")[0]),
)  # fmt: skip
cuda = SimpleNamespace(Stream=Stream, Event=Event, Device=Device, runtime=runtime)
