"""`vsduf bench` on tiny frames: who takes part, that all give the same frames, and what is written. No timings."""

import json
import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import vapoursynth as vs

from vsduf.bench import contenders, report, rounds
from vsduf.bench.content import footage, random_weights
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


def test_both_forms_give_the_plain_networks_frames(tmp_path, capsys):
    assert main([*SMALL, "--size", "18x12", "9x11", "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert [trial["size"] for trial in found["trials"]] == [[18, 12], [9, 11]]
    for trial in found["trials"]:
        assert [(r["filter"], r["form"]) for r in trial["results"]] == [
            (name, form) for form in ("streaming", "paper") for name in (contenders.OURS, contenders.PLAIN)
        ]
        assert all(r["psnr_to_ours"] is None or r["psnr_to_ours"] > rounds.EQUAL for r in trial["results"])
    assert found["options"]["layers"] == [16] and found["machine"]["cores"] >= 1 and found["machine"]["processor"]
    printed = capsys.readouterr().out
    assert "18x12 x4, 16 layers" in printed and "9x11 x4, 16 layers" in printed and printed.count(contenders.OURS) == 4


@pytest.mark.skipif(not PEERS, reason="needs vapoursynth-mlrt-ov, vapoursynth-mlrt-ort and onnx: vsduf[bench]")
@pytest.mark.parametrize("form", ["streaming", "paper"])
def test_peers_give_our_frames(form, capsys):
    assert main([*SMALL, "--peers", "--form", form, "--scale", "2"]) == 0
    printed = capsys.readouterr().out
    assert all(f"core.{name}.Model" in printed for name in contenders.PEERS)


def test_missing_peers_are_named_with_what_mends_it(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "PEERS", {"nosuch": (True, True)})
    assert main([*SMALL, "--peers"]) == 1
    assert capsys.readouterr().err == "vsduf: VapourSynth has no core.nosuch; pip install 'vsduf[bench]'\n"


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="a chart needs matplotlib")
def test_chart_is_drawn(tmp_path):
    found = results(("a", "paper", [1, 2]), (contenders.OURS, "paper", [0.5, 0.5]))
    trials = [report.Trial(layers, (160, 90), 4, found) for layers in (16, 52)]
    report.chart(trials, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frames", "0"], "--frames is 0; it must be 1 or more"),
        (["--json", "nowhere/out.json"], "nowhere is no folder; make it first"),
        (["--device-id", "-2"], "device_id is -2; "),
    ],
)
def test_refusals(words, said, capsys):
    assert main([*SMALL, *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("size", ["160", "x90", "0x90", "16x9x4", "-1x3"])
def test_sizes_that_are_none(size, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["bench", f"--size={size}"])
    assert "is not a size such as 160x90" in capsys.readouterr().err


def test_everyone_makes_the_same_frames_in_turn():
    calls = []

    def make(name):
        return contenders.Contender(name, "paper", lambda *span: calls.append((name, *span)) or [np.zeros((2, 2))] * 3)

    found = rounds.measure([make(contenders.OURS), make("a")], 2, 3)
    assert calls == [(name, first, 3) for first in (0, 3, 6) for name in (contenders.OURS, "a")]
    assert [len(r.seconds) for r in found] == [2, 2]  # the first round is not counted
    assert found[1].decibels == math.inf


def test_frames_that_differ_are_told():
    everyone = [contender(contenders.OURS), contender("near", value=0.9e-3), contender("far", value=1.1e-3)]
    found = rounds.measure(everyone, 1, 1)
    assert [r.decibels for r in found] == [None, pytest.approx(60.9, abs=0.1), pytest.approx(59.2, abs=0.1)]
    assert [r.contender.name for r in rounds.unequal(found)] == ["far"]
    found[2].contender = contender("far", half=True)
    assert rounds.unequal(found) == []
    found[1].decibels = math.nan
    assert rounds.unequal(found) == [found[1]]


def test_unequal_frames_fail_the_command(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "plain", lambda source, weights, device: contender("plain", value=np.zeros((4, 4))))
    monkeypatch.setattr(contenders, "ours", lambda clip, weights, *_: contender(contenders.OURS, value=0.5))
    assert main([*SMALL, "--form", "paper"]) == 1
    assert "plain, paper, does not give our frames: 6.0 dB" in capsys.readouterr().err


def test_ratios_are_of_rounds_not_of_medians():
    ours, rival = results((contenders.OURS, "paper", [1, 2, 9]), ("a", "paper", [4, 4, 9]))
    assert ours.ratio_to(rival) == 2 and rival.ratio_to(ours) == 0.5
    assert (ours.median, ours.best) == (0.5, 1)


def test_table_compares_with_the_fastest_of_the_others():
    found = results(
        (contenders.OURS, "streaming", [1, 1]),
        (contenders.PLAIN, "streaming", [0.1, 0.1]),  # not a peer: counts only where there is none
        ("core.ov.Model", "streaming", [3, 3]),
        ("core.ort.Model", "streaming", [4, 4]),
        (contenders.OURS, "paper", [2, 2]),
        ("core.ov.Model", "paper", [7, 7]),
        ("core.ort.Model", "paper", [5, 5]),
    )
    assert report.fastest(found, "streaming") is found[2] and report.fastest(found, "paper") is found[6]
    assert report.fastest(found[:2], "streaming") is found[1]
    first = report.table(found).splitlines()[1].split()
    assert first == [contenders.OURS, "streaming", "1.00", "1.00", "5.00", "3.00"]


def test_footage_moves_and_is_the_same_every_time():
    frames = footage(4, 24, 32)
    assert frames.shape == (4, 3, 24, 32) and frames.dtype == np.float32
    assert frames.min() >= 0 and frames.max() <= 1 and frames.std() > 0.1
    assert np.array_equal(frames, footage(4, 24, 32))
    np.testing.assert_allclose(frames[3, :, 1:, 2:], frames[0, :, :-1, :-2], atol=0.02)


def test_weights_are_conditioned_like_trained_ones():
    weights = random_weights(DufConfig(4, 4, 8))
    window = torch.from_numpy(footage(7, 48, 64)).transpose(0, 1)[None]
    with torch.inference_mode():
        logits, residual = weights.network()(window)
        picture = dynamic_upsample(window[:, :, 3], logits, residual)
    assert 1 < logits.std() < 4 and 0.01 < residual.std() < 0.04
    assert picture.min() > -0.5 and picture.max() < 1.5
