"""Which seven frames make a window: clip ends and scene cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsduf.upscaler import RADIUS


def window(n: int, cuts: Mapping[int, bool]) -> list[int]:
    """The frame numbers n - 3 to n + 3; beyond a cut or an end of the clip the nearest frame of n's scene is repeated.

    cuts: every frame from n - 3 to n + 3 that the clip has, and whether a scene starts with it.
    """
    before, after = [n], [n]
    for _ in range(RADIUS):
        first, last = before[-1], after[-1]
        before.append(first if cuts[first] or first - 1 not in cuts else first - 1)
        after.append(last if cuts.get(last + 1, True) else last + 1)
    return before[:0:-1] + after


def scene_starts(first: int, props: Sequence[Mapping[str, Any]]) -> dict[int, bool]:
    """Whether a scene starts with each frame, from the properties of consecutive frames of which `first` is the number.

    A frame starts a scene where it has _SceneChangePrev=1 or the frame before it _SceneChangeNext=1.
    """
    starts = [bool(p.get("_SceneChangePrev", 0)) for p in props]
    ends = [False, *(bool(p.get("_SceneChangeNext", 0)) for p in props[:-1])]
    return {first + i: start or end for i, (start, end) in enumerate(zip(starts, ends, strict=True))}
