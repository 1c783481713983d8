"""Chooses the device that computes, and its precision.

torch is asked, and so imported, only where its build and the graphics driver leave a device to be found.
"""

from __future__ import annotations

import ctypes
import re
import reprlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsduf.engine.torch_build import torch_build
from vsduf.errors import DeviceError

if TYPE_CHECKING:
    import torch

CPU = -1
INSTALL_HINT = (
    "pip install --force-reinstall torch (where that brings a build without CUDA, as on Windows, "
    "follow the selector on pytorch.org)"
)
NAME = re.compile(r"(cpu|cuda|rocm|xpu|mps)(?::(\d+))?")
BUILDS = {  # kind of device -> what torch must have been built with
    "cuda": "CUDA, for NVIDIA cards",
    "rocm": "ROCm, for AMD cards",
    "xpu": "XPU, for Intel cards",
    "mps": "MPS, for Apple's processors",
}


@dataclass(frozen=True)
class DeviceChoice:
    """The device that computes. kind: "cpu" or a key of BUILDS. index: its number among those of its kind."""

    kind: str
    index: int
    fp16: bool

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU computes."""
        return self.kind == "cpu"

    @property
    def device_id(self) -> int:
        """The device's number, -1 for the CPU."""
        return CPU if self.on_cpu else self.index

    @property
    def name(self) -> str:
        """The device as torch names it: torch calls AMD's cards "cuda" too."""
        return "cpu" if self.on_cpu else f"{self.kind.replace('rocm', 'cuda')}:{self.index}"

    @property
    def device(self) -> torch.device:
        """The device as torch's object."""
        import torch

        return torch.device(self.name)


def choose_device(device_id: int | None = None, fp16: bool | None = None, device: str | None = None) -> DeviceChoice:
    """Resolves the defaults: the first CUDA device if torch can use one, else the CPU; half precision on all but CPUs.

    device_id: a CUDA device's number, -1 for the CPU. device: in its place a name, such as "cuda:1", "rocm", "xpu",
    "mps" or "cpu". fp16: half precision; the default leaves it out on the GTX 16 cards, where it fails.

    Raises DeviceError for a device that is not there or that torch cannot use, naming the remedy, and for half
    precision on the CPU.
    """
    kind, index = _asked(device_id, device)
    if kind == "cpu":
        if fp16:
            raise DeviceError("fp16 does not work on the CPU; leave fp16 out")
        return DeviceChoice("cpu", 0, False)
    asked = f"device is {device!r}" if device is not None else f"device_id is {index}"
    _check(kind, index, asked)
    half = _half_works(DeviceChoice(kind, index, True)) if fp16 is None else fp16
    return DeviceChoice(kind, index, half)


def _asked(device_id: int | None, device: str | None) -> tuple[str, int]:
    if device is not None and device_id is not None:
        raise DeviceError(f"device is {reprlib.repr(device)} and device_id is {device_id}; give one of them")
    if device is not None:
        found = NAME.fullmatch(device)
        if found is None or (found[1] in ("cpu", "mps") and int(found[2] or 0)):
            raise DeviceError(
                f'device is {reprlib.repr(device)}; it must be "cuda:0", "rocm:0", "xpu:0", "mps" or "cpu"'
            )
        return found[1], int(found[2] or 0)
    if device_id is None:
        usable = _usable()
        return ("cuda", usable[0]) if usable else ("cpu", 0)
    if device_id < CPU:
        raise DeviceError(f"device_id is {device_id}; it must be -1 for the CPU or the number of a CUDA device")
    return ("cpu", 0) if device_id == CPU else ("cuda", device_id)


def _check(kind: str, index: int, asked: str) -> None:
    build = torch_build()
    if not build.has(kind):
        hint = INSTALL_HINT if kind == "cuda" else "install another torch by the selector on pytorch.org"
        raise DeviceError(f"{asked}, but {build.without(BUILDS[kind].partition(',')[0])}; {hint}")
    count = _count(kind)
    if index >= count:
        found = f"there are {count}" if count else "torch finds none"
        name = kind.upper().replace("ROCM", "ROCm")
        raise DeviceError(f'{asked}, but of {name} devices {found}; set device="cpu" for the CPU')
    if kind == "cuda" and index not in _usable():
        from vsduf.engine import torch_devices

        raise DeviceError(f'{asked}, but {torch_devices.misfit(index)}; set device="cpu", or install an older torch')


def _half_works(choice: DeviceChoice) -> bool:
    from vsduf.engine import torch_devices

    return torch_devices.half_works(choice.kind, choice.index, choice.device)


def unusable_gpu() -> str | None:
    """Returns the warning for a computer whose graphics card stays idle while the CPU computes; else None.

    That is an NVIDIA card that this torch cannot use, or another one that `device` has to name.
    """
    if _usable():
        return None
    found = [kind for kind in BUILDS if _count(kind)]
    if not found:
        return _unreachable_card()
    from vsduf.engine import torch_devices

    kind = found[0]
    if kind == "cuda":
        return f"{torch_devices.misfit(0)}, so the CPU computes; install an older torch to use the card"
    return f'the CPU computes; device="{kind}" uses {torch_devices.card_name(kind, 0)}, which nobody has tried yet'


def _unreachable_card() -> str | None:
    """Returns the warning for NVIDIA cards that torch cannot reach; None if the driver counts none."""
    count = _driver_count()
    if not count:
        return None
    there, them = ("an NVIDIA card is there", "it") if count == 1 else (f"{count} NVIDIA cards are there", "them")
    build = torch_build()
    if build.cuda is None:
        return f"{there}, but {build.without('CUDA')}, so the CPU computes; {INSTALL_HINT}"
    built = f"torch {build.version} for CUDA {build.cuda} cannot use {them}"
    return f"{there}, but {built}, so the CPU computes; update the driver, or take a torch for an older CUDA"


def _driver_count() -> int:
    """Returns how many devices NVIDIA's driver counts, 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def names() -> list[str]:
    """Returns the devices besides the CPU, as `device` takes them and with the card's name: "cuda:0 NVIDIA ..."."""
    found = [(kind, index) for kind in BUILDS for index in range(_count(kind))]
    if not found:
        return []
    from vsduf.engine import torch_devices

    return [f"{kind}:{index} {torch_devices.card_name(kind, index)}" for kind, index in found]


def _usable() -> list[int]:
    """Returns the numbers of the CUDA devices that torch has kernels for."""
    count = _count("cuda")
    if not count:
        return []
    from vsduf.engine import torch_devices

    return [index for index in range(count) if torch_devices.fits(index)]


def _count(kind: str) -> int:
    """Returns how many devices of a kind torch finds; none, without importing torch, where there can be none."""
    if not torch_build().has(kind) or (kind == "cuda" and not _driver_count()):
        return 0
    from vsduf.engine import torch_devices

    return torch_devices.count(kind)
