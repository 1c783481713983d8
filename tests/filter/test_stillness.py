"""Shots in which nothing moves: equal frames give equal frames, and noise on a still picture is bounded."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import vapoursynth as vs
from helpers.clips import clip_of

from vsduf.evaluation.metrics import flicker, luma
from vsduf.film.arrays import read_clip
from vsduf.network import catalogue

CITY = Path(__file__).parents[2] / "examples" / "city.mkv"
NOISE = 3.0  # standard deviation in 8-bit levels


def still(frames, height, width, deviation=0.0):
    """[frames, 3, H, W] uint8: a frame of city.mkv over and over, with fresh noise in each."""
    picture = read_clip(CITY, 1)[0, :, 20 : 20 + height, 40 : 40 + width].astype(float)
    noise = np.random.default_rng(0).normal(0, deviation, (frames, 3, height, width))
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def arrays(clip):
    """The frames of a clip, [3, H, W] each."""
    return (np.stack([np.asarray(plane) for plane in frame]) for frame in clip.frames(close=True))


@pytest.mark.parametrize("scale", [2, 4])
def test_500_equal_frames_give_500_equal_frames(scale):
    clip = clip_of(still(500, 16, 20), vs.RGB24)
    frames = arrays(vs.core.duf.Upscale(clip, scale, device_id=-1))
    first = next(frames)
    assert sum(np.array_equal(frame, first) for frame in frames) == 499


def flicker_of(frames):
    """Mean flicker of frames whose ground truth does not change."""
    pictures = [luma(torch.from_numpy(frame).float() / 255) for frame in frames]
    nothing = torch.zeros_like(pictures[0])
    return float(np.mean([flicker(b, a, nothing, nothing) for a, b in pairwise(pictures)]))


@pytest.mark.parametrize("name", catalogue.bundled())
def test_a_noisy_still_shot_flickers_little(name):
    """Models for clean video amplify noise like detail, to twice bicubic's flicker; restoring ones do not."""
    scale = catalogue.headers()[name].config.scale
    clip = clip_of(still(16, 48, 64, NOISE), vs.RGB24)
    baseline = flicker_of(arrays(clip.resize.Bicubic(64 * scale, 48 * scale)))
    found = flicker_of(arrays(vs.core.duf.Upscale(clip, scale, model=name, device_id=-1)))
    assert found < baseline * (1 if "restore" in name else 2.5)
