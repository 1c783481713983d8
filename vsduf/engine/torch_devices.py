"""The devices that torch finds; importing this module imports torch."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F

HALF_ERROR = 0.01  # largest error of a sum of 576 products of numbers below 1
HALF_FAILS = "GTX 16"  # cuDNN's half-precision convolutions give NaN on these cards


def count(kind: str) -> int:
    """Returns how many devices torch finds of a kind that it was built for: "cuda", "rocm", "xpu" or "mps"."""
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = torch.xpu if kind == "xpu" else torch.cuda
    return int(module.device_count()) if module.is_available() else 0


def card_name(kind: str, index: int) -> str:
    """Returns a card's name."""
    if kind == "mps":
        return "Apple's GPU"
    name: Callable[[int], str] = torch.xpu.get_device_name if kind == "xpu" else torch.cuda.get_device_name
    return str(name(index))


def fits(index: int) -> bool:
    """Tells whether torch has kernels for a CUDA device: those of an older card's capability run on newer ones."""
    return torch.cuda.get_device_capability(index) >= _lowest_capability()


def misfit(index: int) -> str:
    """Returns what keeps torch from using a CUDA device that does not fit."""
    found, least = (".".join(map(str, c)) for c in (torch.cuda.get_device_capability(index), _lowest_capability()))
    name = torch.cuda.get_device_name(index)
    return f"{name} has compute capability {found} and torch {torch.__version__} needs {least}"


def half_works(kind: str, index: int, device: torch.device) -> bool:
    """Tells whether half precision is right on a device: by name for CUDA, by a small convolution for others."""
    if kind == "cuda":
        return HALF_FAILS not in card_name(kind, index)
    pixels = torch.linspace(-1, 1, 64 * 12 * 12).sin().view(1, 64, 12, 12)
    kernel = torch.linspace(-20, 20, 32 * 64 * 9).sin().view(32, 64, 3, 3) / 24
    half = F.conv2d(pixels.to(device, torch.float16), kernel.to(device, torch.float16), padding=1)
    return bool(((half.float().cpu() - F.conv2d(pixels, kernel, padding=1)).abs() < HALF_ERROR).all())


def _lowest_capability() -> tuple[int, int]:
    """Returns the lowest compute capability that this torch has kernels for; "sm_75" stands for 7.5."""
    numbers = [int(found[1]) for arch in torch.cuda.get_arch_list() if (found := re.match(r"sm_(\d+)", arch))]
    return divmod(min(numbers, default=0), 10)
