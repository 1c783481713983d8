"""Pictures on their way to a CUDA device and back: each source frame goes up once, each result comes down once.

Planes are copied as they lie in the frame, rows at their own stride, without a copy in between. Frames are pageable
memory, so a copy's call lasts until the host side is done; it does not hold the interpreter's lock. Copies have streams
of their own, which wait for the network's only where it uses the same memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsduf.engine.backend import Source
from vsduf.engine.cuda import runtime
from vsduf.upscaler import Planes

DTYPES = {
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.uint16): torch.uint16,
    np.dtype(np.float16): torch.float16,
    np.dtype(np.float32): torch.float32,
}
PITCH = 256  # bytes that rows on the device begin at a multiple of


class Slot:
    """Room for a source frame. used: behind the network's last use of it; loaded: behind the copy into it."""

    def __init__(self, planes: Tensor, used: Any) -> None:
        self.planes, self.used, self.loaded = planes, used, None


class SourceRing:
    """The last source frames, by number. One thread at a time; the network's stream is torch's current one."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.capacity, self.device = capacity, device
        self._slots: OrderedDict[int, Slot] = OrderedDict()
        self._stream = runtime.new_stream()

    @contextmanager
    def window(self, window: Sequence[int], frames: Mapping[int, Planes]) -> Iterator[Source]:
        """Opens the frames of one window: the context's value returns a frame's samples by its number.

        They are tensors [3, H, W] on the device, copied there if they are not there yet. No more different frames than
        the capacity. All work that reads them is queued when the context ends.
        """
        for number in window:
            if number in self._slots:
                self._slots.move_to_end(number)

        def source(number: int) -> Tensor:
            if number not in self._slots:
                self._slots[number] = self._load(frames[number], window)
            return self._slots[number].planes

        try:
            yield source
        finally:
            used = runtime.stream().record()
            for number in window:
                if number in self._slots:
                    self._slots[number].used = used

    def wait(self) -> None:
        """Until no frame is being copied."""
        self._stream.synchronize()

    def clear(self) -> None:
        """Releases everything."""
        self._slots.clear()

    def _load(self, planes: Planes, window: Sequence[int]) -> Slot:
        slot = self._room(planes, window)
        self._stream.wait_event(slot.used)
        for to, plane in zip(slot.planes, planes, strict=True):
            runtime.upload(to, plane, self._stream)
        slot.loaded = self._stream.record()
        runtime.stream().wait_event(slot.loaded)
        return slot

    def _room(self, planes: Planes, window: Sequence[int]) -> Slot:
        """The slot of the frame that has been out of use longest, or a new one."""
        if len(self._slots) >= self.capacity:
            oldest = next(number for number in self._slots if number not in window)
            return self._slots.pop(oldest)
        memory = _planes(planes[0].shape, planes[0].dtype, self.device)
        return Slot(memory, runtime.stream().record())  # torch may have had it in use for work that is still queued


class Result:
    """Room for a picture that the network makes, and the way back. `planes` is empty until `prepare`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.planes = torch.empty(0)
        self._stream = runtime.new_stream()
        self._made: Any = None

    def prepare(self, out: Planes) -> Tensor:
        """[3, R * H, R * W] on the device, for a picture like `out`."""
        if self.planes.shape[1:] != out[0].shape or self.planes.dtype != DTYPES[out[0].dtype]:
            self.planes = _planes(out[0].shape, out[0].dtype, self.device)
        return self.planes

    def made(self) -> None:
        """The work that makes the picture is queued on torch's current stream."""
        self._made = runtime.stream().record()

    def download(self, out: Planes) -> None:
        """Waits for the picture and copies it into `out`; from any thread."""
        self._stream.wait_event(self._made)
        for plane, made in zip(out, self.planes, strict=True):
            runtime.download(plane, made, self._stream)
        self._stream.synchronize()


def _planes(shape: tuple[int, ...], dtype: np.dtype[Any], device: torch.device) -> Tensor:
    height, width = shape
    samples = PITCH // dtype.itemsize
    pitch = -(-width // samples) * samples
    return torch.empty(3, height, pitch, dtype=DTYPES[dtype], device=device)[..., :width]
