"""Marks scene cuts, for clips that come without marks of their own."""

from __future__ import annotations

import vapoursynth as vs

from vsduf.cuts import THRESHOLD, is_cut


def mark_cuts(clip: vs.VideoNode, threshold: float = THRESHOLD) -> vs.VideoNode:
    """`clip` with _SceneChangePrev=1 on each frame whose luma (RGB: green) makes a leap from the frame before.

    A leap is a difference above `threshold` that is also twice that of the frames before and after.
    """
    if clip.num_frames < 2:
        return clip
    plane = 1 if clip.format.color_family == vs.RGB else 0
    steps = vs.core.std.PlaneStats(clip, clip[:1] + clip[:-1], plane=plane, prop="_step")
    still = steps[:1]  # the first frame, compared with itself

    def mark(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        before, step, after = (float(frame.props["_stepDiff"]) for frame in f[1:])
        if not is_cut(before, step, after, threshold):
            return f[0]
        marked = f[0].copy()
        marked.props["_SceneChangePrev"] = 1
        return marked

    return clip.std.ModifyFrame([clip, still + steps[:-1], steps, steps[1:] + still], mark)
