"""Marks scene cuts, for clips that come without marks of their own."""

from __future__ import annotations

import vapoursynth as vs

THRESHOLD = 0.1  # mean absolute difference of two frames, as a share of the sample range


def mark_cuts(clip: vs.VideoNode, threshold: float = THRESHOLD) -> vs.VideoNode:
    """`clip` with _SceneChangePrev=1 on each frame whose luma (RGB: green) differs from the frame before by more."""
    if clip.num_frames < 2:
        return clip
    plane = 1 if clip.format.color_family == vs.RGB else 0
    steps = vs.core.std.PlaneStats(clip, clip[:1] + clip[:-1], plane=plane, prop="_step")

    def mark(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        if float(f[1].props["_stepDiff"]) <= threshold:
            return f[0]
        marked = f[0].copy()
        marked.props["_SceneChangePrev"] = 1
        return marked

    return clip.std.ModifyFrame([clip, steps], mark)
