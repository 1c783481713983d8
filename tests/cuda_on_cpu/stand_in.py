"""Where the tests of CUDA code run: emulated on the CPU, and on a device if there is one."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cuda_on_cpu import emulator, fakecupy
from cuda_on_cpu.fakecupy import simulation
from vsduf.engine.cuda import launchers, runtime

BOTH = ["emulated", pytest.param("device", marks=pytest.mark.gpu)]
"""Parameters of a fixture: each test runs emulated, and once more on the first CUDA device."""

QUEUED = ["planes_to_window", "join", "accumulate", "shift_add", "bias_relu", "dynamic_filter", "matmul_relu", "matmul"]


def place(kind: str, monkeypatch: pytest.MonkeyPatch, order: str | int = "at once") -> Iterator[torch.device]:
    """Yields the device for the tensors of a test; undone when the test ends. order: see `fakecupy`."""
    if kind == "emulated":
        install(monkeypatch, order)
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    with torch.cuda.stream(torch.cuda.Stream()):
        yield torch.device("cuda", 0)


def install(monkeypatch: pytest.MonkeyPatch, order: str | int = "at once") -> None:
    """Runs the CUDA code on tensors of the CPU until the test ends. Skips the test if there is no compiler."""
    if shutil.which(emulator.COMPILER) is None or sys.platform != "linux":
        pytest.skip(f"the emulator needs Linux and {emulator.COMPILER}")
    simulation.reset(order)
    monkeypatch.setattr(runtime, "cupy", lambda: fakecupy)
    monkeypatch.setattr(runtime, "stream", fakecupy.current_stream)
    monkeypatch.setattr(runtime, "use", lambda _: None)
    monkeypatch.setattr(runtime, "on_device", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(runtime, "empty_cache", lambda: None)
    monkeypatch.setattr(runtime, "empty_planes", _in_use_before(runtime.empty_planes))
    for name in QUEUED:
        monkeypatch.setattr(launchers, name, _queued(getattr(launchers, name)))
    monkeypatch.setattr(launchers, "convolve", convolve)
    forget_kernels(monkeypatch)


def forget_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the test a cache of compiled kernels of its own."""
    monkeypatch.setattr(launchers, "kernel", functools.cache(launchers.kernel.__wrapped__))


def convolve(pixels: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Queues what `launchers.convolve` computes, by torch's convolution for the CPU."""
    height, width, _ = pixels.shape
    made = torch.empty(height + 2 * padding - 2, width + 2 * padding - 2, len(kernel), dtype=pixels.dtype)

    def compute() -> None:
        made[:] = F.conv2d(pixels[None].permute(0, 3, 1, 2), kernel, padding=padding).permute(0, 2, 3, 1)[0]

    fakecupy.current_stream().enqueue(compute)
    return made


def _queued(launcher: Callable[..., None]) -> Callable[..., None]:
    """A launcher whose tensors live until its work is done, as a device's memory does."""

    def call(*args: object) -> None:
        fakecupy.current_stream().enqueue(functools.partial(launcher, *args))

    return call


def _in_use_before(empty: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Memory that work queued on the current stream is still going to write: torch hands out such memory."""

    def call(*args: object) -> Tensor:
        planes = empty(*args)
        fakecupy.current_stream().enqueue(lambda: planes.view(torch.uint8).fill_(77))
        return planes

    return call
