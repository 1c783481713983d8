"""Damaged films and pictures are read, or refused by the errors that are shown as one sentence."""

import contextlib
import random

import numpy as np
import pytest
import vapoursynth as vs
from helpers import films
from PIL import Image

from vsduf.errors import MediaError
from vsduf.film.arrays import read_image
from vsduf.film.source import open_source


def damaged(data, seed, near):
    """A copy with some bytes changed, most of them near the beginning, and sometimes cut off."""
    rng, data = random.Random(seed), bytearray(data)
    for _ in range(rng.choice([1, 3, 20])):
        data[min(int(rng.expovariate(1 / near)), len(data) - 1)] = rng.randrange(256)
    return data[: rng.randrange(len(data))] if rng.random() < 0.3 else data


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "libx264"), ("avi", "mpeg4"), ("mp4", "libx264")])
def test_films(ending, codec, tmp_path):
    words = ["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=0.2", "-f", "lavfi", "-i", "sine=d=0.2", "-c:v", codec]
    films.ffmpeg(*words, tmp_path / f"whole.{ending}")
    data, path = (tmp_path / f"whole.{ending}").read_bytes(), tmp_path / f"in.{ending}"
    for seed in range(10):
        path.write_bytes(damaged(data, seed, 400))
        with contextlib.suppress(MediaError, vs.Error):
            list(open_source(path).clip[:3].frames(close=True))


def test_a_file_without_any_track(tmp_path):
    (tmp_path / "in.txt").write_text(films.CHAPTERS)  # a kind of file that ffmpeg reads
    with pytest.raises(MediaError, match=r"in\.txt has no video stream"):
        open_source(tmp_path / "in.txt")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp"])
def test_pictures(ending, tmp_path):
    whole = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    Image.fromarray(whole).save(tmp_path / f"whole.{ending}")
    data, path = (tmp_path / f"whole.{ending}").read_bytes(), tmp_path / f"in.{ending}"
    for seed in range(400):
        path.write_bytes(damaged(data, seed, 40))
        with contextlib.suppress(MediaError):
            assert read_image(path).shape[0] == 3
