"""The protocol, with upscalers that need no network."""

import json

import numpy as np
import pytest
import torch
from helpers.footage import moving, texture, write_frames

from vsduf.cli.main import main
from vsduf.errors import ArgumentError
from vsduf.evaluation import bicubic, protocol
from vsduf.evaluation.protocol import Protocol, low_resolution, mean, score_frames, score_upscaler


class Bicubic:
    """Upscales by bicubic, and records the windows that it is called with."""

    siting, at_once = "center", 1

    def __init__(self, scale=4):
        self.scale, self.windows, self.closed = scale, [], False

    def __call__(self, window, frames, out):
        self.windows.append(list(window))
        lr = torch.from_numpy(np.stack(frames[window[3]]))[None].float()
        for plane, values in zip(out, bicubic.upscale(lr, self.scale)[0], strict=True):
            plane[...] = values.round().clamp(0, 255).to(torch.uint8).numpy()

    def close(self):
        self.closed = True


class Neighbours(Bicubic):
    """Halves red where a window shows one frame seven times."""

    def __call__(self, window, frames, out):
        super().__call__(window, frames, out)
        if len(set(window)) == 1:
            out[0][...] //= 2


def nothing(done):
    pass


def test_bicubic_scores_as_bicubic():
    upscaler = Bicubic()
    score = score_upscaler(moving(9, 64, 64), lambda width, height: upscaler, Protocol(), nothing)
    assert score.frames == 5
    assert (score.psnr, score.ssim, score.flicker) == (score.bicubic_psnr, score.bicubic_ssim, score.bicubic_flicker)
    assert score.temporal_gain == 0
    assert upscaler.closed


def test_windows_are_cut_at_the_ends_of_the_clip():
    upscaler = Bicubic()
    score_upscaler(moving(6, 64, 64), lambda width, height: upscaler, Protocol(), nothing)
    assert upscaler.windows == [[0, 0, 1, 2, 3, 4, 5], [2] * 7, [0, 1, 2, 3, 4, 5, 5], [3] * 7]


def test_temporal_gain_is_what_the_neighbours_bring():
    score = score_upscaler(moving(6, 64, 64), lambda width, height: Neighbours(), Protocol(), nothing)
    assert score.temporal_gain > 1


def test_every_nth_frame():
    done = []
    score = score_upscaler(moving(12, 64, 64), lambda width, height: Bicubic(), Protocol(every=3), done.append)
    assert score.frames == protocol.frames_scored(12, 3) == 3
    assert done == [1, 2, 3]
    assert score.flicker is None


def test_the_upscaler_gets_the_low_resolution_size():
    sizes = []

    def opener(width, height):
        sizes.append((width, height))
        return Bicubic()

    score_upscaler(moving(5, 67, 90), opener, Protocol(), nothing)
    assert sizes == [(22, 16)]


@pytest.mark.parametrize("siting", ["center", "top-left"])
def test_bicubic_lines_up_with_either_siting(siting):
    frame = texture(96, 96)
    setting = Protocol(4, siting)
    clip = np.stack([frame] * 5)
    score = score_frames(clip, clip, setting, nothing)
    other = Protocol(4, "top-left" if siting == "center" else "center")
    up = protocol._bicubic(low_resolution(frame, other), setting)
    assert score.bicubic_psnr > score_frames(clip, np.stack([up] * 5), setting, nothing).psnr + 0.5


def test_the_truth_is_perfect():
    clip = moving(7, 64, 64)
    score = score_frames(clip, clip, Protocol(), nothing)
    assert score.psnr == 100  # what is equal counts as that
    assert score.ssim == pytest.approx(1)
    assert score.flicker == 0
    assert score.temporal_gain is None


def test_means_count_each_clip_the_same():
    a = protocol.Score(10, 30.0, 0.9, None, 20.0, 0.5, 1.0, 0.5)
    b = protocol.Score(30, 20.0, 0.7, 2.0, 10.0, 0.3, 3.0, None)
    assert mean([a, b]) == protocol.Score(40, 25.0, 0.8, 2.0, 15.0, 0.4, 2.0, 0.5)


def test_refusals(tmp_path):
    with pytest.raises(ArgumentError, match="the frames are 5 frames of 64x64, the ground truth is 6 frames"):
        score_frames(moving(6, 64, 64), moving(5, 64, 64), Protocol(), nothing)
    with pytest.raises(ArgumentError, match="at least 5 are needed"):
        score_frames(moving(4, 64, 64), moving(4, 64, 64), Protocol(), nothing)
    with pytest.raises(ArgumentError, match="at least 32x32 are needed"):
        score_frames(moving(6, 64, 24), moving(6, 64, 24), Protocol(), nothing)


@pytest.fixture
def truth(tmp_path):
    write_frames(tmp_path / "truth" / "walk", moving(8, 64, 64))
    return tmp_path / "truth"


def test_the_command_scores_finished_frames(tmp_path, truth, capsys):
    write_frames(tmp_path / "ours" / "walk", moving(8, 64, 64) // 8 * 8)
    assert main(["eval", str(truth), "--frames", str(tmp_path / "ours"), "--json", str(tmp_path / "out.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["walk", "mean"]
    said = json.loads((tmp_path / "out.json").read_text())
    assert said["clips"]["walk"]["frames"] == 4
    assert said["mean"]["psnr"] > said["mean"]["bicubic_psnr"]
    assert said["siting"] == "center"


def test_the_command_scores_a_model(truth, capsys, monkeypatch):
    opened = []

    def open_engine(model, scale, width, height, **options):
        opened.append((model, scale, width, height))
        return Bicubic()

    monkeypatch.setattr("vsduf.engine.engine.open_engine", open_engine)
    assert main(["eval", str(truth), "--every", "2"]) == 0
    assert opened[0][1:] == (4, 16, 16)
    assert "mean" in capsys.readouterr().out


def test_a_clip_that_cannot_be_scored_is_named_and_the_others_are(tmp_path, truth, capsys):
    write_frames(truth / "short", moving(4, 64, 64))
    write_frames(tmp_path / "ours" / "walk", moving(8, 64, 64) // 8 * 8)
    write_frames(tmp_path / "ours" / "short", moving(4, 64, 64))
    assert main(["eval", str(truth), "--frames", str(tmp_path / "ours"), "--json", str(tmp_path / "out.json")]) == 1
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()[1:-1]] == ["walk", "mean"]
    assert "short is left out: the clip has 4 frames; at least 5 are needed" in said.err
    found = json.loads((tmp_path / "out.json").read_text())
    assert list(found["clips"]) == ["walk"]
    assert list(found["left_out"]) == ["short"]


def test_finished_frames_have_no_model(truth, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["eval", str(truth), "--frames", "ours", "--model", "duf-16s-x4"])
    assert "not allowed with argument --frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "0"], "--every is 0"),
        (["--json", "nowhere/out.json"], "nowhere is no folder; make it first"),
        (["--json", "."], ". is a folder; name a file in it"),
        (["--frames", "none"], "none has no folder walk"),
        (["--model", "duf-16s-x4", "--scale", "2"], "--scale is 2, but the model 'duf-16s-x4' was trained for 4"),
        (["--model", "duf-16s-x4", "--siting", "top-left"], "--siting is top-left, but the model"),
    ],
)
def test_the_command_refuses(truth, capsys, words, message):
    assert main(["eval", str(truth), *words]) == 1
    assert message in capsys.readouterr().err


def test_another_degradation_is_scored_against_what_it_leaves():
    """A degradation may cut the clip; the model and bicubic get the same low resolution."""
    clip = moving(8, 70, 80)

    def lower(hr):
        return np.stack([low_resolution(frame, Protocol(2)) for frame in hr])[:, :, :32, :36] // 2 * 2

    found = score_upscaler(clip, lambda width, height: Bicubic(2), Protocol(2), nothing, lower)
    plain = score_upscaler(clip[:, :, :64, :72], lambda width, height: Bicubic(2), Protocol(2), nothing)
    assert found.frames == plain.frames == 4
    assert found.bicubic_psnr < plain.bicubic_psnr


def test_the_command_degrades_as_sources_are(truth, capsys, monkeypatch):
    monkeypatch.setattr("vsduf.engine.engine.open_engine", lambda model, scale, width, height, **_: Bicubic(scale))
    means = []
    for words in ([], ["--degrade", "web"], ["--degrade", "vhs"]):
        assert main(["eval", str(truth), "--scale", "2", *words]) == 0
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mean"))
        means.append(float(line.split()[2]))
    assert means[0] > means[1] + 0.1 > means[2]
    assert main(["eval", str(truth), "--frames", str(truth), "--degrade", "dvd"]) == 1
    assert "leave it out with --frames" in capsys.readouterr().err
