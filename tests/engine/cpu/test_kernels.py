"""Every set of kernels that this processor runs: the plain network's pictures, the same bytes from any threads."""

import numpy as np
import pytest
import torch
from helpers.engines import expected, footage, make, upscale
from helpers.networks import random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from vsduf.engine.cpu.library import kernels, native_planes
from vsduf.engine.engine import cpu_kernels
from vsduf.network.duf import DufConfig
from vsduf.network.weights import arrays

NARROW = DufConfig(2, 6, 16, True, stem=32, merge=64, filter_hidden=128, residual_hidden=64)


def test_the_fastest_comes_first():
    assert cpu_kernels() == kernels()[0]
    assert kernels()[-1] == "portable"


@pytest.mark.parametrize("name", kernels())
@pytest.mark.parametrize("config", [DufConfig(4, 6, 32, True), DufConfig(3, 6, 32), NARROW])
def test_equals_the_plain_network(name, config):
    weights, source = random_weights(config), footage(4, 21, 34)
    engine = make(weights, source, kernels=name)
    for n in (0, 1):
        np.testing.assert_allclose(upscale(engine, source, n), expected(weights, source, n), atol=3e-6)


SIZES = st.integers(1, 40)


@settings(max_examples=25)
@given(
    name=st.sampled_from(kernels()), scale=st.sampled_from([2, 3, 4]), streaming=st.booleans(), stem=st.integers(6, 40),
    growth=SIZES, merge=SIZES, filters=SIZES, residual=SIZES, height=st.integers(1, 20), width=st.integers(1, 30),
    border=st.sampled_from(["learned", "extended"]),
)  # fmt: skip
def test_any_widths_and_sizes(name, scale, streaming, stem, growth, merge, filters, residual, height, width, border):
    config = DufConfig(scale, 4, growth, streaming, stem, merge, filters, residual)
    weights, source = random_weights(config, border=border), footage(2, height, width)
    with torch.no_grad():
        want = expected(weights, source, 0)
    np.testing.assert_allclose(upscale(make(weights, source, kernels=name), source, 0), want, atol=5e-6)


@pytest.mark.parametrize("name", kernels())
@pytest.mark.parametrize("size", [(70, 90), (9, 400)])
def test_any_number_of_threads_gives_the_same_bytes(name, size):
    weights, source = random_weights(NARROW), footage(8, *size, np.uint16)
    engines = [make(weights, source, threads=threads, kernels=name) for threads in (1, 2, 7, 64)]
    for n in (3, 4, 0):
        pictures = {upscale(engine, source, n).tobytes() for engine in engines}
        assert len(pictures) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("name", kernels())
def test_what_is_no_number_is_black_in_integers_and_stays_in_floats(name, dtype):
    weights, source = random_weights(NARROW), footage(1, 5, 6, dtype)
    with torch.no_grad():
        for key in ("filter_head.2.bias", "residual_head.2.bias"):
            weights.state[key][...] = torch.nan
    picture = upscale(make(weights, source, kernels=name), source, 0)
    assert np.isnan(picture).all() if np.issubdtype(dtype, np.floating) else not picture.any()


def test_every_half_precision_number_survives_both_conversions():
    from vsduf.network.duf import Duf

    source = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(1, 1, 256, 256).repeat(3, 1)
    finite = np.isfinite(source[0])
    source = np.where(finite[None], source, np.float16(1))
    weights = random_weights(NARROW)
    network = Duf(NARROW)
    with torch.no_grad():
        for parameter in network.residual_head.parameters():
            parameter.zero_()
        for parameter in network.filter_head.parameters():
            parameter.zero_()
        network.filter_head[2].bias.view(25, 4)[12] = 200.0  # all weight on the pixel itself
    weights.state.update({k: v for k, v in arrays(network.state_dict()).items() if "head" in k})
    picture = upscale(make(weights, source), source, 0)
    np.testing.assert_array_equal(picture[:, ::2, ::2], source[0])


def test_planes_that_the_library_cannot_read_are_refused():
    plane = np.zeros((4, 6), np.float32)
    for planes, message in [
        ([plane, plane, plane[:, :5]], "one shape"),
        ([plane, plane, plane.astype(np.uint8)], "one shape"),
        ([plane[:, ::2]] * 3, "contiguous rows"),
        ([plane.astype(np.float64)] * 3, "float64"),
        ([plane] * 2, "2 planes"),
    ]:
        with pytest.raises(ValueError, match=message):
            native_planes(planes, 0, 0)
