"""Interlacing: refuses films whose frames are marked as interlaced, and passes single marked frames on with a warning.

Marks come with decoded frames, so that those of a whole film are known only when all of it has been decoded.
"""

from __future__ import annotations

import functools
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import MediaError

CHECKED_FRAMES = 8  # spread over the film
FFMPEG = "deinterlace it first (ffmpeg -i IN -vf bwdif -c:a copy OUT.mkv)"


def check_progressive(path: Path, clip: vs.VideoNode, remedy: str = FFMPEG) -> None:
    """Raises MediaError if frames spread over the clip are interlaced. remedy: ends the sentence."""
    for frame in sorted({clip.num_frames * part // CHECKED_FRAMES for part in range(CHECKED_FRAMES)}):
        with clip.get_frame(frame) as picture:
            order = int(picture.props.get("_FieldBased", 0))
        if order:
            which = "top" if order == vs.FIELD_TOP else "bottom"
            raise MediaError(f"{path} is interlaced ({which} field first); {remedy}")


def as_progressive(clip: vs.VideoNode) -> vs.VideoNode:
    """Returns the clip with every frame marked as progressive; the first one that was not is named in a warning."""
    return clip.std.ModifyFrame(clip, functools.partial(_unmark, set()))


def _unmark(warned: set[int], n: int, f: vs.VideoFrame) -> vs.VideoFrame:
    if not f.props.get("_FieldBased", 0):
        return f
    if not warned:
        warned.add(n)
        text = f"frame {n} and perhaps others are marked as interlaced; they are taken as progressive"
        vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"{text}; deinterlace the film first if they show combs")
    frame = f.copy()
    frame.props["_FieldBased"] = int(vs.FIELD_PROGRESSIVE)
    return frame
