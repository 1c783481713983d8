"""Selects the seven frames of a window; windows end at scene cuts and at the clip's ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vsduf.upscaler import RADIUS


def window(n: int, cuts: Mapping[int, bool]) -> list[int]:
    """Returns frame numbers n - 3 to n + 3. Beyond a cut or an end of the clip, n's scene's nearest frame is repeated.

    cuts: whether a scene starts at each frame, for all frames from n - 3 to n + 3 that the clip has.
    """
    before, after = [n], [n]
    for _ in range(RADIUS):
        first, last = before[-1], after[-1]
        before.append(first if cuts[first] or first - 1 not in cuts else first - 1)
        after.append(last if cuts.get(last + 1, True) else last + 1)
    return before[:0:-1] + after


def scene_starts(first: int, props: Sequence[Mapping[str, Any]]) -> dict[int, bool]:
    """Returns whether a scene starts at each frame: by its _SceneChangePrev, or the frame before's _SceneChangeNext.

    first: number of the first of the consecutive frames. props: the frames' properties.
    """
    starts = [bool(p.get("_SceneChangePrev", 0)) for p in props]
    ends = [False, *(bool(p.get("_SceneChangeNext", 0)) for p in props[:-1])]
    return {first + i: start or end for i, (start, end) in enumerate(zip(starts, ends, strict=True))}
