"""CUDA devices through CuPy and torch: streams, events, and copies between frames and the device.

The only import of CuPy. Copies are queued: a call returns before the device has worked.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import DeviceError


def cupy() -> Any:  # it has no type hints
    """The module; DeviceError, with the command that installs it, where it is missing."""
    try:
        import cupy
    except ImportError as error:
        cuda = (torch.version.cuda or "13").partition(".")[0]
        raise DeviceError(f"CUDA devices need CuPy ({error}); pip install cupy-cuda{cuda}x") from error
    return cupy


def stream() -> Any:
    """CuPy's view of torch's current stream."""
    return _wrapped(torch.cuda.current_stream())


def new_stream() -> Any:
    """A stream of CuPy's on the current device that waits for no other by itself."""
    return cupy().cuda.Stream(non_blocking=True)


def on_device(device: torch.device) -> Any:
    """A context in which the calling thread's current device is this one."""
    return cupy().cuda.Device(device.index)


def use(device: torch.device) -> None:
    """Makes the device, and a stream of its own, the calling thread's for good."""
    torch.cuda.set_device(device)
    torch.cuda.set_stream(torch.cuda.Stream(device))
    cupy().cuda.Device(device.index).use()


def empty_cache() -> None:
    """Gives memory that no tensor uses back to the device."""
    torch.cuda.empty_cache()


def upload(to: Tensor, plane: NDArray[Any], on: Any) -> None:
    """Queues the copy of a frame's plane to the device. plane: [H, W], rows at any stride."""
    _copy(to.data_ptr(), to.stride(0) * to.element_size(), *_rows(plane), plane, "memcpyHostToDevice", on)


def download(plane: NDArray[Any], made: Tensor, on: Any) -> None:
    """Queues the copy of a plane on the device into a frame's."""
    _copy(*_rows(plane), made.data_ptr(), made.stride(0) * made.element_size(), plane, "memcpyDeviceToHost", on)


def require(holds: bool, what: str) -> None:
    """Raises ValueError with the sentence `what` where a kernel or copy is given something else."""
    if not holds:
        raise ValueError(what)


def _copy(to: int, to_pitch: int, source: int, pitch: int, plane: NDArray[Any], kind: str, on: Any) -> None:
    runtime = cupy().cuda.runtime
    height, width = plane.shape[0], plane.shape[1] * plane.itemsize
    runtime.memcpy2DAsync(to, to_pitch, source, pitch, width, height, getattr(runtime, kind), on.ptr)


def _rows(plane: NDArray[Any]) -> tuple[int, int]:
    """A plane's address and the bytes from one row to the next."""
    require(plane.strides[1] == plane.itemsize or plane.shape[1] == 1, "planes have contiguous rows")
    pitch = plane.strides[0] if len(plane) > 1 else plane.shape[1] * plane.itemsize
    require(pitch >= plane.shape[1] * plane.itemsize, "planes have their rows in order")
    return plane.ctypes.data, pitch


@functools.lru_cache(maxsize=16)
def _wrapped(current: torch.cuda.Stream) -> Any:
    streams = cupy().cuda
    if hasattr(current, "__cuda_stream__") and hasattr(streams.Stream, "from_external"):
        return streams.Stream.from_external(current)
    return streams.ExternalStream(current.cuda_stream, current.device_index)  # before CuPy 14, or an older torch
