"""Refuses clips that cannot be upscaled, before any frame is made."""

from __future__ import annotations

import vapoursynth as vs

from vsduf.errors import ArgumentError
from vsduf.filter import colour
from vsduf.upscaler import SCALES

MAX_PIXELS = 2**29  # of an output plane: 2 GiB as float; offsets into three planes stay within 32 bits


def check_clip(clip: vs.VideoNode) -> vs.VideoFrame:
    """Returns the clip's first frame; raises ArgumentError if the clip cannot be upscaled."""
    if not isinstance(clip, vs.VideoNode):
        raise ArgumentError(f"the clip is of type {type(clip).__name__}; give a VapourSynth video node")
    _check_format(clip)
    try:
        first = colour.to_rgb(clip).get_frame(0)
    except vs.Error as error:
        raise ArgumentError(f"the clip's first frame cannot be read as RGB: {error}") from error
    check_progressive(first)
    return first


def check_scale(scale: int) -> None:
    """Raises ArgumentError for a scale other than 2, 3 and 4."""
    if scale not in SCALES:
        raise ArgumentError(f"scale is {scale}; give 2, 3 or 4")


def check_pixels(width: int, height: int) -> None:
    """Raises ArgumentError for a picture that is too large."""
    if width * height > MAX_PIXELS:
        raise ArgumentError(
            f"the output would be {width}x{height}, more than {MAX_PIXELS} pixels; "
            "crop the clip, or lower its scale or size"
        )


def check_progressive(frame: vs.VideoFrame) -> None:
    """Raises ArgumentError if _FieldBased says that the frame is interlaced."""
    if frame.props.get("_FieldBased", 0):
        raise ArgumentError(
            f"the clip is field-based (_FieldBased={int(frame.props['_FieldBased'])}); deinterlace it first, "
            "or if its frames are in fact progressive, use std.SetFrameProps(_FieldBased=0)"
        )


def _check_format(clip: vs.VideoNode) -> None:
    fmt = clip.format
    if fmt is None or fmt.color_family == vs.UNDEFINED:
        raise ArgumentError("the clip has variable format; convert it to one, or cut it into constant parts first")
    if not clip.width or not clip.height:
        raise ArgumentError(f"the clip is {fmt.name} of variable size; cut it into constant parts first")
    if fmt.sample_type == vs.INTEGER and fmt.bits_per_sample > 16:
        raise ArgumentError(f"the clip is {fmt.name}; convert it to at most 16 bits or to float first")
