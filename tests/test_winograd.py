"""Winograd's convolutions, and the passes around them, against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vsduf.folded import Clamp
from vsduf.winograd import Scratch, add, clamp, convolve, prepare

PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=4)


def bounds(channels, generator):
    """Channels clamped from below, from above, and on both sides; what lies outside is none of their bounds."""
    low = torch.randn(channels, generator=generator) - 0.5
    high = low + torch.rand(channels, generator=generator)
    which = torch.randint(3, (channels,), generator=generator)
    rest = torch.randn(channels, generator=generator)
    return Clamp(torch.where(which == 0, -torch.inf, low), torch.where(which == 1, torch.inf, high), rest)


@given(st.integers(1, 19), st.integers(1, 19), PIECES, st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_any_rows_of_a_convolution(height, width, sizes, outputs, relu, seed):
    generator = torch.Generator().manual_seed(seed)
    pieces = [torch.randn(height, width, size, generator=generator) for size in sizes]
    kernel = torch.randn(outputs, sum(sizes), 3, 3, generator=generator) / (9 * sum(sizes)) ** 0.5
    bias, edge = torch.randn(outputs, generator=generator), bounds(sum(sizes), generator)

    joined = torch.cat(pieces, 2).clamp(edge.low, edge.high).double()
    around = edge.rest.double().expand(height + 2, width + 2, -1).clone()
    around[1:-1, 1:-1] = joined
    plain = F.conv2d(around.permute(2, 0, 1)[None], kernel.double(), bias.double())[0].permute(1, 2, 0)
    expected = plain.relu() if relu else plain

    first = seed % height
    rows = range(first, height - seed % (height - first))
    got, by = torch.full((len(rows), width, outputs), torch.nan), prepare(kernel, bias, edge, relu=relu)
    convolve(by, pieces, rows, got, Scratch())
    torch.testing.assert_close(got.double(), expected[rows.start : rows.stop], atol=2e-5, rtol=1e-5)


@given(st.integers(1, 9), PIECES, st.integers(0, 99))
def test_clamp_joins_pieces(pixels, sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    pieces = [torch.randn(2, pixels, size, generator=generator) for size in sizes]
    by, out = bounds(sum(sizes), generator), torch.empty(2, pixels, sum(sizes))
    clamp(pieces, by, out)
    assert torch.equal(out, torch.cat(pieces, 2).clamp(by.low, by.high))


@pytest.mark.parametrize("count", [2, 3])
def test_add_takes_channels_of_wider_pictures(count):
    wide = [torch.randn(5, 7, 20 + k) for k in range(count)]
    terms = [w[..., k : k + 16] for k, w in enumerate(wide)]
    expected = terms[0] + terms[1]
    assert torch.equal(add(terms), expected + terms[2] if count == 3 else expected)


def test_what_cannot_be_read_is_refused():
    picture = torch.randn(4, 6, 8)
    with pytest.raises(ValueError, match="equal distances"):
        add([picture[:, :3], picture[:, 3:]])
    with pytest.raises(ValueError, match="contiguous"):
        clamp([picture[..., :4]], bounds(4, torch.Generator()), torch.empty(4, 6, 4))


def test_scratch_is_used_again():
    scratch = Scratch()
    large = scratch.floats("a", 10, 10)
    assert scratch.floats("a", 5, 20).data_ptr() == large.data_ptr()
    assert scratch.floats("b", 5).data_ptr() != large.data_ptr()
    scratch.clear()
    assert scratch.floats("a", 2, 2).shape == (2, 2)
