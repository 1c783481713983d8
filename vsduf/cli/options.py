"""Arguments and checks that several commands have in common."""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import sys

from vsduf.errors import ArgumentError, DeviceError

CPU = -1  # as a device_id


def add_model(parser: argparse._ActionsContainer, default: str = "the best one for the scale") -> None:
    """Adds --model. default: what is taken without it."""
    parser.add_argument(
        "--model", metavar="MODEL", help=f"a bundled model's name or a weights file (default: {default})"
    )


def add_device(parser: argparse._ActionsContainer) -> None:
    """Adds --device-id, --device and --fp16."""
    parser.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )
    parser.add_argument("--device", metavar="NAME", help="cuda:0, rocm (AMD), xpu (Intel), mps (Apple) or cpu")
    parser.add_argument(
        "--fp16",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="half precision (default: on GPUs where it works; not possible on the CPU)",
    )


def parse_size(text: str) -> tuple[int, int]:
    """Returns width and height of an argument such as "320x180"."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 320x180")
    return int(width), int(height)


def check_device(device_id: int | None, fp16: bool | None = None, device: str | None = None) -> None:
    """Raises DeviceError for devices that cannot be had, as far as that shows before torch is loaded."""
    if device is not None and device_id is not None:
        raise DeviceError(f"device is {device!r} and device_id is {device_id}; give one of them")
    if device_id is not None and device_id < CPU:
        raise DeviceError(f"device_id is {device_id}; it must be -1 for the CPU or the number of a CUDA device")
    if (device_id == CPU or device == "cpu") and fp16:
        raise DeviceError("fp16 does not work on the CPU; leave fp16 out")
    if device_id is not None and device_id >= 0 and not _nvidia_driver():
        raise DeviceError(f"device_id is {device_id}, but there is no NVIDIA driver; set device_id=-1 for the CPU")


def _nvidia_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def check_matplotlib() -> None:
    """Raises ArgumentError if matplotlib, which draws every picture, is missing; call it before the work."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError("drawing needs the package matplotlib; pip install 'vsduf[train]'")
