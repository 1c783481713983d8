"""Examines a clip: reads groups of frames spread over it, and gathers what tags state and what pictures show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import vapoursynth as vs

from vsduf.analysis import fields, picture
from vsduf.analysis.fields import Fields, Luma
from vsduf.analysis.picture import Borders
from vsduf.matrix import UNSPECIFIED

GROUPS, LENGTH = 12, 12  # groups of consecutive frames, and frames of a group: two cadences and their neighbours


@dataclass(frozen=True)
class Facts:
    """What is known of a clip.

    width, height: pixels. frames: number. rate: frames a second, 0 if variable. marked: field order of the tags,
    "progressive", "top", "bottom", or "mixed" where frames differ. fields: what the pictures show. repeats: share of
    frames that show the frame before again. borders: black ones. noise: standard deviation in levels of 255. blocking:
    excess of steps at block edges. sar: sample aspect ratio. matrix, chroma: codes of the tags, None where untagged.
    full_range: None where untagged. looked_at: number of frames that were read.
    """

    width: int
    height: int
    frames: int
    rate: Fraction
    marked: str
    fields: Fields
    repeats: float
    borders: Borders
    noise: float
    blocking: float
    sar: Fraction
    matrix: int | None
    full_range: bool | None
    chroma: int | None
    looked_at: int


def examine(clip: vs.VideoNode, progress: Callable[[int], None] = lambda done: None) -> Facts:
    """Examines a clip of constant format and size. progress: called with the number of groups read, of GROUPS.

    Raises vs.Error for a clip that cannot be decoded.
    """
    luma = _luma(clip)
    groups: list[list[Luma]] = []
    marks: set[int] = set()
    for done, first in enumerate(_starts(clip.num_frames), 1):
        frames = range(first, min(first + LENGTH, clip.num_frames))
        groups.append([np.asarray(luma.get_frame(n)[0]).astype(np.float32)[: clip.height // 2 * 2] for n in frames])
        marks |= {int(clip.get_frame(n).props.get("_FieldBased", 0)) for n in frames}
        progress(done)
    found = fields.classify(groups)
    middles = [group[len(group) // 2] for group in groups]
    whole = [frame[0::2] for frame in middles] if found.kind in ("interlaced", "hybrid") else middles  # one field
    props = clip.get_frame(clip.num_frames // 2).props
    return Facts(
        width=clip.width,
        height=clip.height,
        frames=clip.num_frames,
        rate=Fraction(clip.fps),
        marked={0: "progressive", 1: "bottom", 2: "top"}[marks.pop()] if len(marks) == 1 else "mixed",
        fields=found,
        repeats=picture.repeated(groups),
        borders=picture.borders(middles),
        noise=picture.noise(whole),
        blocking=picture.blocking(whole),
        sar=_sar(props),
        matrix=_stated(props, "_Matrix", UNSPECIFIED),
        full_range=bool(props["_Range"]) if "_Range" in props else None,
        chroma=_stated(props, "_ChromaLocation", -1),
        looked_at=sum(map(len, groups)),
    )


def _starts(length: int) -> list[int]:
    """Returns the first frames of the groups, evenly spread, without the first and last moments of a long film."""
    if length <= GROUPS * LENGTH:
        return list(range(0, length, LENGTH))
    edge = length // 50
    return [edge + (length - LENGTH - 2 * edge) * k // (GROUPS - 1) for k in range(GROUPS)]


def _luma(clip: vs.VideoNode) -> vs.VideoNode:
    """Returns the luma as 8-bit full range; RGB's green stands for it."""
    plane = clip.std.ShufflePlanes(1 if clip.format.color_family == vs.RGB else 0, vs.GRAY)
    limited = clip.format.color_family == vs.YUV
    return plane.resize.Point(format=vs.GRAY8, range_in_s="limited" if limited else "full", range_s="full")


def _sar(props: Any) -> Fraction:
    across, down = int(props.get("_SARNum", 1)), int(props.get("_SARDen", 1))
    return Fraction(across, down) if across > 0 and down > 0 else Fraction(1)


def _stated(props: Any, name: str, unstated: int) -> int | None:
    value = int(props.get(name, unstated))
    return None if value == unstated else value
