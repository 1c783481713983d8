"""`vsduf bench` on tiny frames: which filters run, that all make the same frames, and what is written. No timings."""

import json
import math
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import vapoursynth as vs

from vsduf.bench import contenders, report, rounds
from vsduf.bench.content import bench_footage, bench_weights
from vsduf.cli.main import main
from vsduf.network.duf import DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample

PEERS = all(hasattr(vs.core, name) for name in contenders.PEERS) and find_spec("onnx") is not None
SMALL = ["bench", "--size", "18x12", "--frames", "1", "--device-id", "-1"]


def contender(name, form="paper", value=0.0, half=False):
    return contenders.Contender(name, form, lambda first, count: [np.full((4, 4), value)] * 3, half)


def results(*given):
    """Results of (name, form, seconds a frame in each round)."""
    return [rounds.Result(contender(name, form), list(seconds)) for name, form, seconds in given]


def test_both_forms_make_the_plain_networks_frames(tmp_path, capsys):
    assert main([*SMALL, "--size", "18x12", "9x11", "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert [trial["size"] for trial in found["trials"]] == [[18, 12], [9, 11]]
    for trial in found["trials"]:
        assert [(r["filter"], r["form"]) for r in trial["results"]] == [
            (name, form) for form in ("streaming", "paper") for name in (contenders.VSDUF, contenders.PLAIN)
        ]
        assert trial["sgemm_gflops"] > 0
        assert [r["share_of_sgemm"] is not None for r in trial["results"]] == [True, False, True, False]
        assert all(r["psnr_to_vsduf"] is None or r["psnr_to_vsduf"] > rounds.EQUAL for r in trial["results"])
    assert found["options"]["layers"] == [16] and found["machine"]["cores"] >= 1 and found["machine"]["processor"]
    printed = capsys.readouterr().out
    assert (
        "18x12 x4, 16 layers" in printed
        and "9x11 x4, 16 layers" in printed
        and printed.count(f"\n{contenders.VSDUF} ") == 4
    )


@pytest.mark.skipif(not PEERS, reason="needs vapoursynth-mlrt-ov, vapoursynth-mlrt-ort and onnx: vsduf[bench]")
@pytest.mark.parametrize("form", ["streaming", "paper"])
def test_peers_make_the_same_frames(form, capsys):
    assert main([*SMALL, "--peers", "--form", form, "--scale", "2"]) == 0
    printed = capsys.readouterr().out
    assert all(f"core.{name}.Model" in printed for name in contenders.PEERS)


def test_a_missing_peer_is_named_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "PEERS", {"nosuch": contenders.Peer(True, True)})
    assert main([*SMALL, "--peers"]) == 1
    assert capsys.readouterr().err.endswith("vsduf: VapourSynth has no core.nosuch; pip install 'vsduf[bench]'\n")


MACHINE = {"device": "CPU", "processor": "a processor", "torch_threads": 2, "vsduf": "1.2.3"}


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="a chart needs matplotlib")
def test_chart_shows_every_median_and_best_round():
    found = results(("a", "paper", [1, 2, 4]), (contenders.VSDUF, "streaming", [0.5, 0.25, 0.5]))
    trials = [report.Trial(layers, "full", (160, 90), 4, found) for layers in (16, 52)]
    figure = report.chart(trials, MACHINE)
    assert len(figure.axes) == 2
    for axes, layers in zip(figure.axes, (16, 52), strict=True):
        assert [bar.get_width() for bar in axes.patches] == [0.5, 2]
        assert list(axes.lines[0].get_xdata()) == [1, 4]
        assert [label.get_text() for label in axes.get_yticklabels()] == [
            "a, paper form",
            "core.duf.Upscale, streaming form",
        ]
        assert axes.get_title() == (
            f"core.duf.Upscale makes 8.0 times as many frames per second as a, paper form\n160x90 x4, {layers} layers"
        )
    assert figure.get_suptitle() == "a processor, 2 threads, vsduf 1.2.3"


def test_the_finding_without_another_filter():
    trial = report.Trial(16, "light", (9, 8), 2, results((contenders.VSDUF, "streaming", [0.5])))
    assert report.finding(trial) == "core.duf.Upscale: 2.00 frames per second"
    assert trial.title == "9x8 x2, 16 layers, light"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frames", "0"], "--frames is 0; it must be 1 or more"),
        (["--json", "nowhere/out.json"], "nowhere is no folder; make it first"),
        (["--device-id", "-2"], "device_id is -2; "),
        (["--width", "light", "--layers", "28"], "--width light is for 16 layers; leave --layers out"),
    ],
)
def test_refusals(words, said, capsys):
    assert main([*SMALL, *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("size", ["160", "x90", "0x90", "16x9x4", "-1x3"])
def test_a_malformed_size_is_refused(size, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["bench", f"--size={size}"])
    assert "is not a size such as 320x180" in capsys.readouterr().err


def test_all_filters_make_the_same_frames_in_turn():
    calls = []

    def make(name):
        return contenders.Contender(name, "paper", lambda *span: calls.append((name, *span)) or [np.zeros((2, 2))] * 3)

    found = rounds.measure([make(contenders.VSDUF), make("a")], 2, 3)
    assert calls == [(name, first, 3) for first in (0, 3, 6) for name in (contenders.VSDUF, "a")]
    assert [len(r.seconds) for r in found] == [2, 2]  # the first round is not counted
    assert found[1].decibels == math.inf


def test_frames_that_differ_are_found():
    everyone = [contender(contenders.VSDUF), contender("near", value=0.9e-3), contender("far", value=1.1e-3)]
    found = rounds.measure(everyone, 1, 1)
    assert [r.decibels for r in found] == [None, pytest.approx(60.9, abs=0.1), pytest.approx(59.2, abs=0.1)]
    assert [r.contender.name for r in rounds.unequal(found)] == ["far"]
    found[2].contender = contender("far", half=True)
    assert rounds.unequal(found) == []
    found[1].decibels = math.nan
    assert rounds.unequal(found) == [found[1]]


def test_unequal_frames_fail_the_command(monkeypatch, capsys):
    monkeypatch.setattr(
        contenders, "plain_torch", lambda source, weights, device: contender("plain", value=np.zeros((4, 4)))
    )
    monkeypatch.setattr(contenders, "upscale_filter", lambda clip, weights, *_: contender(contenders.VSDUF, value=0.5))
    assert main([*SMALL, "--form", "paper"]) == 1
    assert (
        "plain, paper form, makes other frames than core.duf.Upscale: 6.0 dB; its times do not count"
        in capsys.readouterr().err
    )


def test_ratios_are_of_rounds_not_of_medians():
    ours, rival = results((contenders.VSDUF, "paper", [1, 2, 9]), ("a", "paper", [4, 4, 9]))
    assert ours.ratio_to(rival) == 2 and rival.ratio_to(ours) == 0.5
    assert (ours.median, ours.best) == (0.5, 1)


def test_table_compares_with_the_fastest_of_the_others():
    found = results(
        (contenders.VSDUF, "streaming", [1, 1]),
        (contenders.PLAIN, "streaming", [0.1, 0.1]),  # not a peer: counts only where there is none
        ("core.ov.Model", "streaming", [3, 3]),
        ("core.ort.Model", "streaming", [4, 4]),
        (contenders.VSDUF, "paper", [2, 2]),
        ("core.ov.Model", "paper", [7, 7]),
        ("core.ort.Model", "paper", [5, 5]),
    )
    assert report.fastest(found, "streaming") is found[2] and report.fastest(found, "paper") is found[6]
    assert report.fastest(found[:2], "streaming") is found[1]
    first = report.table(found).splitlines()[1].split()
    assert first == [contenders.VSDUF, "streaming", "1.00", "1.00", "5.00", "3.00"]


def test_footage_moves_and_is_the_same_every_time():
    frames = bench_footage(4, 24, 32)
    assert frames.shape == (4, 3, 24, 32) and frames.dtype == np.float32
    assert frames.min() >= 0 and frames.max() <= 1 and frames.std() > 0.1
    assert np.array_equal(frames, bench_footage(4, 24, 32))
    np.testing.assert_allclose(frames[3, :, 1:, 2:], frames[0, :, :-1, :-2], atol=0.02)


def test_weights_are_conditioned_like_trained_ones():
    weights = bench_weights(DufConfig(4, 4, 8))
    window = torch.from_numpy(bench_footage(7, 48, 64)).transpose(0, 1)[None]
    with torch.inference_mode():
        logits, residual = weights.network()(window)
        picture = dynamic_upsample(window[:, :, 3], logits, residual)
    assert 1 < logits.std() < 4 and 0.01 < residual.std() < 0.04
    assert picture.min() > -0.5 and picture.max() < 1.5


def test_narrow_networks_are_measured_too(tmp_path):
    words = ["--width", "light", "--form", "streaming", "--json", str(tmp_path / "out.json")]
    assert main([*SMALL, *words]) == 0
    (trial,) = json.loads((tmp_path / "out.json").read_text())["trials"]
    assert trial["width"] == "light" and trial["results"][1]["psnr_to_vsduf"] > rounds.EQUAL


def test_a_refusal_does_not_wait_for_torch():
    script = (
        "import sys; from vsduf.cli.main import main; assert main(sys.argv[1:]) == 1; assert 'torch' not in sys.modules"
    )
    for words in (["bench", "--device-id", "-2"], ["bench", "--json", "nowhere/out.json"]):
        subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True)
