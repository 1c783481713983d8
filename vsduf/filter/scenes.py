"""Marks scene cuts in clips whose source does not mark them."""

from __future__ import annotations

import vapoursynth as vs

from vsduf.cuts import THRESHOLD, is_cut


def mark_cuts(clip: vs.VideoNode, threshold: float = THRESHOLD) -> vs.VideoNode:
    """Returns `clip` with _SceneChangePrev=1 on the first frame of each scene.

    threshold: least mean absolute difference of luma (RGB: green) from the frame before, as a share of the sample
    range. The difference must also be twice those of the frames before and after: fast motion is not a cut.
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
