"""The rule that tells a scene cut from fast motion."""

from __future__ import annotations

THRESHOLD = 0.1  # least mean absolute difference of two frames, as a share of the sample range
LEAP = 2.0  # a cut differs at least so many times as much as the frames before and after: fast motion differs in a row


def is_cut(before: float, step: float, after: float, threshold: float = THRESHOLD) -> bool:
    """Tells whether a difference between two frames is a scene cut.

    step: mean absolute difference of the two frames; before, after: of the pairs before and after them (0 at a clip's
    end); all as a share of the sample range, of luma or green.
    """
    return step > max(threshold, LEAP * before, LEAP * after)
