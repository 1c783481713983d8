"""The few CuPy names that vsduf uses, on the CPU: put in its place by `stand_in.install`."""

from __future__ import annotations

import ctypes
import functools
from types import SimpleNamespace

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


class Stream:
    """Everything has happened when a call returns, so there is nothing to wait for."""

    ptr = 0

    def __init__(self, *, non_blocking=False):
        pass

    @classmethod
    def from_external(cls, _):
        return cls()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def record(self, event=None):
        return event or Event()

    def wait_event(self, event):
        assert isinstance(event, Event)

    def synchronize(self):
        pass


class Event:
    def __init__(self, *, disable_timing=False):
        pass


class Device:
    def __init__(self, number):
        self.id = number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def use(self):
        pass


class CUDARuntimeError(RuntimeError):
    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


def memcpy2DAsync(dst, dpitch, src, spitch, width, height, kind, stream):
    if width > dpitch or (height > 1 and width > spitch):
        raise CUDARuntimeError(12)  # cudaErrorInvalidPitchValue
    assert isinstance(stream, int)
    for row in range(height):
        ctypes.memmove(dst + row * dpitch, src + row * spitch, width)


runtime = SimpleNamespace(
    memcpy2DAsync=memcpy2DAsync, memcpyHostToDevice=1, memcpyDeviceToHost=2, CUDARuntimeError=CUDARuntimeError
)
cuda = SimpleNamespace(Stream=Stream, Event=Event, Device=Device, runtime=runtime)
