"""Each example script through vspipe, on a film of the kind that it is for."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from helpers.films import picture_film
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
VSPIPE = Path(sys.executable).with_name("vspipe")


def run(script, source, *words):
    """Returns the luma of a script's output, [frames, H, W] as shares of the range, and the y4m header's fields."""
    path = os.pathsep.join([str(VSPIPE.parent), os.environ["PATH"]])
    command = [VSPIPE, "-c", "y4m", *words, "-a", f"source={source}", EXAMPLES / script, "-"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PATH": path}, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    header, _, rest = done.stdout.partition(b"\n")
    fields = {word[:1]: word[1:] for word in header.decode().split()[1:]}
    width, height = int(fields["W"]), int(fields["H"])
    bits = {"420p10": 10, "420p16": 16}[fields["C"]]
    frame = len(b"FRAME\n") + 2 * width * height * 3 // 2
    frames = np.frombuffer(rest, np.uint8).reshape(-1, frame)[:, 6 : 6 + 2 * width * height]
    return frames.copy().view("<u2").reshape(-1, height, width) / (2**bits - 1), fields


def luma(path, frames=None):
    clip = vs.core.bs.VideoSource(str(path), cachemode=0)[:frames]
    peak = 2**clip.format.bits_per_sample - 1
    return np.stack([np.asarray(frame[0]) / peak for frame in clip.frames(close=True)])


def small(frames, shape):
    """Returns the mean of the pixels that one source pixel becomes."""
    count, height, width = frames.shape
    return frames.reshape(count, shape[0], height // shape[0], shape[1], width // shape[1]).mean((2, 4))


def test_every_script_is_tested():
    assert {p.name for p in EXAMPLES.glob("*.vpy")} == {
        "upscale.vpy", "dvd.vpy", "telecine.vpy", "grain.vpy", "anime.vpy", "compare.vpy",
    }  # fmt: skip


def test_dvd(tmp_path):
    """25 interlaced frames become 50 frames of square pixels, in time order."""
    progressive = picture_film(tmp_path / "whole.mkv", "format=yuv420p", "testsrc2=s=96x64:r=50:d=0.2")
    interlace = "format=yuv420p,tinterlace=interleave_top,setsar=16/15,setfield=tff"
    words = ["-flags", "+ildct+ilme", "-c:v", "libx264", "-crf", "4"]
    source = picture_film(tmp_path / "in.mkv", interlace, "testsrc2=s=96x64:r=50:d=0.2", *words)
    made, fields = run("dvd.vpy", source, "-a", "height=256")
    assert (len(made), fields["F"], fields["W"], fields["H"]) == (10, "50:1", "410", "256")
    want = luma(progressive)
    found = [np.abs(np.stack([np.interp(np.linspace(0, 409, 96), range(410), line) for line in frame[2::4]]) - want)
             for frame in made]  # fmt: skip
    nearest = [int(np.mean(per, (1, 2)).argmin()) for per in found]
    assert nearest == sorted(nearest) and len(set(nearest)) >= 9


def test_telecine(tmp_path):
    """The five frames of the telecine pattern become the film's four."""
    rate = "testsrc2=s=96x64:r=24000/1001:d=0.5"
    film = picture_film(tmp_path / "film.mkv", "format=yuv420p", rate)
    words = ["-flags", "+ildct+ilme", "-c:v", "mpeg2video", "-q:v", "1"]
    source = picture_film(tmp_path / "in.mkv", "format=yuv420p,telecine=pattern=23,setfield=tff", rate, *words)
    made, fields = run("telecine.vpy", source)
    assert (len(luma(source)), len(made), fields["F"]) == (15, 12, "24000:1001")
    assert np.abs(small(made, (64, 96)) - luma(film)[: len(made)]).mean() < 0.02


def test_grain(tmp_path):
    """The network alone amplifies grain; removed before and added after, grain keeps its strength."""
    words = ["noise=c0s=14:c0f=t:all_seed=3,format=yuv420p", "smptebars=s=96x64:r=25:d=0.32"]
    source = picture_film(tmp_path / "in.mkv", *words)
    (with_care, _), (alone, _) = run("grain.vpy", source), run("upscale.vpy", source)
    grain = luma(source).std(0).mean()
    assert small(alone, (64, 96)).std(0).mean() > 1.15 * grain
    assert small(with_care, (64, 96)).std(0).mean() == pytest.approx(grain, rel=0.15)


def test_anime(tmp_path):
    """A drawing that is held for two frames comes out twice, unchanged."""
    source = picture_film(tmp_path / "in.mkv", "fps=25,format=yuv420p", "testsrc2=s=96x64:r=12.5:d=0.48")
    made, fields = run("anime.vpy", source)
    want = luma(source)
    assert (len(made), fields["F"]) == (len(want), "25:1")
    same = [bool(np.array_equal(a, b)) for a, b in itertools.pairwise(made)]
    assert same == [bool(np.abs(a - b).mean() < 0.002) for a, b in itertools.pairwise(want)]
    assert same.count(True) == len(want) // 2
    assert np.abs(small(made, (64, 96)) - want).mean() < 0.02


def test_compare(tmp_path):
    """The script has both pictures in the result's size; the picture shows them side by side."""
    source = picture_film(tmp_path / "in.mkv", "format=yuv420p", "testsrc2=s=96x64:r=25:d=0.12")
    result = picture_film(tmp_path / "out.mkv", "scale=384:256,format=yuv420p10", "testsrc2=s=96x64:r=25:d=0.12")
    for number, film in ((0, source), (1, result)):
        made, _ = run("compare.vpy", source, "-a", f"result={result}", "-o", str(number))
        assert made.shape == (3, 256, 384)
        assert np.abs(small(made, (64, 96)) - small(luma(film), (64, 96))).mean() < 0.03
    command = [sys.executable, EXAMPLES / "compare.py", source, result]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{tmp_path / 'out.png'}\n"
    with Image.open(tmp_path / "out.png") as picture:
        pixels = np.asarray(picture) / 255
    before, after = pixels[:, :384], pixels[:, 384:]
    assert before.shape == after.shape == (256, 384, 3) and 0 < np.abs(before - after).mean() < 0.06


def test_compare_refuses_what_it_cannot_read(tmp_path):
    for words in ([], [tmp_path / "none.mkv", tmp_path / "none.mkv"]):
        done = subprocess.run([sys.executable, EXAMPLES / "compare.py", *words], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
