"""Repeated frames are found, upscaled once and duplicated; small and slow changes do not count as repeats."""

import numpy as np
import pytest
import vapoursynth as vs

from vsduf.filter.repeats import find, once

core = vs.core


def clip_of(levels, form=vs.YUV420P8, width=64, height=48):
    """Returns a clip with one plain frame for each level, of 255."""
    blank = core.std.BlankClip(None, width, height, form, 1)
    peak = 1 if blank.format.sample_type == vs.FLOAT else (1 << blank.format.bits_per_sample) - 1
    count = blank.format.num_planes
    return core.std.Splice([blank.std.BlankClip(color=[level / 255 * peak] * count) for level in levels])


def levels_of(clip):
    return [round(float(np.asarray(frame[0]).mean()) * 255 / (1 if clip.format.bits_per_sample == 32 else 255))
            for frame in clip.frames()]  # fmt: skip


@pytest.mark.parametrize("form", [vs.GRAY8, vs.YUV420P8, vs.YUV420P10, vs.YUV444P16, vs.RGB24, vs.RGBS, vs.GRAYH])
def test_repeats_are_found(form):
    assert find(clip_of([10, 10, 60, 60, 60, 90, 10, 10], form)) == [1, 3, 4, 7]


def test_each_picture_is_upscaled_once_and_duplicated():
    clip, seen = clip_of([10, 10, 60, 60, 60, 90, 10, 10]), []

    def make(drawings):
        seen.append(levels_of(drawings))
        return drawings.resize.Point(128, 96).std.SetFrameProps(made=1)

    done = once(clip, make)
    assert seen == [[10, 60, 90, 10]]
    assert (done.width, levels_of(done)) == (128, levels_of(clip))
    assert all(frame.props["made"] == 1 for frame in done.frames())


def test_a_clip_without_repeats_is_returned_as_it_is():
    clip = clip_of([10, 60])
    assert once(clip, lambda same: same) is clip


def test_a_slow_fade_is_not_repeated():
    levels = list(range(40, 60))
    fade = levels_of(once(clip_of(levels), lambda same: same))
    assert max(abs(a - b) for a, b in zip(fade, levels, strict=True)) <= 2
    assert len(set(fade)) >= 6


@pytest.mark.parametrize("plane", [0, 1])
def test_small_motion_is_not_a_repeat(plane):
    """A mouth of 4x3 pixels changes in a still picture, in brightness or in colour alone."""

    def draw(n, f):
        drawn = f.copy()
        if n == 1:
            np.asarray(drawn[plane])[20:23, 30:34] = 160
        return drawn

    still = core.std.BlankClip(None, 128, 96, vs.YUV444P8, 3, color=[100, 128, 128])
    assert find(still.std.ModifyFrame(still, draw)) == []


def test_coding_noise_does_not_hide_repeats():
    noise = np.random.default_rng(1).normal(0, 1.0, (4, 96, 128))

    def add(n, f):
        drawn = f.copy()
        np.asarray(drawn[0])[...] = (100 + noise[n]).round()
        return drawn

    still = core.std.BlankClip(None, 128, 96, vs.GRAY8, 4)
    assert find(still.std.ModifyFrame(still, add)) == [1, 2, 3]


def test_scene_cuts_stay_with_their_frames():
    clip = clip_of([10, 10, 60, 60])
    marked = clip.std.FrameEval(lambda n: clip.std.SetFrameProps(_SceneChangePrev=1) if n == 2 else clip)
    done = once(marked, lambda same: same)
    assert [frame.props.get("_SceneChangePrev", 0) for frame in done.frames()] == [0, 0, 1, 0]


def test_progress_counts_frames():
    counts = []
    find(clip_of([1, 1, 90]), progress=counts.append)
    assert counts == [1, 2, 3]
