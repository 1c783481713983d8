"""Which device computes, and in which precision."""

from __future__ import annotations

import ctypes
import functools
import sys
from dataclasses import dataclass

import torch

from vsduf.errors import DeviceError

CPU = -1
INSTALL_HINT = (
    "pip install --force-reinstall torch (where that brings a build without CUDA, as on Windows, "
    "follow the selector on pytorch.org)"
)


@dataclass(frozen=True)
class DeviceChoice:
    """device_id: a CUDA device's number, or -1 for the CPU. fp16: half precision."""

    device_id: int
    fp16: bool

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU computes."""
        return self.device_id == CPU


def choose_device(device_id: int | None, fp16: bool | None) -> DeviceChoice:
    """Resolves the defaults: the first CUDA device if there is one, else the CPU; half precision on CUDA.

    Raises DeviceError for a device that is not there, for half precision on the CPU, and, where a CUDA device was asked
    for, for a torch that cannot use any, naming the command that mends it.
    """
    count = _usable()
    if device_id is None:
        device_id = 0 if count else CPU
    if device_id < CPU:
        raise DeviceError(f"device_id is {device_id}; it must be -1 for the CPU or the number of a CUDA device")
    if device_id == CPU:
        if fp16:
            raise DeviceError("fp16 works on CUDA devices only; leave fp16 out on the CPU")
        return DeviceChoice(CPU, False)
    if torch.version.cuda is None:
        raise DeviceError(
            f"device_id is {device_id}, but torch {torch.__version__} was built without CUDA; {INSTALL_HINT}"
        )
    if device_id >= count:
        found = f"there are {count}" if count else "torch finds none"
        raise DeviceError(f"device_id is {device_id}, but of CUDA devices {found}; set device_id=-1 for the CPU")
    return DeviceChoice(device_id, True if fp16 is None else fp16)


@functools.cache
def unusable_gpu() -> str | None:
    """What to say where an NVIDIA card stands by while the CPU computes, because torch cannot use it; else None."""
    count = 0 if _usable() else _cards()
    if not count:
        return None
    there, them = ("an NVIDIA card is there", "it") if count == 1 else (f"{count} NVIDIA cards are there", "them")
    if torch.version.cuda is None:
        return f"{there}, but torch {torch.__version__} was built without CUDA, so the CPU computes; {INSTALL_HINT}"
    built = f"torch {torch.__version__} for CUDA {torch.version.cuda} cannot use {them}"
    return f"{there}, but {built}, so the CPU computes; update the driver, or take a torch for an older CUDA"


def _cards() -> int:
    """How many devices NVIDIA's driver counts; 0 where there is none of them, or no driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def names() -> list[str]:
    """Names of the CUDA devices, in order of device_id."""
    return [torch.cuda.get_device_name(i) for i in range(_usable())]


def _usable() -> int:
    """How many CUDA devices torch can use; a torch for AMD's answers by the same calls, and has none."""
    return torch.cuda.device_count() if torch.version.cuda and torch.cuda.is_available() else 0
