"""The _Alpha frame property: a plane that is upscaled like the picture, with the picture's scene cuts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vapoursynth as vs

from vsduf.errors import ArgumentError

CUTS = ["_SceneChangePrev", "_SceneChangeNext"]


def take(clip: vs.VideoNode) -> vs.VideoNode:
    """Returns the _Alpha planes of `clip`'s frames as a GRAY clip.

    Raises ArgumentError if the first frame's _Alpha is not a GRAY frame. A later frame without _Alpha, or with one of
    another format or size, is that frame's error.
    """
    first = clip.get_frame(0).props["_Alpha"]
    if not isinstance(first, vs.VideoFrame) or first.format.color_family != vs.GRAY:
        raise ArgumentError("the frames' _Alpha is not a GRAY frame; remove it with std.RemoveFrameProps")
    planes = clip.std.PropToClip("_Alpha")

    def select(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        fault = _fault(f.props, planes)
        mend = "or remove it with std.RemoveFrameProps"
        return _failing(planes, f"Upscale: frame {n}: {fault}, {mend}") if fault else planes

    return planes.std.FrameEval(select, prop_src=[clip])


def tagged(planes: vs.VideoNode, clip: vs.VideoNode) -> vs.VideoNode:
    """Returns `planes` tagged as full range and with `clip`'s scene cuts."""
    return planes.std.CopyFrameProps(clip, props=CUTS).std.SetFrameProps(_Range=vs.RANGE_FULL)


def put(result: vs.VideoNode, upscaled: vs.VideoNode, planes: vs.VideoNode) -> vs.VideoNode:
    """Returns `result` with the `upscaled` planes as _Alpha, under the properties that `planes` have."""
    return result.std.ClipToProp(upscaled.std.CopyFrameProps(planes), "_Alpha")


def _fault(props: Mapping[str, Any], planes: vs.VideoNode) -> str:
    """Returns what is wrong with a frame's _Alpha, or an empty string. planes: a clip of the expected format."""
    alpha = props.get("_Alpha")
    if not isinstance(alpha, vs.VideoFrame):
        return "_Alpha is on some frames only; give one to every frame"
    if (alpha.format.id, alpha.width, alpha.height) == (planes.format.id, planes.width, planes.height):
        return ""
    return (
        f"its _Alpha is {alpha.format.name} of {alpha.width}x{alpha.height}, the first frame's is {planes.format.name} "
        f"of {planes.width}x{planes.height}; give all frames the same"
    )


def _failing(like: vs.VideoNode, sentence: str) -> vs.VideoNode:
    """Returns a GRAY clip of `like`'s format and size whose frames fail with that text."""
    kind = like.format
    rgb = vs.core.query_video_format(vs.RGB, kind.sample_type, kind.bits_per_sample).id
    blank = vs.core.std.BlankClip(None, like.width, like.height, rgb, length=len(like))
    failing = vs.core.duf.Window(blank, 0, 1, lambda n, first, frames: sentence, parallel=1)
    return failing.std.ShufflePlanes(0, vs.GRAY)
