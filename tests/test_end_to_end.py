"""Runs scripts in the real vspipe and encodes their output by the real ffmpeg."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import pytest
import vapoursynth as vs

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
VSPIPE = Path(sys.executable).with_name("vspipe")
ACTIVATED = os.environ | {"PATH": f"{VSPIPE.parent}{os.pathsep}{os.environ['PATH']}"}  # vspipe finds its Python there
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def vspipe(*words):
    return subprocess.run([VSPIPE, *map(str, words)], capture_output=True, env=ACTIVATED, timeout=300)


@pytest.fixture
def small(tmp_path):
    """Returns a script that upscales the middle of six frames, which takes a second."""
    script = tmp_path / "small.vpy"
    script.write_text(
        "from vapoursynth import core\n"
        f"clip = core.bs.VideoSource({str(EXAMPLES / 'city.mkv')!r}, cachemode=0)[:6].std.CropAbs(48, 32, 96, 50)\n"
        "core.duf.Upscale(clip).set_output()\n"
    )
    return script


def test_a_script_is_piped_into_a_film(tmp_path):
    """Runs README's pipe on the example script and the first four frames of its clip."""
    shutil.copy(EXAMPLES / "upscale.vpy", tmp_path)
    shutil.copy(EXAMPLES / "city.mkv", tmp_path)
    film = tmp_path / "film.mkv"
    decode, ends = [VSPIPE, "-c", "y4m", "-e", "3", tmp_path / "upscale.vpy", "-"], subprocess.PIPE
    with subprocess.Popen(decode, stdout=ends, stderr=ends, env=ACTIVATED) as pipe:
        encode = [FFMPEG, "-v", "error", "-i", "-", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"]
        encode += ["-pix_fmt", "yuv420p10le", film]
        encoder = subprocess.run(encode, stdin=pipe.stdout, capture_output=True, timeout=300)
        messages = pipe.stderr.read().decode()
    assert (encoder.returncode, encoder.stderr, pipe.returncode) == (0, b"", 0), messages
    assert "Output 4 frames" in messages

    made = vs.core.bs.VideoSource(film, cachemode=0)
    source = vs.core.bs.VideoSource(EXAMPLES / "city.mkv", cachemode=0)
    assert (made.width, made.height, len(made), made.fps) == (source.width * 4, source.height * 4, 4, source.fps)
    soft = {"filter_param_a": 1 / 3, "filter_param_b": 1 / 3}
    small = made.resize.Bicubic(source.width, source.height, format=source.format.id, **soft)
    for n in range(4):  # the film shows the source's pictures, neither shifted nor recoloured
        difference = vs.core.std.PlaneStats(small, source).get_frame(n).props["PlaneStatsDiff"]
        assert difference < 0.012


def test_stdout_holds_only_video(small):
    run = vspipe("-c", "y4m", small, "-")
    header, _, _ = run.stdout.partition(b"\n")
    frame = len(b"FRAME\n") + 192 * 128 * 3 // 2
    assert header.startswith(b"YUV4MPEG2 ") and len(run.stdout) == len(header) + 1 + 6 * frame
    assert "warning" not in run.stderr.decode().lower()


@pytest.mark.slow
def test_twenty_runs_succeed_with_equal_output(small):
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: vspipe("-c", "y4m", small, "-"), range(20)))
    assert [run.returncode for run in runs] == [0] * 20
    assert len({run.stdout for run in runs}) == 1


def test_errors_reach_the_terminal(tmp_path):
    script = tmp_path / "wrong.vpy"
    script.write_text("from vapoursynth import core\ncore.duf.Upscale(core.std.BlankClip(), scale=7).set_output()\n")
    run = vspipe(script, ".")
    assert run.returncode != 0 and b"Upscale: scale is 7; give 2, 3 or 4" in run.stderr and not run.stdout

    script.write_text(
        "from vapoursynth import core\nclip = core.std.BlankClip(width=16, height=16, length=9)\n"
        "marked = clip.std.FrameEval(lambda n: clip.std.SetFieldBased(int(n == 2)))\n"
        "core.duf.Upscale(marked).set_output()\n"
    )
    run = vspipe(script, ".")
    assert run.returncode != 0
    assert re.search(rb"Upscale: frame 2: the clip is field-based \(_FieldBased=1\)", run.stderr)
    assert b"Traceback" not in run.stderr
