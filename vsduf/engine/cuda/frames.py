"""Transfers pictures to and from a CUDA device: each source frame once, each output picture once.

Uploads and downloads are done on the thread that asked for the frame. Frames are pageable memory, which the driver
copies through a buffer of its own while the call lasts; the calls do not hold the interpreter's lock. Copies have
streams of their own, which wait for the network's stream only where both use the same memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vsduf.engine.backend import Source
from vsduf.engine.cuda import runtime
from vsduf.upscaler import Planes


class Slot:
    """Memory for a source frame. used: event after the last kernel that reads it; loaded: event after the upload.

    awaited: whether the network's stream waits for `loaded` already. pinned: calls of `make` that are going to read it.
    """

    def __init__(self, planes: Tensor, used: Any) -> None:
        self.planes, self.used = planes, used
        self.loaded: Any = None
        self.awaited, self.pinned = False, 0


class SourceRing:
    """Keeps the last source frames on the device, by number. Any thread may call `load`."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.capacity, self.device = capacity, device
        self._slots: OrderedDict[int, Slot] = OrderedDict()
        self._lock = threading.Lock()
        self._stream = runtime.new_stream()

    def load(self, window: Sequence[int], frames: Mapping[int, Planes]) -> dict[int, Slot]:
        """Queues the upload of a window's frames that are not on the device; returns all of them, pinned.

        The slots are passed to `reading`, which unpins them.
        """
        with self._lock:
            slots = {}
            try:
                for number in window:
                    if number not in slots:
                        slots[number] = self._pinned(number, frames[number])
            except BaseException:
                _unpin(slots)
                raise
            return slots

    @contextmanager
    def reading(self, slots: Mapping[int, Slot]) -> Iterator[Source]:
        """Lets kernels on the current stream read loaded frames: the context's value returns a frame by its number.

        Frames are [3, H, W]. All kernels that read them are queued when the context ends. What is queued behind these
        kernels is also behind all of the window's uploads, those of frames that no kernel reads included.
        """
        stream = runtime.stream()
        for slot in slots.values():
            if not slot.awaited:
                stream.wait_event(slot.loaded)
                slot.awaited = True
        try:
            yield lambda number: slots[number].planes
        finally:
            used = runtime.record(stream)
            with self._lock:
                for slot in slots.values():
                    slot.used = used
                _unpin(slots)

    def wait(self) -> None:
        """Waits until no frame is being uploaded."""
        self._stream.synchronize()

    def clear(self) -> None:
        """Frees all memory."""
        self._slots.clear()

    def _pinned(self, number: int, planes: Planes) -> Slot:
        if number not in self._slots:
            slot = self._room(planes)
            self._stream.wait_event(slot.used)
            for to, plane in zip(slot.planes, planes, strict=True):
                runtime.upload(to, plane, self._stream)
            slot.loaded, slot.awaited = runtime.record(self._stream), False
            self._slots[number] = slot
        slot = self._slots[number]
        slot.pinned += 1
        self._slots.move_to_end(number)
        return slot

    def _room(self, planes: Planes) -> Slot:
        """Returns the slot that has been out of use longest, or a new one if there are few or all are pinned."""
        if len(self._slots) >= self.capacity:
            for number, slot in self._slots.items():
                if not slot.pinned:
                    return self._slots.pop(number)
        return Slot(runtime.empty_planes(planes[0], self.device), runtime.record(runtime.stream()))


class Result:
    """Memory for a picture on the device, and its download. `planes` is empty until `prepare`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.planes = torch.empty(0)
        self._stream = runtime.new_stream()
        self._made: Any = None

    def prepare(self, out: Planes) -> Tensor:
        """Returns [3, R * H, R * W] on the device, for a picture like `out`."""
        if self.planes.shape[1:] != out[0].shape or self.planes.dtype != runtime.DTYPES[out[0].dtype]:
            self.planes = runtime.empty_planes(out[0], self.device)
        return self.planes

    def finished(self) -> None:
        """Records that all kernels that write the picture are queued on the current stream."""
        self._made = runtime.record(runtime.stream(), sleeping=True)

    def download(self, out: Planes) -> None:
        """Waits for the picture and copies it into `out`; called on the thread that wants it.

        The thread sleeps until the picture is complete, so the copy itself does not wait, which would spin.
        """
        self._made.synchronize()
        for plane, made in zip(out, self.planes, strict=True):
            runtime.download(plane, made, self._stream)
        runtime.record(self._stream, sleeping=True).synchronize()


def _unpin(slots: Mapping[int, Slot]) -> None:
    for slot in slots.values():
        slot.pinned -= 1
