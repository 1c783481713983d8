"""Where the tests of CUDA code run: emulated on the CPU, and on a device if there is one."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from cuda_on_cpu import emulator, fakecupy
from vsduf.engine.cuda import launchers, runtime

BOTH = ["emulated", pytest.param("device", marks=pytest.mark.gpu)]
"""Parameters of a fixture: each test runs emulated, and once more on the first CUDA device."""


def place(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Yields the device for the tensors of a test; undone when the test ends."""
    if kind == "emulated":
        install(monkeypatch)
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    with torch.cuda.stream(torch.cuda.Stream()):
        yield torch.device("cuda", 0)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the CUDA code on tensors of the CPU until the test ends. Skips the test if there is no compiler."""
    if shutil.which(emulator.COMPILER) is None or sys.platform != "linux":
        pytest.skip(f"the emulator needs Linux and {emulator.COMPILER}")
    monkeypatch.setattr(runtime, "cupy", lambda: fakecupy)
    monkeypatch.setattr(runtime, "stream", fakecupy.Stream)
    monkeypatch.setattr(runtime, "use", lambda _: None)
    monkeypatch.setattr(runtime, "empty_cache", lambda: None)
    monkeypatch.setattr(launchers, "convolve", convolve)
    forget_kernels(monkeypatch)


def convolve(pixels, kernel, padding):
    """Convolves as `launchers.convolve` does, by torch's convolution for the CPU."""
    return F.conv2d(pixels[None].permute(0, 3, 1, 2), kernel, padding=padding).permute(0, 2, 3, 1)[0].contiguous()


def forget_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the test a cache of compiled kernels of its own."""
    monkeypatch.setattr(launchers, "kernel", functools.cache(launchers.kernel.__wrapped__))
