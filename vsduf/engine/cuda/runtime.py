"""CUDA devices through CuPy and torch: streams, events, and copies between frames and the device.

The only import of CuPy. Copies are queued: a call returns before the device has copied.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import DeviceError

ALIGNED = 16  # rows on the device begin at a multiple of this many bytes
DTYPES = {
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.uint16): torch.uint16,
    np.dtype(np.float16): torch.float16,
    np.dtype(np.float32): torch.float32,
}

_own = threading.local()  # stream: CuPy's view of the stream that `use` gave the thread


@functools.cache
def cupy() -> Any:  # it has no type hints
    """Returns CuPy's module; raises DeviceError, with the command that installs it, where it cannot be imported."""
    try:
        _choose_cache_folder()
        import cupy
    except (ImportError, OSError) as error:
        raise DeviceError(f"CUDA kernels need CuPy ({error}); {_install_hint()}") from error
    return cupy


def problem() -> str | None:
    """Returns why CuPy cannot be used, as a sentence with the command that helps; None if it can."""
    try:
        found = cupy().cuda.runtime.runtimeGetVersion() // 1000
    except DeviceError as error:
        return str(error)
    wanted = _cuda_version()
    if found != wanted:
        return f"CuPy is for CUDA {found}, torch for CUDA {wanted}; pip uninstall cupy-cuda{found}x, {_install_hint()}"
    return None


def _install_hint() -> str:
    return f'pip install "cupy-cuda{_cuda_version()}x[ctk]"'


def _cuda_version() -> int:
    return int((torch.version.cuda or "13").partition(".")[0])


def _choose_cache_folder() -> None:
    """Sets CUPY_CACHE_DIR to a temporary folder where CuPy's own cannot be written: it would fail at its import."""
    try:
        folder = Path(os.environ.get("CUPY_CACHE_DIR") or Path.home() / ".cupy" / "kernel_cache")
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        folder = Path(tempfile.mkdtemp(prefix="vsduf-cupy-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["CUPY_CACHE_DIR"] = str(folder)


def stream() -> Any:
    """Returns CuPy's view of torch's current stream."""
    own = getattr(_own, "stream", None)
    return _wrapped(torch.cuda.current_stream()) if own is None else own


def new_stream() -> Any:
    """Returns a stream of CuPy's on the current device that does not wait for the default stream."""
    return cupy().cuda.Stream(non_blocking=True)


def record(on: Any, *, sleeping: bool = False) -> Any:
    """Returns an event behind all work that is queued on a stream. sleeping: threads that wait for it do not spin."""
    event = cupy().cuda.Event(block=sleeping, disable_timing=True)
    on.record(event)
    return event


@contextmanager
def on_device(device: torch.device) -> Iterator[None]:
    """Makes a device the calling thread's current one inside the context.

    torch's guard goes back to the previous device only if the process uses that. CuPy's own guard always goes back,
    which creates a context of 300 to 500 MB on a device 0 that nobody uses.
    """
    with torch.cuda.device(device):
        cupy().cuda.Device(device.index).use()
        yield


def use(device: torch.device) -> None:
    """Makes the device and a new stream the calling thread's current ones until the thread ends."""
    torch.cuda.set_device(device)
    torch.cuda.set_stream(torch.cuda.Stream(device))
    cupy().cuda.Device(device.index).use()
    _own.stream = _wrapped(torch.cuda.current_stream())


def wait_for_all() -> None:
    """Waits until all work that is queued on torch's current stream is done."""
    record(stream(), sleeping=True).synchronize()


def empty_cache() -> None:
    """Returns memory that no tensor uses to the device."""
    torch.cuda.empty_cache()


def upload(to: Tensor, plane: NDArray[Any], on: Any) -> None:
    """Queues the copy of a frame's plane to the device. plane: [H, W], rows at any stride.

    Where rows have the same stride on both sides, that is one piece, with the bytes between the frame's rows.
    """
    address, pitch = _rows(plane)
    to_pitch = to.stride(0) * to.element_size()
    height, width = plane.shape[0], plane.shape[1] * plane.itemsize
    kind = cupy().cuda.runtime.memcpyHostToDevice
    if pitch == to_pitch:
        size = pitch * (height - 1) + width
        cupy().cuda.runtime.memcpyAsync(to.data_ptr(), address, size, kind, on.ptr)
    else:
        cupy().cuda.runtime.memcpy2DAsync(to.data_ptr(), to_pitch, address, pitch, width, height, kind, on.ptr)


def download(plane: NDArray[Any], made: Tensor, on: Any) -> None:
    """Queues the copy of a plane on the device into a frame's; writes nothing between the frame's rows."""
    address, pitch = _rows(plane)
    from_pitch = made.stride(0) * made.element_size()
    height, width = plane.shape[0], plane.shape[1] * plane.itemsize
    kind = cupy().cuda.runtime.memcpyDeviceToHost
    if pitch == from_pitch == width:
        cupy().cuda.runtime.memcpyAsync(address, made.data_ptr(), width * height, kind, on.ptr)
    else:
        cupy().cuda.runtime.memcpy2DAsync(address, pitch, made.data_ptr(), from_pitch, width, height, kind, on.ptr)


def empty_planes(plane: NDArray[Any], device: torch.device) -> Tensor:
    """Returns [3, H, W] on the device for planes like `plane`, rows at its stride where that is a multiple of 16 bytes.

    The memory may have been in use before, by work that is still queued on torch's current stream.
    """
    height, width = plane.shape
    _, pitch = _rows(plane)
    pitch = pitch if pitch % ALIGNED == 0 and pitch < 2 * width * plane.itemsize else width * plane.itemsize
    samples = -(-pitch // ALIGNED) * ALIGNED // plane.itemsize
    return torch.empty(3, height, samples, dtype=DTYPES[plane.dtype], device=device)[..., :width]


def require(holds: bool, what: str) -> None:
    """Raises ValueError with the sentence `what`, the condition that a kernel or copy needs, unless it holds."""
    if not holds:
        raise ValueError(what)


def _rows(plane: NDArray[Any]) -> tuple[int, int]:
    """Returns a plane's address and the bytes from one row to the next."""
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
