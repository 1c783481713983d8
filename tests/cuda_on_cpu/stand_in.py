"""Where the tests of CUDA code run: on a device where there is one, and everywhere on the CPU, which plays one."""

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
"""For a fixture: the same test twice, the second time on the first CUDA device."""


def place(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The device that tensors of a test belong on, until the test ends."""
    if kind == "emulated":
        install(monkeypatch)
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    with torch.cuda.stream(torch.cuda.Stream()):
        yield torch.device("cuda", 0)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs vsduf's CUDA code on the CPU's tensors until the test ends. Skips where there is no compiler."""
    if shutil.which(emulator.COMPILER) is None or sys.platform != "linux":
        pytest.skip(f"the emulator needs Linux and {emulator.COMPILER}")
    monkeypatch.setattr(runtime, "cupy", lambda: fakecupy)
    monkeypatch.setattr(runtime, "stream", fakecupy.Stream)
    monkeypatch.setattr(runtime, "use", lambda _: None)
    monkeypatch.setattr(runtime, "empty_cache", lambda: None)
    monkeypatch.setattr(launchers, "convolve", convolve)
    monkeypatch.setattr(
        launchers, "_kernel", functools.cache(launchers._kernel.__wrapped__)
    )  # what is compiled here stays here


def convolve(pixels, kernel, padding):
    """What `cuda.convolve` asks of cuDNN."""
    return F.conv2d(pixels[None].permute(0, 3, 1, 2), kernel, padding=padding).permute(0, 2, 3, 1)[0].contiguous()
