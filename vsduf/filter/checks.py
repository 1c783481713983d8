"""What `upscale` refuses of a clip before any frame is made, each by name."""

from __future__ import annotations

from collections.abc import Sequence

import vapoursynth as vs

from vsduf.errors import ArgumentError
from vsduf.filter import colour

SCALES = (2, 3, 4)
MAX_PIXELS = 2**29  # of an output plane: 2 GiB as float, and offsets into three planes stay within 32 bits


def check_clip(clip: vs.VideoNode, scale: int) -> vs.VideoFrame:
    """The clip's first frame; raises ArgumentError where the clip cannot be upscaled `scale` times."""
    if not isinstance(clip, vs.VideoNode):
        raise ArgumentError(f"the clip is of type {type(clip).__name__}; give a VapourSynth video node")
    if scale not in SCALES:
        raise ArgumentError(f"scale is {scale}; give 2, 3 or 4")
    _check_format(clip)
    width, height = clip.width * scale, clip.height * scale
    if width * height > MAX_PIXELS:
        raise ArgumentError(
            f"the output would be {width}x{height}, more than {MAX_PIXELS} pixels; crop the clip or lower scale"
        )
    try:
        first = colour.to_rgb(clip).get_frame(0)
    except vs.Error as error:
        raise ArgumentError(f"the clip's first frame cannot be read as RGB: {error}") from error
    check_progressive(first)
    return first


def _check_format(clip: vs.VideoNode) -> None:
    fmt = clip.format
    if fmt is None or fmt.color_family == vs.UNDEFINED:
        raise ArgumentError("the clip has variable format; convert it to one, or cut it into constant parts first")
    if not clip.width or not clip.height:
        raise ArgumentError(f"the clip is {fmt.name} of variable size; cut it into constant parts first")
    if fmt.sample_type == vs.INTEGER and fmt.bits_per_sample > 16:
        raise ArgumentError(f"the clip is {fmt.name}; convert it to at most 16 bits or to float first")


def check_progressive(frame: vs.VideoFrame) -> None:
    """Raises ArgumentError where _FieldBased says that the frame is interlaced."""
    if frame.props.get("_FieldBased", 0):
        raise ArgumentError(
            f"the clip is field-based (_FieldBased={int(frame.props['_FieldBased'])}); deinterlace it first, "
            "or if it is progressive in truth, use std.SetFrameProps(_FieldBased=0)"
        )


def pair(tilesize: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Width and height of a tile, from one number or two; raises ArgumentError for any other count."""
    if tilesize is None:
        return None
    sizes = [tilesize] if isinstance(tilesize, int) else list(tilesize)
    if len(sizes) not in (1, 2):
        raise ArgumentError(f"tilesize has {len(sizes)} values; give one, or width and height")
    return sizes[0], sizes[-1]
