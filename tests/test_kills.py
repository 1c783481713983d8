"""A run that is killed at random moments, again and again, ends with the film of a run that was left alone.

KILLS in the environment says how often, 5 by default.
"""

import os
import random
import subprocess
import sys
import time

import pytest
from helpers import films, program

from vsduf.film import work

KILLS = int(os.environ.get("KILLS", "5"))
SLOW = program.upscaling("""
def each(n, f):
    time.sleep(0.01)
    return f
""")


@pytest.mark.slow
def test_kills_lose_no_frame(tmp_path):
    source = tmp_path / "in.mkv"
    inputs = [word for text in ("testsrc2=s=48x32:r=25:d=6", "sine=d=6") for word in ("-f", "lavfi", "-i", text)]
    films.ffmpeg(*inputs, "-c:v", "ffv1", source)

    def begun(target):
        words = ["upscale", source, target, "--segment", "0.2", "--preset", "ultrafast"]
        return subprocess.Popen([sys.executable, "-c", SLOW, *map(str, words)], stderr=subprocess.PIPE)

    first = begun(tmp_path / "whole.mkv")
    first.communicate()
    assert first.returncode == 0
    whole = films.opened(tmp_path / "whole.mkv")
    chance, number, resumed = random.Random(1), 0, 0
    for _ in range(KILLS):
        process, target = begun(tmp_path / f"{number}.mkv"), tmp_path / f"{number}.mkv"
        time.sleep(chance.uniform(0.5, 3.5))
        process.kill()
        said = process.communicate()[1].decode()
        resumed += "are encoded already" in said
        if target.exists():
            check(target, whole)
            number += 1
    last = begun(tmp_path / f"{number}.mkv")
    assert last.communicate()[1].decode().count("damaged") == 0
    assert last.returncode == 0
    check(tmp_path / f"{number}.mkv", whole)
    assert work.unfinished(tmp_path) == []
    assert resumed or KILLS < 5


def check(target, whole):
    clip, times = films.opened(target)
    assert times == whole[1]
    assert films.same_frames(clip, whole[0])
    assert films.sound_start(target) == films.sound_start(target.with_name("whole.mkv"))
