"""The rule that tells a scene cut from fast motion."""

from __future__ import annotations

THRESHOLD = 0.1  # least mean absolute difference of two frames, as a share of the sample range
LEAP = 2.0  # least ratio of a cut's difference to those before and after it; fast motion differs in every pair


def is_cut(before: float, step: float, after: float, threshold: float = THRESHOLD) -> bool:
    """Tells whether the difference between two frames is a scene cut.

    step: mean absolute difference of the two frames, of luma or green, as a share of the sample range. before, after:
    the same of the pairs of frames before and after them, 0 at an end of the clip.
    """
    return step > max(threshold, LEAP * before, LEAP * after)
