"""Scene cuts are marked; fast motion is not."""

import vapoursynth as vs

from vsduf.filter.scenes import mark_cuts

core = vs.core


def marked(levels: list[float]) -> list[int]:
    """Returns the frames that are marked as cuts in a clip of plain frames of these levels."""
    clip = core.std.Splice([core.std.BlankClip(None, 16, 16, vs.GRAYS, 1, color=level) for level in levels])
    return [n for n, frame in enumerate(mark_cuts(clip).frames()) if frame.props.get("_SceneChangePrev")]


def test_a_large_difference_is_a_cut_at_any_position():
    assert marked([0.1, 0.1, 0.1, 0.5, 0.5]) == [3]
    assert marked([0.1, 0.5]) == [1]
    assert marked([0.5, 0.1, 0.1]) == [1]


def test_motion_and_small_differences_are_not_cuts():
    assert marked([0.0, 0.2, 0.4, 0.6, 0.8]) == []
    assert marked([0.1, 0.15, 0.15, 0.1]) == []


def test_one_frame_has_no_cut():
    assert marked([0.5]) == []
