"""The _Alpha frame property: a plane of its own, upscaled like the picture and with the picture's scene cuts."""

from __future__ import annotations

import vapoursynth as vs

CUTS = ["_SceneChangePrev", "_SceneChangeNext"]


def take(clip: vs.VideoNode) -> vs.VideoNode:
    """The GRAY clip of the _Alpha planes, tagged as full range (that is what coverage is) and with `clip`'s cuts."""
    plane = clip.std.PropToClip("_Alpha")
    return plane.std.CopyFrameProps(clip, props=CUTS).std.SetFrameProps(_Range=vs.RANGE_FULL)


def put(result: vs.VideoNode, clip: vs.VideoNode, plane: vs.VideoNode) -> vs.VideoNode:
    """`result` with the upscaled `plane` as _Alpha, which gets back the properties that `clip`'s _Alpha has."""
    return result.std.ClipToProp(plane.std.CopyFrameProps(clip.std.PropToClip("_Alpha")), "_Alpha")
