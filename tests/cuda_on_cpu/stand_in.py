"""Puts the emulator where vsduf looks for CuPy and a device."""

from __future__ import annotations

import functools
import shutil
import sys

import pytest
import torch.nn.functional as F

from cuda_on_cpu import emulator, fakecupy
from vsduf import cuda


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, vsduf.cuda launches its kernels on the CPU's tensors. Skips where nothing compiles them."""
    if shutil.which(emulator.COMPILER) is None or sys.platform != "linux":
        pytest.skip(f"the emulator needs Linux and {emulator.COMPILER}")
    monkeypatch.setattr(cuda, "cupy", lambda: fakecupy)
    monkeypatch.setattr(cuda, "stream", fakecupy.Stream)
    monkeypatch.setattr(cuda, "use", lambda _: None)
    monkeypatch.setattr(cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(cuda, "convolve", convolve)
    fakecupy.copies.clear()
    monkeypatch.setattr(cuda, "_kernel", functools.cache(cuda._kernel.__wrapped__))  # what is compiled here stays here


def convolve(pixels, kernel, padding):
    """What `cuda.convolve` asks of cuDNN."""
    return F.conv2d(pixels[None].permute(0, 3, 1, 2), kernel, padding=padding).permute(0, 2, 3, 1)[0].contiguous()
