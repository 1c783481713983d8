"""Winograd's convolutions, and the passes around them, against torch's own."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vsduf.engine.cpu.library import library_path
from vsduf.engine.cpu.pixels import add, clamp
from vsduf.engine.cpu.winograd import convolve, prepare
from vsduf.engine.folded import Clamp
from vsduf.engine.scratch import Scratch

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
    around = edge.padding_value.double().expand(height + 2, width + 2, -1).clone()
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
    by, out = bounds(sum(sizes), generator), torch.empty(2 * pixels, sum(sizes))
    clamp(pieces, by, out)
    assert torch.equal(out, torch.cat(pieces, 2).flatten(0, 1).clamp(by.low, by.high))


@pytest.mark.parametrize("count", [2, 3])
def test_add_takes_channels_of_wider_pictures(count):
    wide = [torch.randn(5, 7, 20 + k) for k in range(count)]
    terms = [w[..., k : k + 16] for k, w in enumerate(wide)]
    expected = terms[0] + terms[1]
    assert torch.equal(add(terms), expected + terms[2] if count == 3 else expected)


def test_what_cannot_be_read_is_refused():
    picture, by, out = torch.randn(4, 6, 8), bounds(8, torch.Generator()), torch.empty(24, 8)
    with pytest.raises(ValueError, match="equal distances"):
        add([picture[:, :3], picture[:, 3:]])
    with pytest.raises(ValueError, match="contiguous"):
        clamp([picture[..., :4], picture[..., 4:]], by, out)
    with pytest.raises(ValueError, match="do not make a picture of 8 channels"):
        clamp([picture, picture], by, out)
    with pytest.raises(ValueError, match="float32"):
        clamp([picture.double()], by, out)
    with pytest.raises(ValueError, match=r"the result is \(4, 8\)"):
        clamp([picture], by, out[:4])
    convolution = prepare(torch.randn(5, 8, 3, 3), torch.randn(5), by)
    with pytest.raises(ValueError, match=r"it must be \(2, 6, 5\), contiguous"):
        convolve(convolution, [picture], range(1, 3), torch.empty(2, 5, 6).transpose(1, 2), Scratch())


EVERY = """
import pathlib, sys
import numpy as np
if "torch" in sys.argv: import torch
from ctypes import CDLL, POINTER, c_float, c_int, c_void_p

def run(threads):
    random = np.random.default_rng(0)
    def some(*shape): return random.random(shape, np.float32)
    def at(array): return c_void_p(array.ctypes.data)
    a, b, low, high = some(70, 90, 40), some(70, 90, 24), some(64) - 1, some(64) + 0.5
    pieces, channels = (c_void_p * 2)(a.ctypes.data, b.ctypes.data), (c_int * 2)(40, 24)
    split, plane = np.zeros((36, 18 * 23, 64), np.float32), 18 * 23 * 64
    library.vsduf_winograd_split(
        pieces, channels, 2, at(low), at(high), at(low), at(split), SIZE(plane), 70, 90, 0, 70, threads)
    joined, clamped, summed = np.zeros_like(some(70, 90, 64)), np.zeros((70 * 90, 64), np.float32), np.zeros_like(b)
    library.vsduf_winograd_join(at(split), SIZE(plane), at(low), at(joined), 70, 90, 64, 1, threads)
    library.vsduf_clamp(pieces, channels, 2, at(low), at(high), at(clamped), 70 * 90, threads)
    library.vsduf_sum(pieces, (c_int * 2)(40, 24), 2, at(summed), 24, 70 * 90, threads)
    logits, residual, bias, frame = some(66, 86, 100) * 9, some(66, 86, 12), some(112), some(3, 70, 90)
    planes = [np.zeros((132, 172), np.uint8) for _ in range(3)]
    out = (c_void_p * 3)(*(p.ctypes.data for p in planes))
    assert not library.vsduf_dynamic_filter(
        at(logits), at(residual), at(bias), at(frame), out, SIZE(90), SIZE(6300), SIZE(172),
        66, 86, 0, 86, 2, 0, threads)
    return [x.tobytes() for x in (split, joined, clamped, summed, *planes)]

from ctypes import c_ssize_t as SIZE
library = CDLL(sys.argv[1])
expected = run(1)
assert all(any(part) for part in expected)
for threads in (2, 5):
    assert run(threads) == expected, threads
"""


@pytest.mark.parametrize("openmp", [True, False], ids=["torch's threads", "threads of its own"])
def test_any_number_of_threads_gives_the_same_bytes(openmp):
    arguments = [sys.executable, "-c", EVERY, str(library_path()), *["torch"] * openmp]
    subprocess.run(arguments, check=True)


def test_scratch_is_used_again_and_given_back():
    scratch = Scratch()
    large = scratch.take("a", 10, 10)
    assert scratch.take("a", 5, 20).data_ptr() == large.data_ptr()
    assert scratch.take("b", 5).data_ptr() != large.data_ptr()
    assert scratch.take("a", 11, 10).shape == (11, 10)
    scratch.clear()
    assert not scratch._buffers
