"""Each restoration script through vspipe, on a film of the kind that it is for."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from helpers.films import picture_film

EXAMPLES = Path(__file__).parents[1] / "examples"
VSPIPE = Path(sys.executable).with_name("vspipe")


def run(script, source, *words):
    """Frames of a script's output, [frames, H, W] of luma as shares of the range, and what y4m says of them."""
    path = os.pathsep.join([str(VSPIPE.parent), os.environ["PATH"]])
    command = [VSPIPE, "-c", "y4m", *words, "-a", f"source={source}", EXAMPLES / script, "-"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PATH": path}, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    header, _, rest = done.stdout.partition(b"\n")
    said = {word[:1]: word[1:] for word in header.decode().split()[1:]}
    width, height = int(said["W"]), int(said["H"])
    bits = {"420p10": 10, "420p16": 16}[said["C"]]
    frame = len(b"FRAME\n") + 2 * width * height * 3 // 2
    frames = np.frombuffer(rest, np.uint8).reshape(-1, frame)[:, 6 : 6 + 2 * width * height]
    return frames.copy().view("<u2").reshape(-1, height, width) / (2**bits - 1), said


def luma(path, frames=None):
    clip = vs.core.bs.VideoSource(str(path), cachemode=0)[:frames]
    return np.stack([np.asarray(frame[0]) / 255 for frame in clip.frames(close=True)])


def small(frames, shape):
    """Means of the pixels that make one of the source."""
    count, height, width = frames.shape
    return frames.reshape(count, shape[0], height // shape[0], shape[1], width // shape[1]).mean((2, 4))


def test_every_script_is_tested():
    assert {p.name for p in EXAMPLES.glob("*.vpy")} == {
        "upscale.vpy", "dvd.vpy", "telecine.vpy", "grain.vpy", "anime.vpy",
    }  # fmt: skip


def test_dvd(tmp_path):
    """25 frames of two fields become 50 pictures of square pixels, in time order."""
    progressive = picture_film(tmp_path / "whole.mkv", "format=yuv420p", "testsrc2=s=96x64:r=50:d=0.2")
    fields = "format=yuv420p,tinterlace=interleave_top,setsar=16/15,setfield=tff"
    words = ["-flags", "+ildct+ilme", "-c:v", "libx264", "-crf", "4"]
    source = picture_film(tmp_path / "in.mkv", fields, "testsrc2=s=96x64:r=50:d=0.2", *words)
    made, said = run("dvd.vpy", source)
    assert (len(made), said["F"], said["W"], said["H"]) == (10, "50:1", "410", "256")
    want = luma(progressive)
    found = [np.abs(np.stack([np.interp(np.linspace(0, 409, 96), range(410), line) for line in frame[2::4]]) - want)
             for frame in made]  # fmt: skip
    nearest = [int(np.mean(per, (1, 2)).argmin()) for per in found]
    assert nearest == sorted(nearest) and len(set(nearest)) >= 9


def test_telecine(tmp_path):
    """Five frames of which two are mixed become the four of the film."""
    rate = "testsrc2=s=96x64:r=24000/1001:d=0.5"
    film = picture_film(tmp_path / "film.mkv", "format=yuv420p", rate)
    words = ["-flags", "+ildct+ilme", "-c:v", "mpeg2video", "-q:v", "1"]
    source = picture_film(tmp_path / "in.mkv", "format=yuv420p,telecine=pattern=23,setfield=tff", rate, *words)
    made, said = run("telecine.vpy", source)
    assert (len(luma(source)), len(made), said["F"]) == (15, 12, "24000:1001")
    assert np.abs(small(made, (64, 96)) - luma(film)[: len(made)]).mean() < 0.02


def test_grain(tmp_path):
    """The network alone makes grain stronger; off before it and on again after it, grain is what it was."""
    words = ["noise=c0s=14:c0f=t:all_seed=3,format=yuv420p", "smptebars=s=96x64:r=25:d=0.32"]
    source = picture_film(tmp_path / "in.mkv", *words)
    (with_care, _), (alone, _) = run("grain.vpy", source), run("upscale.vpy", source)
    grain = luma(source).std(0).mean()
    assert small(alone, (64, 96)).std(0).mean() > 1.15 * grain
    assert small(with_care, (64, 96)).std(0).mean() == pytest.approx(grain, rel=0.15)


def test_anime(tmp_path):
    """Drawings that stay for two frames come back twice, each time the same."""
    source = picture_film(tmp_path / "in.mkv", "fps=25,format=yuv420p", "testsrc2=s=96x64:r=12.5:d=0.48")
    made, said = run("anime.vpy", source)
    want = luma(source)
    assert (len(made), said["F"]) == (len(want), "25:1")
    same = [bool(np.array_equal(a, b)) for a, b in itertools.pairwise(made)]
    assert same == [bool(np.abs(a - b).mean() < 0.002) for a, b in itertools.pairwise(want)]
    assert same.count(True) == len(want) // 2
    assert np.abs(small(made, (64, 96)) - want).mean() < 0.02
