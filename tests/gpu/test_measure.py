"""The measurements as far as they can be tested without a device: what they run, and what they derive from times."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cuda_on_cpu import stand_in

pytest.importorskip("triton")
from gpu import alternatives, bench, computed, measure, steady
from gpu.triton_convolution import WAYS
from triton.runtime.errors import OutOfResources

from vsduf.engine.cuda import launchers
from vsduf.network.duf import DufConfig

HEIGHT, WIDTH = 6, 8


class OneMillisecond(bench.Bench):
    """The CPU in the device's place; each call runs once and takes a millisecond."""

    device = torch.device("cpu")

    def milliseconds(self, work, repeats=1):
        work()
        return 1.0

    def replayed(self, work, calls=1):
        return self.milliseconds(work)

    def synchronize(self):
        pass

    def peak_bytes(self, work):
        work()
        return 3 << 20


@pytest.fixture
def clock(monkeypatch):
    stand_in.install(monkeypatch)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 << 30, 9 << 30))
    monkeypatch.setitem(bench.SIZES, "270p", (HEIGHT, WIDTH))
    return OneMillisecond()


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


def test_the_convolution_in_triton():
    interpreted = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", TRITON, str(Path(__file__).parent)], check=True, env=interpreted)


def test_every_kernel_has_a_row_with_its_bytes_and_its_floor(clock):
    found = {row.what: row for row in measure.kernels(clock, HEIGHT, WIDTH, bandwidth=1e9)}
    assert set(found) == {path.stem for path in launchers.folder().glob("*.cu")}
    row = found["bias_relu"]
    assert row.value == 1000
    assert row.share == pytest.approx(4 * 256 * 48 / 1e9 / 1e-3)
    assert row.note == f"{4 * 256 * 48 / 1e6:.0f} GB/s"


@pytest.mark.parametrize(("layers", "megas"), [(16, 1.73), (52, 4.5)])
def test_the_networks_rate_is_its_multiply_adds_in_the_time(clock, layers, megas):
    config = DufConfig.of_depth(layers, 4, streaming=True)
    made = steady.Steady(config, HEIGHT, WIDTH, clock.device)
    assert made.multiply_adds() / 48 / 1e6 == pytest.approx(megas, rel=0.02)
    (row,) = measure.network(clock, layers, True, "270p", peak=1e12)
    assert row.what == f"{layers} layers streaming 270p"
    assert row.value == 1000
    assert row.share == pytest.approx(2 * made.multiply_adds() * 1e3 / 1e12)
    assert row.note.endswith("3 MiB")


def test_the_engine_counts_its_frames(clock):
    row = measure.engine(clock, 16, "270p", 2, frames=6, threads=3)
    assert row.what == "engine 16 layers streaming 270p, 2 streams, 3 threads"
    assert "cores busy" in row.note


def test_few_channels_are_computed_both_ways(clock, monkeypatch):
    monkeypatch.setattr(torch, "cudnn_convolution", lambda *_: None)
    monkeypatch.setattr(alternatives, "in_triton", lambda *_: bench.Row("Triton", 1, "us"))
    names = [row.what for row in alternatives.convolutions(clock, HEIGHT, WIDTH)]
    assert "3x3, 256 -> 16, by rule" in names
    assert "3x3, 256 -> 16, product and shift_add" in names


def test_the_fastest_way_in_triton(clock, monkeypatch):
    """One way asks for too much shared memory; a wrong result is an error."""
    pixels, kernel = torch.randn(5, 6, 96), torch.randn(40, 96, 3, 3)
    used = []

    def convolve(x, weights, way):
        assert x.shape[2] % way.channels == 0
        if way is WAYS[0]:
            raise OutOfResources(2, 1, "shared memory")
        used.append(way)
        return launchers.convolve(x, kernel, 1)

    monkeypatch.setattr(alternatives, "convolve_in_triton", convolve)
    row = alternatives.in_triton(clock, pixels, kernel)
    assert {str(way) for way in used} == {str(way) for way in WAYS[1:] if way.channels == 32}
    assert str(used[0]) in row.note
    monkeypatch.setattr(alternatives, "convolve_in_triton", lambda x, *_: torch.zeros(5, 6, 40))
    with pytest.raises(AssertionError, match="not close"):
        alternatives.in_triton(clock, pixels, kernel)


def test_the_kernels_shares_of_the_time():
    events = [
        SimpleNamespace(key=name, self_device_time_total=time) for name, time in (("a", 20), ("b", 70), ("c", 10))
    ]
    found = [(row.what, row.value, row.note) for row in measure.shared("16 layers", events, pictures=2, most=2)]
    assert found == [
        ("16 layers: b", 35, "70% of the device's time"), ("16 layers: a", 10, "20% of the device's time"),
    ]  # fmt: skip


def test_the_table_holds_measured_figures_to_the_computed_ones():
    figures = computed.figures("NVIDIA GeForce RTX 4060")
    assert set(figures) == set(computed.ROWS)
    assert computed.figures("NVIDIA T4") == {}
    row = bench.Row("dynamic_filter", 962, "us", 0.5, "250 GB/s")
    assert bench.table([row], figures) == (
        "dynamic_filter      962.0 us       50%  computed    481.0,  2.00 of it 250 GB/s"
    )
