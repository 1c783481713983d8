"""The output's size: any width and height from the network's picture, in its aspect ratio, in its place."""

from fractions import Fraction

import numpy as np
import pytest
import vapoursynth as vs
from helpers.clips import clip_of, noise, planes_of
from helpers.upscalers import Nearest
from hypothesis import given
from hypothesis import strategies as st

import vsduf
from vsduf.errors import ArgumentError
from vsduf.filter import graph
from vsduf.filter.size import fitted, output
from vsduf.siting import Siting

core = vs.core
PAL, NTSC = {"_SARNum": 16, "_SARDen": 15}, {"_SARNum": 8, "_SARDen": 9}


def size_of(clip, props=None, **asked):
    made = output(clip, props or {}, **asked)
    return made.scale, made.width, made.height


@pytest.mark.parametrize(("asked", "expected"), [
    ({}, (4, 2880, 2304)),
    ({"scale": 3}, (3, 2160, 1728)),
    ({"height": 1080}, (2, 1350, 1080)),
    ({"width": 1920}, (3, 1920, 1536)),
    ({"width": 1920, "height": 1080}, (3, 1920, 1080)),
    ({"height": 4320}, (4, 5400, 4320)),
    ({"height": 1080, "scale": 4}, (4, 1350, 1080)),
    ({"height": 1080, "square": True}, (2, 1440, 1080)),
    ({"width": 1440, "square": True}, (2, 1440, 1080)),
    ({"scale": 2, "square": True}, (2, 1536, 1152)),
])  # fmt: skip
def test_sizes_of_a_pal_dvd(asked, expected):
    clip = core.std.BlankClip(format=vs.YUV420P8, width=720, height=576)
    assert size_of(clip, PAL, **asked) == expected


def test_an_ntsc_dvd_with_square_pixels():
    clip = core.std.BlankClip(format=vs.YUV420P8, width=720, height=480)
    assert size_of(clip, NTSC, height=1080, square=True) == (3, 1440, 1080)
    assert size_of(clip, {}, height=1080, square=True) == (3, 1620, 1080)


sides = st.integers(1, 300)


@given(st.tuples(sides, sides), st.tuples(st.none() | sides, sides), st.fractions(Fraction(1, 2), 2),
       st.sampled_from([(1, 1), (2, 2), (2, 1), (4, 4)]))  # fmt: skip
def test_a_fitted_size_lies_in_its_box_and_touches_it(source, box, sar, multiple):
    width, height = fitted(source, box, sar, multiple)
    assert width % multiple[0] == 0 and height % multiple[1] == 0 and width and height
    for side, limit, step in zip((width, height), box, multiple, strict=True):
        assert limit is None or side <= max(limit, step)
    aspect = Fraction(*source) * sar
    touches_width = box[0] is not None and box[0] - width < multiple[0]
    touches_height = box[1] - height < multiple[1]
    assert touches_width or touches_height
    if touches_height and not touches_width:
        assert abs(width - height * aspect) <= multiple[0]


@pytest.mark.parametrize("fmt", [vs.YUV420P8, vs.YUV444P16, vs.RGB24, vs.RGBS, vs.GRAY16])
def test_the_clip_has_that_size_and_its_own_format(fmt):
    source = noise(fmt, 24, 16, 2, **PAL)
    made = graph.upscale_with(source, Nearest(4), width=60, height=36)
    assert (made.width, made.height, made.format.id, made.num_frames) == (60, 36, fmt, 2)
    sar = Fraction(16, 15) * Fraction(24, 16) / Fraction(60, 36)
    props = dict(source.get_frame(1).props) | {"_SARNum": sar.numerator, "_SARDen": sar.denominator}
    assert dict(made.get_frame(1).props) == props


def test_square_pixels_are_tagged_and_other_sizes_keep_their_tags():
    source = noise(vs.YUV420P8, 30, 16, **PAL)
    square = graph.upscale_with(source, Nearest(2), square=True)
    assert (square.width, square.height) == (64, 32)
    props = square.get_frame(0).props
    assert (props["_SARNum"], props["_SARDen"]) == (1, 1)
    kept = graph.upscale_with(source, Nearest(2), height=24).get_frame(0).props
    assert (kept["_SARNum"], kept["_SARDen"]) == (16, 15)
    assert (
        "_SARNum"
        not in graph.upscale_with(noise(vs.YUV420P8, 30, 16), Nearest(2), width=40, height=40).get_frame(0).props
    )


def wave(y, x):
    return 0.5 + 0.25 * np.sin(0.21 * x + 0.3) * np.cos(0.17 * y)


class Exact(Nearest):
    """Samples the wave where an upscaler of this scale and siting puts its pixels; the unit is an LR pixel."""

    def __call__(self, window, frames, out):
        first = 0 if self.siting == Siting.TOP_LEFT else (1 / self.scale - 1) / 2
        rows, columns = np.mgrid[: out[0].shape[0], : out[0].shape[1]] / self.scale + first
        for plane in out:
            plane[...] = wave(rows, columns)


@pytest.mark.parametrize("siting", Siting)
@pytest.mark.parametrize(("width", "height"), [(100, 70), (80, 56), (130, 90)])
def test_any_size_lies_where_the_resizers_put_it(siting, width, height):
    source = clip_of([[np.zeros((28, 40), np.float32)] * 3], vs.RGBS)
    made = planes_of(graph.upscale_with(source, Exact(2, siting), width=width, height=height))[0]
    rows, columns = np.mgrid[:height, :width] + 0.5
    truth = wave(rows * 28 / height - 0.5, columns * 40 / width - 0.5)
    margin = np.s_[8:-8, 8:-8]
    assert np.abs(made - truth)[margin].max() < 2e-3


def test_alpha_gets_the_picture_s_size():
    source = noise(vs.RGB24, 16, 12).std.ClipToProp(noise(vs.GRAY8, 16, 12), "_Alpha")
    made = graph.upscale_with(source, Nearest(2), alpha=Nearest(2), width=40, height=26)
    alpha = made.get_frame(0).props["_Alpha"]
    assert (made.width, made.height, alpha.width, alpha.height) == (40, 26, 40, 26)


@pytest.mark.parametrize(("asked", "said"), [
    ({"width": 0}, "width is 0; give a multiple of 2, which YUV420P8 needs"),
    ({"height": 33}, "height is 33; give a multiple of 2"),
    ({"width": -8}, "width is -8"),
    ({"width": 2**20, "height": 2**20}, "the output would be 1048576x1048576"),
])  # fmt: skip
def test_sizes_that_cannot_be_made(asked, said):
    with pytest.raises(vs.Error) as caught:
        graph.upscale_with(noise(vs.YUV420P8, 16, 16), Nearest(2), **asked)
    assert str(caught.value).startswith(f"Upscale: {said}")
    with pytest.raises(ArgumentError, match="give 1 or more"):
        output(noise(vs.GRAY8, 4, 4), {}, width=0)


def test_both_ways_to_call_take_a_size():
    clip = noise(vs.YUV420P8, 16, 16)
    for made in (core.duf.Upscale(clip, height=40, square=1), vsduf.upscale(clip, height=40, square=True)):
        assert (made.width, made.height) == (40, 40)
        made.get_frame(0).close()
