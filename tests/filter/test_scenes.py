"""Cuts are marked, fast motion is not."""

import vapoursynth as vs

from vsduf.filter.scenes import mark_cuts

core = vs.core


def marked(levels: list[float]) -> list[int]:
    """Frames that are marked in a clip of plain frames with these levels."""
    clip = core.std.Splice([core.std.BlankClip(None, 16, 16, vs.GRAYS, 1, color=level) for level in levels])
    return [n for n, frame in enumerate(mark_cuts(clip).frames()) if frame.props.get("_SceneChangePrev")]


def test_a_leap_is_a_cut_wherever_it_is():
    assert marked([0.1, 0.1, 0.1, 0.5, 0.5]) == [3]
    assert marked([0.1, 0.5]) == [1]
    assert marked([0.5, 0.1, 0.1]) == [1]


def test_motion_and_small_steps_are_no_cuts():
    assert marked([0.0, 0.2, 0.4, 0.6, 0.8]) == []
    assert marked([0.1, 0.15, 0.15, 0.1]) == []


def test_one_frame_has_no_cut():
    assert marked([0.5]) == []
