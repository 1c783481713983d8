"""Finds the format nearest to a clip's that an encoder takes, and converts clips to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set

import vapoursynth as vs

from vsduf.errors import MediaError
from vsduf.film import matroska
from vsduf.matrix import UNSPECIFIED, assumed_matrix

SAME = {  # layouts that hold the same samples in another order, for encoders that do not take the first
    "gbrp": ("rgb24", "bgr24", "bgr0"),
    "gbrap": ("rgba", "bgra", "argb"),
    "yuv420p": ("nv12",),
    "yuv420p10le": ("p010le",),
    "yuv422p10le": ("p210le",),
    "yuv444p10le": ("yuv444p10msble",),
}


def nearest(form: vs.VideoFormat, layouts: Set[str], alpha: bool = False) -> tuple[vs.VideoFormat, str] | None:
    """Returns the format closest to `form` for which an encoder has one of `layouts`, and that layout.

    alpha: consider layouts with an alpha channel only.

    Depth is kept before chroma, chroma before the colour family; what is not lost is added as little as can be.
    """
    found = [(other, layout) for other in _formats() if (layout := layout_of(other, layouts, alpha))]
    fitting = [pair for pair in found if form.color_family == vs.GRAY or pair[0].color_family != vs.GRAY]
    return min(fitting, key=lambda pair: _distance(form, pair[0]), default=None)


def layout_of(form: vs.VideoFormat, layouts: Set[str], alpha: bool = False) -> str | None:
    """Returns the one of `layouts` that holds the samples of `form` (and alpha values), None if there is none."""
    try:
        name = matroska.pixels(form, alpha).name
    except MediaError:
        return None
    return next((layout for layout in (name, *SAME.get(name, ())) if layout in layouts), None)


def has_alpha(clip: vs.VideoNode) -> bool:
    """Tells whether the clip's first frame, and so every one, has an alpha channel in its property _Alpha."""
    with clip.get_frame(0) as frame:
        return matroska.ALPHA in frame.props


def convert(clip: vs.VideoNode, form: vs.VideoFormat, alpha: bool = False) -> vs.VideoNode:
    """Returns the clip in another format: chroma by Bicubic, fewer bits by error diffusion.

    alpha: whether its frames have an alpha channel to convert too; without, _Alpha is removed. Raises MediaError for an
    alpha channel of another size.
    """
    if alpha:
        channel = clip.std.PropToClip(matroska.ALPHA)
        if (channel.width, channel.height) != (clip.width, clip.height):
            sizes = f"{channel.width}x{channel.height} on frames of {clip.width}x{clip.height}"
            raise MediaError(f"_Alpha is {sizes}; resize it to their size, or remove it with std.RemoveFrameProps")
        gray = vs.core.query_video_format(vs.GRAY, vs.INTEGER, form.bits_per_sample)
        return convert(clip, form).std.ClipToProp(convert(channel, gray), prop=matroska.ALPHA)
    clip = clip.std.RemoveFrameProps(matroska.ALPHA)
    if clip.format.id == form.id:
        return clip
    matrix = {}
    if clip.format.color_family != form.color_family:
        with clip.get_frame(0) as frame:
            tagged = frame.props.get("_Matrix", UNSPECIFIED)
        known = clip.format.color_family == vs.YUV and tagged not in (UNSPECIFIED, vs.MATRIX_RGB)
        key = "matrix_in" if clip.format.color_family == vs.YUV else "matrix"
        matrix = {} if known else {key: assumed_matrix(clip.height)}
    return clip.resize.Bicubic(format=form.id, dither_type="error_diffusion", **matrix)


def tag_assumed(clip: vs.VideoNode, source: vs.VideoNode) -> vs.VideoNode:
    """Returns a clip enlarged from `source` with the matrix that untagged `source` was taken for.

    Only where players would assume another one for the larger picture. The first frame says whether there is a tag.
    """
    if clip.format.color_family != vs.YUV or assumed_matrix(source.height) == assumed_matrix(clip.height):
        return clip
    with source.get_frame(0) as frame:
        tagged = frame.props.get("_Matrix", UNSPECIFIED) != UNSPECIFIED
    return clip if tagged else clip.std.SetFrameProps(_Matrix=assumed_matrix(source.height))


def holds(form: vs.VideoFormat, other: vs.VideoFormat) -> bool:
    """Whether samples of `other` go into `form` without loss: the same family, no fewer bits, no coarser chroma."""
    return bool(
        form.color_family == other.color_family
        and form.bits_per_sample >= other.bits_per_sample
        and form.subsampling_w <= other.subsampling_w
        and form.subsampling_h <= other.subsampling_h
    )


def _formats() -> Iterator[vs.VideoFormat]:
    shapes = [(vs.GRAY, 0, 0), (vs.RGB, 0, 0)] + [(vs.YUV, w, h) for w in range(3) for h in range(3)]
    for (family, w, h), bits in itertools.product(shapes, (8, 9, 10, 12, 14, 16)):
        yield vs.core.query_video_format(family, vs.INTEGER, bits, w, h)


def _distance(form: vs.VideoFormat, other: vs.VideoFormat) -> tuple[int, ...]:
    grey = form.color_family == vs.GRAY  # which any subsampling holds
    wide = other.subsampling_w - (2 if grey else form.subsampling_w)
    high = other.subsampling_h - (2 if grey else form.subsampling_h)
    bits = other.bits_per_sample - form.bits_per_sample
    return (
        max(0, -bits),
        max(0, wide) + max(0, high),
        int(other.color_family != form.color_family),
        max(0, -wide) + max(0, -high),
        max(0, bits),
    )
