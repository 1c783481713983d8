"""Formats and colour: the input's format and values are kept; matrix, range and chroma location of each frame count."""

import numpy as np
import pytest
import vapoursynth as vs
from helpers.clips import clip_of, every_format, noise, planes_of
from helpers.upscalers import Nearest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsduf.filter import graph
from vsduf.filter.colour import DIRECT

core = vs.core
FORMATS = every_format()


def tolerance(fmt):
    """Returns by how much conversion to float RGB and back may change a sample: rounding."""
    if fmt.id in DIRECT:
        return 0
    return {(0, 1): 0, (0, 2): 1, (1, 2): 1e-3, (1, 4): 1e-5}[fmt.sample_type, fmt.bytes_per_sample]


def enlarged(plane, scale):
    return plane.repeat(scale, 0).repeat(scale, 1)


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda f: f.name)
def test_the_output_has_the_format_rate_and_properties_of_the_input(fmt):
    source = noise(fmt.id, 16, 8, low=0.4, high=0.6)
    result = graph.upscale_with(source, Nearest(2))
    assert (result.format.id, result.width, result.height, len(result)) == (fmt.id, 32, 16, 1)
    assert (result.fps, dict(result.get_frame(0).props)) == (source.fps, dict(source.get_frame(0).props))
    luma, expected = planes_of(result)[0], enlarged(planes_of(source)[0], 2)
    assert np.abs(luma.astype(float) - expected).max() <= tolerance(fmt)


@settings(max_examples=60)
@given(st.sampled_from(FORMATS), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.sampled_from([2, 3, 4]))
def test_any_size_and_length(fmt, width, height, frames, scale):
    width, height = width << fmt.subsampling_w, height << fmt.subsampling_h
    source = noise(fmt.id, width, height, frames, low=0.4, high=0.6)
    result = graph.upscale_with(source, Nearest(scale))
    assert (result.width, result.height, len(result)) == (width * scale, height * scale, frames)
    luma, expected = planes_of(result, frames - 1)[0], enlarged(planes_of(source, frames - 1)[0], scale)
    assert np.abs(luma.astype(float) - expected).max() <= tolerance(fmt)


@pytest.mark.parametrize("fmt", DIRECT)
def test_rgb_of_8_and_16_bits_half_and_float_is_not_converted(fmt):
    source, upscaler = noise(fmt, 6, 5, low=0, high=1), Nearest(3)
    made = planes_of(graph.upscale_with(source, upscaler))
    for plane, seen, high in zip(planes_of(source), upscaler.seen[0], made, strict=True):
        assert seen.dtype == plane.dtype and (seen == plane).all() and (high == enlarged(plane, 3)).all()


@pytest.mark.parametrize("fmt", [vs.GRAY8, vs.GRAYS, vs.RGB30, vs.YUV420P8, vs.YUV444PH, vs.YUV422P16])
def test_other_formats_are_converted_to_float_rgb(fmt):
    upscaler = Nearest()
    graph.upscale_with(noise(fmt, 8, 8), upscaler).get_frame(0).close()
    assert [p.dtype for p in upscaler.seen[0]] == [np.float32] * 3


@pytest.mark.parametrize(("fmt", "kind"), [
    (vs.YUV420P8, np.float16), (vs.YUV444P10, np.float16), (vs.GRAY8, np.float16), (vs.YUV420P12, np.float32),
    (vs.YUV444PH, np.float32), (vs.RGB24, np.uint8),
])  # fmt: skip
def test_clips_of_up_to_10_bits_reach_a_half_precision_network_as_float16(fmt, kind):
    clip, half = noise(fmt, 8, 8), Nearest()
    half.half = True
    made = graph.upscale_with(clip, half)
    wanted = graph.upscale_with(clip, Nearest())
    for got, other in zip(planes_of(made), planes_of(wanted), strict=True):
        assert np.abs(got.astype(np.float64) - other).max() <= 1
    assert [p.dtype for p in half.seen[0]] == [kind] * 3


def seen_rgb(clip, n=0):
    upscaler = Nearest()
    graph.upscale_with(clip, upscaler).get_frame(n).close()
    return np.stack(upscaler.seen[n])


def zimg_rgb(clip, n=0, **arguments):
    return np.stack(planes_of(clip.resize.Bicubic(format=vs.RGBS, **arguments), n))


@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 8, 9])
def test_the_matrix_of_a_frame_is_honoured(matrix):
    source = noise(vs.YUV444P16, 8, 8, _Matrix=matrix)
    assert (seen_rgb(source) == zimg_rgb(source)).all()
    for plane, high in zip(planes_of(source), planes_of(graph.upscale_with(source, Nearest())), strict=True):
        assert np.abs(enlarged(plane, 2).astype(int) - high).max() <= 1


def test_constant_luminance_is_converted_by_its_transfer():
    source = noise(vs.YUV444P16, 8, 8, low=0.47, high=0.53, _Matrix=10, _Transfer=14, _Primaries=9)
    assert (seen_rgb(source) == zimg_rgb(source)).all()
    rgb = source.resize.Bicubic(format=vs.RGBS)
    back = rgb.resize.Bicubic(format=source.format.id, matrix=10)  # its rounding depends on the processor
    for plane, high in zip(planes_of(back), planes_of(graph.upscale_with(source, Nearest())), strict=True):
        assert np.abs(enlarged(plane, 2).astype(int) - high).max() <= 1
    assert np.abs(planes_of(back)[0].astype(int) - planes_of(source)[0]).max() < 64  # of 65535


@pytest.mark.parametrize(("height", "matrix"), [(576, 6), (578, 1)])
@pytest.mark.parametrize("unspecified", [{}, {"_Matrix": 2}])
def test_an_unspecified_matrix_follows_the_height(height, matrix, unspecified):
    source = noise(vs.YUV420P8, 8, height, **unspecified)
    assert (seen_rgb(source) == zimg_rgb(source.std.SetFrameProps(_Matrix=matrix))).all()
    assert dict(graph.upscale_with(source, Nearest()).get_frame(0).props) == dict(source.get_frame(0).props)


@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("fmt", [vs.YUV420P8, vs.GRAY8, vs.RGB30, vs.YUV444P10])
def test_range_is_honoured(fmt, full):
    family = core.get_video_format(fmt).color_family
    source = noise(fmt, 8, 8, _Range=full, _Matrix=0 if family == vs.RGB else 1)
    assert (seen_rgb(source) == zimg_rgb(source)).all()
    result, expected = planes_of(graph.upscale_with(source, Nearest()))[0], enlarged(planes_of(source)[0], 2)
    assert np.abs(result - expected.astype(float)).max() <= 1


def test_chroma_location_is_honoured_to_rgb_and_back():
    pictures = []
    for location in range(6):
        source = noise(vs.YUV420P16, 16, 16, _ChromaLocation=location, _Matrix=1)
        rgb = source.resize.Bicubic(format=vs.RGBS)
        assert (seen_rgb(source) == np.stack(planes_of(rgb))).all()
        back = rgb.resize.Point(32, 32).resize.Bicubic(format=vs.YUV420P16, matrix=1, range=0, chromaloc=location)
        result = planes_of(graph.upscale_with(source, Nearest()))
        assert all((a == b).all() for a, b in zip(result, planes_of(back), strict=True))
        pictures.append(result[1].tobytes())
    assert len(set(pictures)) == 6


def test_a_clip_may_change_its_colour_midway():
    parts = [
        noise(vs.YUV420P8, 8, 8, _Matrix=m, _Range=r, _ChromaLocation=c)
        for m, r, c in [(1, 0, 0), (6, 1, 1), (9, 0, 2)]
    ]
    whole = graph.upscale_with(core.std.Splice(parts), Nearest())
    for n, part in enumerate(parts):
        alone = graph.upscale_with(part, Nearest())
        assert all((a == b).all() for a, b in zip(planes_of(whole, n), planes_of(alone), strict=True))


def test_gray_is_upscaled_as_three_equal_planes_even_with_matrix_rgb():
    source = noise(vs.GRAY16, 8, 8)
    red, green, blue = seen_rgb(source)
    assert np.abs(red - green).max() < 1e-6 and np.abs(red - blue).max() < 1e-6
    tagged = source.std.SetFrameProps(_Matrix=0)
    assert dict(graph.upscale_with(tagged, Nearest()).get_frame(0).props)["_Matrix"] == 0
    assert (seen_rgb(tagged) == seen_rgb(source)).all()


@pytest.mark.parametrize("value", [0, 5, 15, 16, 128, 235, 236, 254, 255])
@pytest.mark.parametrize("full", [0, 1])
def test_values_of_8_bits_outside_the_nominal_range_are_kept(value, full):
    planes = [np.full((4, 4), v, np.uint8) for v in (value, 128, 128)]
    result = graph.upscale_with(clip_of([planes], vs.YUV444P8, _Range=full), Nearest())
    assert [set(p.ravel()) for p in planes_of(result)] == [{value}, {128}, {128}]


@pytest.mark.parametrize("fmt", [vs.GRAYS, vs.GRAYH, vs.RGBS, vs.RGBH, vs.YUV444PS, vs.YUV444PH])
def test_floats_outside_0_to_1_are_kept(fmt):
    form = core.get_video_format(fmt)
    values = np.linspace(-2, 3, 16, dtype=f"f{form.bytes_per_sample}").reshape(4, 4)
    result = graph.upscale_with(clip_of([[values] * form.num_planes], fmt), Nearest())
    for plane in planes_of(result):
        assert np.abs(plane.astype(float) - enlarged(values, 2)).max() < (2e-3 if values.itemsize == 2 else 1e-5)
