"""tests/gpu/measure.py runs, as far as that can be seen without a device; its figures mean nothing here."""

import importlib.util
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cuda_on_cpu import stand_in

SCRIPT = Path(__file__).parent / "measure.py"


@pytest.fixture
def measure(monkeypatch):
    stand_in.install(monkeypatch)
    pytest.importorskip("triton")
    monkeypatch.setattr(sys, "path", [str(SCRIPT.parent), *sys.path])
    spec = importlib.util.spec_from_file_location("measure", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "measure", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DEVICE", torch.device("cpu"))
    monkeypatch.setattr(module, "SIZES", {"270p": (6, 8)})
    monkeypatch.setattr(module, "milliseconds", lambda work, repeats=1: [work() for _ in range(2)] and 1.0)
    monkeypatch.setattr(module, "replayed", module.milliseconds)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 1 << 20)
    return module


TRITON = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
import torch.nn.functional as F
from triton_convolution import WAYS, convolve, taps
x, kernel = torch.randn(9, 14, 128), torch.randn(40, 128, 3, 3) / 30
expected = F.conv2d(x.permute(2, 0, 1)[None], kernel, padding=1)[0].permute(1, 2, 0)
for way in WAYS:
    torch.testing.assert_close(convolve(x, taps(kernel), way), expected, atol=1e-5, rtol=0)
"""


def test_its_convolution_in_triton():
    pytest.importorskip("triton")
    interpreted = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", TRITON, str(SCRIPT.parent)], check=True, env=interpreted)


def test_its_rows(measure):
    found = [*measure.kernels(6, 8, 1e12), *measure.network(16, True, "270p", 1e12)]
    found += measure.network(16, False, "270p", 1e12)
    found.append(measure.engine(16, True, "270p", 2, frames=6))
    names = [path.stem for path in (SCRIPT.parents[2] / "kernels").glob("*.cu")]
    assert {row.what for row in found} >= {*names, "16 layers streaming 270p", "16 layers 270p"}
    assert all(row.value > 0 for row in found)
    assert measure.table(found).count("\n") == len(found) - 1


def test_its_fastest_way_in_triton(measure, monkeypatch):
    """What runs is in the place of Triton's kernel: one way asks for too much, another would be wrong."""
    pixels, kernel = torch.randn(5, 6, 96), torch.randn(40, 96, 3, 3)
    used = []

    def convolve(x, weights, way):
        assert x.shape[2] % way.channels == 0
        if way is measure.WAYS[0]:
            raise measure.OutOfResources(2, 1, "shared memory")
        used.append(way)
        return measure.launchers.convolve(x, kernel, 1)

    monkeypatch.setattr(measure, "convolve_in_triton", convolve)
    row = measure.in_triton(pixels, kernel)
    assert {str(way) for way in used} == {str(way) for way in measure.WAYS[1:] if way.channels == 32}
    assert str(used[0]) in row.note
    monkeypatch.setattr(measure, "convolve_in_triton", lambda x, *_: torch.zeros(5, 6, 40))
    with pytest.raises(AssertionError, match="not close"):
        measure.in_triton(pixels, kernel)


def test_its_shares_of_time(measure, monkeypatch):
    seen = [SimpleNamespace(key=name, self_device_time_total=time) for name, time in (("a", 20), ("b", 70), ("c", 10))]
    profiled = nullcontext(SimpleNamespace(key_averages=lambda: seen))
    monkeypatch.setattr(torch.profiler, "profile", lambda activities: profiled)
    found = [(row.what, row.value, row.note) for row in measure.shares(16, "270p", pictures=2, most=2)]
    assert found == [
        ("16 layers streaming 270p: b", 35, "70% of the device's time"),
        ("16 layers streaming 270p: a", 10, "20% of the device's time"),
    ]


@pytest.mark.parametrize(("layers", "megas"), [(16, 1.73), (52, 4.5)])
def test_its_multiply_adds(measure, layers, megas):
    steady = measure.Steady(measure.DufConfig.of_depth(layers, 4, streaming=True), 6, 8)
    assert steady.multiply_adds() / 48 / 1e6 == pytest.approx(megas, rel=0.02)
