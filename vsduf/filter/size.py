"""Computes the output's width and height: from the network's scale, or from the size that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import vapoursynth as vs

from vsduf.errors import ArgumentError
from vsduf.upscaler import SCALES

DEFAULT_SCALE = 4
SQUARE = Fraction(1)


class Output(NamedTuple):
    """The output of a clip. scale: of the network. width, height: pixels. sar: None leaves _SARNum and _SARDen."""

    scale: int
    width: int
    height: int
    sar: Fraction | None


def sample_aspect(props: Mapping[str, Any]) -> Fraction | None:
    """Returns the sample aspect ratio (SAR, a pixel's width over its height) that frame properties state, or None."""
    num, den = int(props.get("_SARNum", 0)), int(props.get("_SARDen", 0))
    return Fraction(num, den) if num > 0 and den > 0 else None


def fitted(
    source: tuple[int, int],
    box: tuple[int | None, int | None],
    sar: Fraction = SQUARE,
    multiple: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Returns the largest width and height that fit into `box` with the picture's aspect ratio kept.

    source: width and height in pixels. box: width and height, None for a side without limit; one of them is required.
    sar: the source's sample aspect ratio if the result is to have square pixels; 1 keeps the ratio of the samples.
    multiple: what width and height are rounded to, nearest for the dependent side, down for the limiting one.
    """
    aspect = Fraction(*source) * sar
    width, height = box
    if width is None or (height is not None and width > height * aspect):
        assert height is not None
        lines = max(multiple[1], height - height % multiple[1])
        return _nearest(lines * aspect, multiple[0], width), lines
    columns = max(multiple[0], width - width % multiple[0])
    return columns, _nearest(columns / aspect, multiple[1], height)


def output(
    clip: vs.VideoNode,
    props: Mapping[str, Any],
    scale: int | None = None,
    width: int | None = None,
    height: int | None = None,
    square: bool = False,
) -> Output:
    """Returns the output for a clip whose first frame has `props`.

    scale: default 4, or with a width or height the smallest of 2, 3 and 4 that reaches it. width, height: exact; if one
    is given, the other follows from the aspect ratio. square: corrects the width for square pixels. Raises
    ArgumentError for sizes that the clip's format cannot have.
    """
    fmt = clip.format
    multiple = 1 << fmt.subsampling_w, 1 << fmt.subsampling_h
    for name, side, factor in (("width", width, multiple[0]), ("height", height, multiple[1])):
        if side is not None and (side < 1 or side % factor):
            wanted = "1 or more" if factor == 1 else f"a multiple of {factor}, which {fmt.name} needs"
            raise ArgumentError(f"{name} is {side}; give {wanted}")
    source, stated = (clip.width, clip.height), sample_aspect(props)
    sar = SQUARE if square else None
    if width is None and height is None:
        scale = scale or DEFAULT_SCALE
        height = clip.height * scale
    if width is None or height is None:
        size = fitted(source, (width, height), (stated or SQUARE) if square else SQUARE, multiple)
    else:
        size = width, height
        if stated and not square:  # so that the stretched picture is shown in its own shape
            sar = stated * Fraction(*source) / Fraction(*size)
    return Output(scale or _reaching(source, size), size[0], size[1], sar)


def _reaching(source: tuple[int, int], size: tuple[int, int]) -> int:
    """Returns the smallest scale that reaches `size`, at most 4."""
    return next((s for s in SCALES if source[0] * s >= size[0] and source[1] * s >= size[1]), max(SCALES))


def _nearest(side: Fraction, multiple: int, most: int | None = None) -> int:
    """Returns the multiple nearest to `side`, at least one, and not above `most`."""
    count = round(side / multiple)
    return max(1, count if most is None else min(count, most // multiple)) * multiple
