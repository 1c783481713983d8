"""Puts the emulator where vsduf looks for CuPy and a device."""

from __future__ import annotations

import functools
import shutil
import sys

import pytest

from cuda_on_cpu import emulator, fakecupy
from vsduf import cuda


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, vsduf.cuda launches its kernels on the CPU's tensors. Skips where nothing compiles them."""
    if shutil.which(emulator.COMPILER) is None or sys.platform != "linux":
        pytest.skip(f"the emulator needs Linux and {emulator.COMPILER}")
    monkeypatch.setattr(cuda, "cupy", lambda: fakecupy)
    monkeypatch.setattr(cuda, "stream", fakecupy.Stream)
    fakecupy.copies.clear()
    monkeypatch.setattr(cuda, "_kernel", functools.cache(cuda._kernel.__wrapped__))  # what is compiled here stays here
