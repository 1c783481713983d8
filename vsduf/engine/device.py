"""Chooses the device that computes, and its precision."""

from __future__ import annotations

import ctypes
import re
import reprlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from vsduf.errors import DeviceError

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
HALF_ERROR = 0.01  # largest error of a sum of 576 products of numbers below 1
HALF_FAILS = "GTX 16"  # cuDNN's half-precision convolutions give NaN on these cards


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
    def device(self) -> torch.device:
        """The device as torch names it: torch calls AMD's cards "cuda" too."""
        return torch.device("cpu") if self.on_cpu else torch.device(self.kind.replace("rocm", "cuda"), self.index)


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
        usable = [index for index in range(_count("cuda")) if _fits(index)]
        return ("cuda", usable[0]) if usable else ("cpu", 0)
    if device_id < CPU:
        raise DeviceError(f"device_id is {device_id}; it must be -1 for the CPU or the number of a CUDA device")
    return ("cpu", 0) if device_id == CPU else ("cuda", device_id)


def _check(kind: str, index: int, asked: str) -> None:
    if not _built_with(kind):
        hint = INSTALL_HINT if kind == "cuda" else "install another torch by the selector on pytorch.org"
        raise DeviceError(
            f"{asked}, but torch {torch.__version__} was built without {BUILDS[kind].partition(',')[0]}; {hint}"
        )
    count = _count(kind)
    if index >= count:
        found = f"there are {count}" if count else "torch finds none"
        name = kind.upper().replace("ROCM", "ROCm")
        raise DeviceError(f'{asked}, but of {name} devices {found}; set device="cpu" for the CPU')
    if kind == "cuda" and not _fits(index):
        raise DeviceError(f'{asked}, but {_misfit(index)}; set device="cpu", or install an older torch')


def _half_works(choice: DeviceChoice) -> bool:
    """Tells whether half precision is right on a device: by name for CUDA, by a small convolution for others."""
    if choice.kind == "cuda":
        return HALF_FAILS not in _card_names("cuda")[choice.index]
    pixels = torch.linspace(-1, 1, 64 * 12 * 12).sin().view(1, 64, 12, 12)
    kernel = torch.linspace(-20, 20, 32 * 64 * 9).sin().view(32, 64, 3, 3) / 24
    half = F.conv2d(pixels.to(choice.device, torch.float16), kernel.to(choice.device, torch.float16), padding=1)
    return bool(((half.float().cpu() - F.conv2d(pixels, kernel, padding=1)).abs() < HALF_ERROR).all())


def unusable_gpu() -> str | None:
    """Returns the warning for a computer whose graphics card stays idle while the CPU computes; else None.

    That is an NVIDIA card that this torch cannot use, or another one that `device` has to name.
    """
    if any(_fits(index) for index in range(_count("cuda"))):
        return None
    if _count("cuda"):
        return f"{_misfit(0)}, so the CPU computes; install an older torch to use the card"
    for kind in ("rocm", "xpu", "mps"):
        if _count(kind):
            return f'the CPU computes; device="{kind}" uses {_card_names(kind)[0]}, which nobody has tried yet'
    return _unreachable_card()


def _unreachable_card() -> str | None:
    """Returns the warning for NVIDIA cards that torch cannot reach; None if the driver counts none."""
    count = _driver_count()
    if not count:
        return None
    there, them = ("an NVIDIA card is there", "it") if count == 1 else (f"{count} NVIDIA cards are there", "them")
    if torch.version.cuda is None:
        return f"{there}, but torch {torch.__version__} was built without CUDA, so the CPU computes; {INSTALL_HINT}"
    built = f"torch {torch.__version__} for CUDA {torch.version.cuda} cannot use {them}"
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
    return [f"{kind}:{i} {name}" for kind in BUILDS for i, name in enumerate(_card_names(kind))]


def _card_names(kind: str) -> list[str]:
    if kind == "mps":
        return ["Apple's GPU"] * _count(kind)
    name: Callable[[int], str] = torch.xpu.get_device_name if kind == "xpu" else torch.cuda.get_device_name
    return [str(name(index)) for index in range(_count(kind))]


def _count(kind: str) -> int:
    """Returns how many devices of a kind torch finds."""
    if not _built_with(kind):
        return 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = torch.xpu if kind == "xpu" else torch.cuda
    return int(module.device_count()) if module.is_available() else 0


def _built_with(kind: str) -> bool:
    if kind == "mps":
        return bool(torch.backends.mps.is_built())
    versions = {"cuda": torch.version.cuda, "rocm": torch.version.hip, "xpu": torch.version.xpu}
    return versions[kind] is not None


def _fits(index: int) -> bool:
    """Tells whether torch has kernels for a CUDA device: those of an older card's capability run on newer ones."""
    return torch.cuda.get_device_capability(index) >= _lowest_capability()


def _misfit(index: int) -> str:
    found, least = (".".join(map(str, c)) for c in (torch.cuda.get_device_capability(index), _lowest_capability()))
    name = torch.cuda.get_device_name(index)
    return f"{name} has compute capability {found} and torch {torch.__version__} needs {least}"


def _lowest_capability() -> tuple[int, int]:
    """Returns the lowest compute capability that this torch has kernels for; "sm_75" stands for 7.5."""
    numbers = [int(found[1]) for arch in torch.cuda.get_arch_list() if (found := re.match(r"sm_(\d+)", arch))]
    return divmod(min(numbers, default=0), 10)
