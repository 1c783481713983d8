"""CuPy's import and its faults, and devices that are left as they were; none of it needs a GPU."""

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cuda_on_cpu import fakecupy
from helpers.cuda import Choice

from vsduf.engine import device, engine
from vsduf.engine.cuda import runtime
from vsduf.errors import DeviceError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setenv("CUPY_CACHE_DIR", "")
    monkeypatch.delenv("CUPY_CACHE_DIR")
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    cupy = runtime.cupy
    cupy.cache_clear()
    yield
    cupy.cache_clear()


def test_cupy_missing_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r'pip install "cupy-cuda13x\[ctk\]"'):
        runtime.cupy()
    assert "need CuPy" in runtime.problem()


def test_cupy_for_another_cuda_names_both_commands(monkeypatch):
    monkeypatch.setattr(runtime, "cupy", lambda: fakecupy)
    monkeypatch.setattr(fakecupy.runtime, "runtimeGetVersion", lambda: 12090)
    assert runtime.problem() == (
        'CuPy is for CUDA 12, torch for CUDA 13; pip uninstall cupy-cuda12x, pip install "cupy-cuda13x[ctk]"'
    )
    monkeypatch.setattr(fakecupy.runtime, "runtimeGetVersion", lambda: 13000)
    assert runtime.problem() is None


@pytest.mark.parametrize("home", ["file", "folder"])
def test_a_home_that_cannot_be_written_gets_a_temporary_cache(home, monkeypatch, tmp_path):
    """CuPy creates its cache folder while it is imported."""
    blocked = tmp_path / "home"
    if home == "file":
        blocked.write_text("")
    else:
        (blocked / ".cupy").mkdir(parents=True)
        (blocked / ".cupy" / "kernel_cache").write_text("")
    monkeypatch.setenv("HOME", str(blocked))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace())
    runtime.cupy()
    chosen = Path(os.environ["CUPY_CACHE_DIR"])
    (chosen / "kernel").write_text("it can be written")
    assert chosen.is_dir()


def test_a_home_that_can_be_written_is_left_to_cupy(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace())
    runtime.cupy()
    assert "CUPY_CACHE_DIR" not in os.environ


def test_the_device_is_left_by_torchs_guard_alone(monkeypatch):
    """CuPy's guard would set device 0 again, and so create a context there."""
    seen = []

    @contextlib.contextmanager
    def guard(_):
        seen.append("torch's guard begins")
        yield
        seen.append("torch's guard ends")

    class Device:
        def __init__(self, number):
            self.number = number

        def use(self):
            seen.append(f"CuPy uses {self.number}")

        def __enter__(self):
            raise AssertionError("CuPy's guard sets the previous device")

    monkeypatch.setattr(torch.cuda, "device", guard)
    monkeypatch.setattr(runtime, "cupy", lambda: SimpleNamespace(cuda=SimpleNamespace(Device=Device)))
    with runtime.on_device(torch.device("cuda", 1)):
        seen.append("work")
    assert seen == ["torch's guard begins", "CuPy uses 1", "work", "torch's guard ends"]


def test_without_cupy_plain_torch_computes_after_one_warning(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(device, "choose_device", lambda *_: Choice("cuda", 0, False))
    monkeypatch.setattr(engine, "_warned", set())
    warnings = []
    for _ in range(2):
        opened = engine.open_engine(None, 4, 16, 16, warn=warnings.append)
        assert opened.at_once == 2
        opened.close()
    assert len(warnings) == 1
    assert "need CuPy" in warnings[0]
    assert "plain torch computes, more slowly" in warnings[0]
