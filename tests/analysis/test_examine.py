"""Films that were degraded in known ways, and what the analysis says of them."""

import dataclasses
import subprocess

import numpy as np
import pytest
import vapoursynth as vs
from helpers.films import FFMPEG

from vsduf.analysis import examine, write_script
from vsduf.analysis.clip import open_clip
from vsduf.cli.main import main
from vsduf.errors import MediaError

WIDTH, HEIGHT, FRAMES = 192, 144, 96
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p"]
MPEG2 = ["-c:v", "mpeg2video", "-q:v", "2", "-pix_fmt", "yuv420p"]
FIELDS = ["-flags", "+ilme+ildct"]
TOP, BOTTOM = ["-x264opts", "tff=1"], ["-x264opts", "bff=1"]


@pytest.fixture(scope="module")
def pan():
    """A camera that pans over a picture of soft shapes, 50 frames a second, as raw grey video."""
    rng = np.random.default_rng(5)
    coarse = rng.uniform(30, 220, (12, 60))
    rows, columns = np.linspace(0, 11, 2 * HEIGHT), np.linspace(0, 59, 1400)
    wide = np.stack([np.interp(columns, range(60), line) for line in coarse])
    picture = np.stack([np.interp(rows, range(12), column) for column in wide.T], 1)
    picture[::2] += 0  # soft shapes, and hard edges to comb
    for _ in range(60):
        y, x = rng.integers(2 * HEIGHT - 40), rng.integers(1300)
        picture[y : y + rng.integers(10, 40), x : x + rng.integers(6, 60)] = rng.uniform(20, 235)
    frames = [picture[40 : 40 + HEIGHT, 40 + 6 * n : 40 + 6 * n + WIDTH] for n in range(2 * FRAMES)]
    return np.stack(frames).round().astype(np.uint8)


def film(folder, pan, filters, *words, rate=25):
    """A film of the pan, at 25 frames a second every other of its frames, filtered and encoded."""
    path = folder / "in.mkv"
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(rate), "-i", "-"]
    command = [FFMPEG, "-v", "error", "-y", *source, "-vf", f"format=yuv420p,{filters}", *words, str(path)]
    frames = pan if rate == 50 else pan[::2]
    subprocess.run(command, input=frames.tobytes(), check=True)
    return path


CASES = {  # name: filters, encoder, rate of the source, kind, whether the top field is first
    "progressive": ("null", H264, 25, "progressive", None),
    "interlaced, top first": ("tinterlace=interleave_top,setfield=tff", [*H264, *FIELDS, *TOP], 50, "interlaced", True),
    "interlaced, bottom first": (
        "tinterlace=interleave_bottom,setfield=bff", [*H264, *FIELDS, *BOTTOM], 50, "interlaced", False,
    ),
    "interlaced, marked progressive": ("tinterlace=interleave_top,setfield=prog", H264, 50, "interlaced", True),
    "interlaced MPEG-2": ("tinterlace=interleave_top,setfield=tff", [*MPEG2, *FIELDS], 50, "interlaced", True),
    "progressive, marked interlaced": ("setfield=tff", [*H264, *FIELDS, *TOP], 25, "progressive", None),
    "telecine, top first": ("telecine=first_field=top,setfield=tff", [*MPEG2, *FIELDS], 25, "telecine", True),
    "telecine, bottom first": ("telecine=first_field=bottom,setfield=bff", [*MPEG2, *FIELDS], 25, "telecine", False),
    "telecine, marked progressive": ("telecine=first_field=top,setfield=prog", H264, 25, "telecine", True),
    "drawings on twos": ("fps=12.5,fps=25", H264, 25, "progressive", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fields_are_told_by_the_pictures(tmp_path, pan, name):
    filters, words, rate, kind, top_first = CASES[name]
    found = examine(open_clip(film(tmp_path, pan, filters, *words, rate=rate))).fields
    assert (found.kind, found.top_first) == (kind, top_first)
    assert found.moving > 10


def test_marks_are_reported_as_they_are(tmp_path, pan):
    assert examine(open_clip(film(tmp_path, pan, "setfield=tff", *H264, *FIELDS, *TOP))).marked == "top"
    assert examine(open_clip(film(tmp_path, pan, "null", *H264))).marked == "progressive"


@pytest.mark.parametrize(("filters", "share"), [("null", 0.0), ("fps=12.5,fps=25", 0.5), ("fps=25/3,fps=25", 0.67)])
def test_repeats_are_counted(tmp_path, pan, filters, share):
    assert examine(open_clip(film(tmp_path, pan, filters, *H264))).repeats == pytest.approx(share, abs=0.08)


def test_borders_and_shape(tmp_path, pan):
    facts = examine(open_clip(film(tmp_path, pan, "pad=220:176:12:20,setsar=16/15", *H264)))
    edge = facts.borders
    assert (edge.left, edge.right, edge.top, edge.bottom) == (12, 16, 20, 12)
    assert facts.sar == pytest.approx(16 / 15)
    script = write_script(facts, tmp_path / "in.mkv")
    assert "core.std.Crop(clip, left=12, right=16, top=20, bottom=12)" in script
    assert "Samples are 16:15" in script


def test_noise_is_measured_in_levels(tmp_path, pan):
    levels = [examine(open_clip(film(tmp_path, pan, f"noise=alls={n}:allf=t", *H264))).noise for n in (0, 10, 20)]
    assert levels[0] < 1
    assert levels[1] == pytest.approx(10 / np.sqrt(3), rel=0.3)  # ffmpeg's noise is uniform
    assert levels[2] == pytest.approx(20 / np.sqrt(3), rel=0.3)


def test_compression_blocks_are_told_from_edges(tmp_path, pan):
    fine, coarse = (
        examine(open_clip(film(tmp_path, pan, "noise=alls=6", "-c:v", "mpeg4", "-q:v", q))).blocking
        for q in ("2", "24")
    )
    assert fine < 0.25 < coarse


def test_the_model_fits_the_source(tmp_path, pan):
    clean, noisy = (
        examine(open_clip(film(tmp_path, pan, filters, *H264))) for filters in ("null", "noise=alls=12:allf=t")
    )
    path = tmp_path / "in.mkv"
    assert "core.duf.Upscale(clip, scale=4)" in write_script(clean, path)
    assert "core.duf.Upscale(clip, scale=4, model='duf-restore-x4')" in write_script(noisy, path)
    thrice = write_script(noisy, path, 3)
    assert "core.duf.Upscale(clip, scale=3)" in thrice
    assert "for scale 3 there is no other: take them off here" in thrice
    assert "the one below was trained to take them off" in write_script(noisy, path)
    lines = dataclasses.replace(noisy, height=480)
    assert "core.duf.Upscale(clip, scale=2, model='duf-restore-x2')" in write_script(lines, path)


def test_what_cannot_be_examined_is_a_sentence(tmp_path):
    (tmp_path / "no.mkv").write_text("no film")
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.mkv", "does not exist"),
        (tmp_path / "no.mkv", "not a video"),
    ):
        with pytest.raises(MediaError, match=words):
            open_clip(path)


@pytest.mark.parametrize(
    ("name", "frames", "rate"),
    [
        ("progressive", 96, 25),
        ("interlaced, bottom first", 192, 50),
        ("telecine, top first", 96, 25),
        ("drawings on twos", 96, 25),
        ("progressive, marked interlaced", 96, 25),
    ],
)
def test_the_script_runs_and_finds_the_pictures(tmp_path, pan, name, frames, rate):
    """Deinterlaced film has a picture for every field, telecined film its pictures of before."""
    filters, words, source_rate, _, _ = CASES[name]
    path = film(tmp_path, pan, filters, *words, rate=source_rate)
    script = write_script(examine(open_clip(path)), path, scale=2)
    try:
        exec(compile(script, "film.vpy", "exec"), {})
        clip = vs.get_output(0).clip
        assert abs(clip.num_frames - frames) <= 2
        assert float(clip.fps) == pytest.approx(rate, rel=0.04)  # Matroska rounds times to 1 ms
        assert (clip.width, clip.height, clip.format.name) == (2 * WIDTH, 2 * HEIGHT, "YUV420P10")
        shown = np.asarray(clip.get_frame(clip.num_frames // 2)[0]).astype(float)[8:-8]
        assert np.abs(shown[1:-1] * 2 - shown[:-2] - shown[2:]).mean() < 12  # no comb
    finally:
        vs.clear_outputs()


def test_the_command_writes_a_script_once(tmp_path, pan, capsys):
    path = film(tmp_path, pan, "null", *H264)
    assert main(["script", str(path)]) == 0
    text = (tmp_path / "in.vpy").read_text()
    assert "core.duf.Upscale(clip, scale=4)" in text
    assert main(["script", str(path)]) == 1
    assert "in.vpy exists; give another name with -o, or --overwrite" in capsys.readouterr().err
    assert main(["script", str(path), "-o", str(tmp_path / "b.vpy"), "--scale", "2"]) == 0
    assert "core.duf.Upscale(clip, scale=2)" in (tmp_path / "b.vpy").read_text()
