"""Converts clips to RGB for the network and back to their own format, with zimg (core.resize).

RGB24, RGB48, RGBH and RGBS are not converted. All other formats become RGBS of the same transfer and primaries, so that
only matrix, range and chroma location matter. They are read from every frame: a clip may change them midway. Values
outside the nominal range (super-whites, floats beyond 0..1) are kept by RGBS and clipped only by integer formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import vapoursynth as vs

from vsduf.matrix import UNSPECIFIED, assumed_matrix

DIRECT = (vs.RGB24, vs.RGB48, vs.RGBH, vs.RGBS)
HALF_BITS = 10  # of samples that a half holds: a few per cent of them change, by 1 at most


class Colour(NamedTuple):
    """A frame's properties that zimg needs. chroma: _ChromaLocation, or -1 for zimg's default (left)."""

    matrix: int
    full_range: bool
    chroma: int


def colour_of(props: Mapping[str, Any], family: int, height: int) -> Colour:
    """Reads _Matrix, _Range and _ChromaLocation. family: vs.GRAY, vs.RGB or vs.YUV; height: the source's, in pixels.

    Combinations without a meaning (YUV with _Matrix=0) or a formula (_Matrix=11) are refused by zimg, with a message.
    """
    matrix = int(props.get("_Matrix", UNSPECIFIED))
    if family == vs.RGB:
        matrix = vs.MATRIX_RGB
    elif matrix == UNSPECIFIED or (matrix == vs.MATRIX_RGB and family == vs.GRAY):  # a plane of RGB may keep its tag
        matrix = assumed_matrix(height)
    full_range = bool(props.get("_Range", family == vs.RGB))
    return Colour(matrix, full_range, int(props.get("_ChromaLocation", -1)))


def to_rgb(clip: vs.VideoNode, half: bool = False) -> vs.VideoNode:
    """Returns the clip as the network reads it: unchanged if its format is in DIRECT, else RGBS of the same size.

    half: RGBH in place of RGBS for integers of at most HALF_BITS: half the bytes to and from a GPU, and a faster zimg.
    """
    if clip.format.id in DIRECT:
        return clip
    few_bits = clip.format.sample_type == vs.INTEGER and clip.format.bits_per_sample <= HALF_BITS
    rgb = vs.RGBH if half and few_bits else vs.RGBS

    def convert(colour: Colour) -> vs.VideoNode:
        tagged = clip.std.SetFrameProps(_Matrix=colour.matrix, _Range=int(colour.full_range))
        return tagged.resize.Bicubic(format=rgb)

    return _per_colour(clip.std.BlankClip(format=rgb, keep=True), clip, convert)


def from_rgb(rgb: vs.VideoNode, clip: vs.VideoNode) -> vs.VideoNode:
    """Returns `rgb` in the format of `clip` and with exactly its properties. rgb: of `to_rgb`'s format, any size."""
    if rgb.format.id == clip.format.id:
        return rgb.std.CopyFrameProps(clip)

    def convert(colour: Colour) -> vs.VideoNode:
        chroma = {"chromaloc": colour.chroma} if colour.chroma >= 0 and clip.format.color_family == vs.YUV else {}
        span = "full" if colour.full_range else "limited"
        return rgb.resize.Bicubic(format=clip.format.id, matrix=colour.matrix, range_s=span, **chroma)

    return _per_colour(rgb.std.BlankClip(format=clip.format.id, keep=True), clip, convert).std.CopyFrameProps(clip)


def _per_colour(template: vs.VideoNode, clip: vs.VideoNode, convert: Callable[[Colour], vs.VideoNode]) -> vs.VideoNode:
    """Converts each frame by the colour of `clip`'s frame of the same number, with one conversion node per colour."""
    family, height = clip.format.color_family, clip.height
    nodes: dict[Colour, vs.VideoNode] = {}

    def select(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        colour = colour_of(f.props, family, height)
        if colour not in nodes:
            nodes[colour] = convert(colour)
            nodes[colour].std.SetVideoCache(mode=0)  # FrameEval is its only reader, which VapourSynth cannot see
        return nodes[colour]

    return template.std.FrameEval(select, prop_src=[clip])
