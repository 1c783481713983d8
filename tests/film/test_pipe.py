"""ffmpeg is fed no faster than it eats, and always reaped."""

import subprocess
import sys
import time
from fractions import Fraction

import pytest
import vapoursynth as vs
from helpers.films import noise

from vsduf.errors import MediaError
from vsduf.film import feed, pipe, timeline


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (
            "import sys; sys.stdin.buffer.read(9000); sys.exit('[mkv @ 0x5d] No space left\\nConversion failed!')",
            r"ffmpeg stopped after \d+ of 500 frames: mkv: No space left$",
        ),
        ("import os; os.kill(os.getpid(), 9)", r"ffmpeg stopped after \d+ of 500 frames: signal 9 ended it$"),
        (
            "import sys; sys.stdin.buffer.read(); sys.exit(3)",
            r"ffmpeg stopped after 500 of 500 frames: it gave no reason",
        ),
        ("import sys; sys.stdin.buffer.read(); print('frame=499')", r"ffmpeg was given 500 frames and wrote 499"),
    ],
)
def test_an_ffmpeg_that_dies_or_loses_frames_is_an_error_with_its_words(program, words):
    with pytest.raises(MediaError, match=words):
        pipe.run(
            [sys.executable, "-c", program], feed.raw(noise(length=500), timeline.constant(Fraction(25), 500)), 500
        )


def test_frames_wait_for_a_slow_encoder_instead_of_piling_up():
    made, taken, ahead = 0, 0, []
    clip = noise(width=400, height=400, length=60)

    def make(n, f):
        nonlocal made
        made += 1
        return f

    def progress(done):
        nonlocal taken
        taken = done
        ahead.append(made - taken)

    slow = "import sys, time\nwhile sys.stdin.buffer.read(240000): time.sleep(0.01)\nprint('frame=60')"
    times = timeline.constant(Fraction(25), 60)
    pipe.run([sys.executable, "-c", slow], feed.raw(clip.std.ModifyFrame(clip, make), times), 60, progress)
    assert max(ahead) <= 2 * vs.core.num_threads + 2


def test_ffmpeg_is_gone_when_anything_is_raised(tmp_path):
    sign = tmp_path / "pid"
    program = f"import os, time; open({str(sign)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    def stop(done):
        while not sign.exists() or not sign.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe.run([sys.executable, "-c", program], feed.raw(noise(), timeline.constant(Fraction(25), 5)), 5, stop)
    assert subprocess.run(["kill", "-0", sign.read_text()], capture_output=True).returncode != 0


def test_an_ffmpeg_that_stalls_is_spoken_of(tmp_path, monkeypatch):
    monkeypatch.setattr(pipe, "STALL_SECONDS", 0.2)
    go, said = tmp_path / "go", []

    def warn(text):
        said.append(text)
        go.touch()

    program = (
        f"import os, sys, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        "sys.stdin.buffer.read(); print('frame=5')"
    )
    pipe.run([sys.executable, "-c", program], feed.raw(noise(), timeline.constant(Fraction(25), 5)), 5, warn=warn)
    assert said == ["ffmpeg has made no progress for 0 s; it may be writing the end of a long film, or hang"]
