"""Every kernel against torch, emulated and on a device: sizes round the block, strides, sample types, scales."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cuda_on_cpu import stand_in

from vsduf.engine.cuda import launchers
from vsduf.network.dynamic_upsample import dynamic_upsample

SAMPLES = [torch.uint8, torch.uint16, torch.float16, torch.float32]
FLOATS = [torch.float16, torch.float32]
WIDTHS = [1, 2, 127, 128, 129]


PLACE = [torch.device("cpu")]  # of the test that runs


@pytest.fixture(autouse=True, params=stand_in.BOTH)
def _place(request, monkeypatch):
    for PLACE[0] in stand_in.place(request.param, monkeypatch):
        yield


def randn(seed, *shape):
    """The same numbers on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(PLACE[0])


def unwritten(dtype, *shape):
    """NaN, where a kernel has to write."""
    return torch.full(shape, torch.nan, dtype=dtype, device=PLACE[0])


def peak(dtype):
    return {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)


def picture(dtype, *shape, seed=0):
    """Random samples of any type, without gaps between rows."""
    values = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    values = values * 1.5 - 0.25 if peak(dtype) == 1 else (values * peak(dtype)).round().to(torch.int32)
    return values.to(dtype).to(PLACE[0])


def spaced(dtype, *shape):
    """The same inside a larger tensor: gaps between rows and between planes."""
    return picture(dtype, shape[0], shape[1] + 3, shape[2] + 8)[:, 2:-1, 4:-4]


def unit(planes):
    return planes.to(torch.int32).float() / peak(planes.dtype) if peak(planes.dtype) > 1 else planes.float()


def tile_of(planes, top, left, height, width):
    """Pixels top.., left.. as floats; those outside read the nearest."""
    rows = torch.arange(top, top + height, device=PLACE[0]).clamp(0, planes.shape[1] - 1)
    columns = torch.arange(left, left + width, device=PLACE[0]).clamp(0, planes.shape[2] - 1)
    return unit(planes)[:, rows[:, None], columns]


@pytest.mark.parametrize("out", FLOATS)
@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("width", WIDTHS)
def test_planes_to_window(width, dtype, out):
    planes = spaced(dtype, 3, 5, width)
    height, across, top, left = 9, width + 3, -3, -1
    window = unwritten(out, height, across, 16 // out.itemsize)
    launchers.planes_to_window(window, planes, top, left)
    expected = tile_of(planes, top, left, height, across).permute(1, 2, 0)
    torch.testing.assert_close(window[..., :3], expected.to(out), atol=1e-3 if out == torch.float16 else 2e-7, rtol=0)
    assert not window[..., 3:].any()


def joined(pieces, bounds):
    wide = torch.cat(pieces, 2).float()
    return torch.minimum(torch.maximum(wide, bounds[0]), bounds[1])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rim", [0, 1])
@pytest.mark.parametrize(
    ("width", "blocks", "growth"),
    [(1, 0, 16), (2, 1, 32), (127, 1, 16), (128, 2, 32), (129, 3, 16), (5, 24, 16), (9, 2, 12)],
)
def test_join(width, blocks, growth, rim, dtype):
    channels = [64] + [growth] * blocks
    pieces = [randn(k, 3, width, c).to(dtype) for k, c in enumerate(channels)]
    low, rest = randn(99, 2, sum(channels))
    bounds = torch.stack([low, low + 0.7, rest])
    bounds[0, ::3], bounds[1, 1::3] = -torch.inf, torch.inf
    out = unwritten(dtype, 3 + 2 * rim, width + 2 * rim, sum(channels))
    launchers.join(out, pieces, bounds)
    expected = rest.expand(out.shape).clone()
    expected[rim : rim + 3, rim : rim + width] = joined(pieces, bounds)
    assert torch.equal(out, expected.to(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("width", "growth"), [(1, 16), (127, 16), (129, 32), (5, 12)])
def test_accumulate(width, growth, count, dtype):
    wide = [randn(n, 2, width, growth * n).to(dtype) for n in (3, 2, 1)]
    shares = [w[..., k * growth : (k + 1) * growth] for w, k in zip(wide, (2, 0, 0), strict=True)][:count]
    out = unwritten(dtype, 2, width, growth)
    launchers.accumulate(out, shares)
    torch.testing.assert_close(out, sum(s.float() for s in shares).to(dtype), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("pixels", WIDTHS)
def test_bias_relu(pixels, dtype):
    x, bias = randn(2, pixels, 256).to(dtype), randn(3, 256)
    expected = (x.float() + bias).relu().to(dtype)
    launchers.bias_relu(x, bias)
    assert torch.equal(x, expected)


def filters(scale, rows, width, dtype, spread=3.0, seed=0):
    logits = randn(seed, rows, width, 25 * scale**2).mul(spread).to(dtype)
    residual = randn(seed + 1, rows, width, 3 * scale**2).mul(0.05).to(dtype)
    return logits, residual, randn(seed + 2, 28 * scale**2) * 0.3


def reference(planes, logits, residual, bias, corner, columns):
    """The picture in 0..1 as ops.dynamic_upsample makes it, for the wanted columns."""
    (rows, width, count), scale = logits.shape, {12: 2, 27: 3, 48: 4}[residual.shape[2]]
    around = tile_of(planes, corner[0] - 2, corner[1] - 2, rows + 4, width + 4)[None]
    wide = [
        F.pad(t.float().permute(2, 0, 1) + b[:, None, None], (2, 2, 2, 2))[None]
        for t, b in zip((logits, residual), bias.split([count, len(bias) - count]), strict=True)
    ]
    full = dynamic_upsample(around, *wide)[0, :, 2 * scale : -2 * scale, 2 * scale : -2 * scale]
    return full[:, :, columns.start * scale : columns.stop * scale]


def filtered(planes, logits, residual, bias, corner, columns):
    """The kernel's picture in the samples' own units, and proof that it stays inside its rectangle."""
    rows, scale = len(logits), {12: 2, 27: 3, 48: 4}[residual.shape[2]]
    kind = planes.dtype
    large = torch.zeros(3, rows * scale + 2, len(columns) * scale + 4 * scale, dtype=kind, device=PLACE[0])
    out = large[:, 1:-1, 2 * scale : -2 * scale]
    launchers.dynamic_filter(out, planes, logits, residual, bias, corner, columns)
    got = (out.to(torch.int32) if peak(kind) > 1 else out).cpu().double()
    out.zero_()
    assert not large.view(torch.uint8).any()
    return got


def close(got, expected, dtype, float_error=4e-6):
    expected = expected.cpu()
    if peak(dtype) > 1:
        np.testing.assert_allclose(got, expected.clamp(0, 1).double() * peak(dtype), atol=0.5 + 4e-6 * peak(dtype))
    else:
        np.testing.assert_allclose(got, expected.double(), atol=1.2e-3 if dtype == torch.float16 else float_error)


@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_dynamic_filter(scale, kind, dtype):
    """A tile that begins outside the frame and ends beyond it, of which some columns are wanted; any stride."""
    planes = spaced(dtype, 3, 5, 37)
    columns = range(3, 41)
    parts = filters(scale, 6, 45, kind)
    close(filtered(planes, *parts, (-1, -4), columns), reference(planes, *parts, (-1, -4), columns), dtype)


@pytest.mark.parametrize("width", [*WIDTHS, 31, 32, 33])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_dynamic_filter_round_the_block(scale, width):
    planes, parts = picture(torch.uint8, 3, 2, width), filters(scale, 2, width, torch.float16)
    close(filtered(planes, *parts, (0, 0), range(width)), reference(planes, *parts, (0, 0), range(width)), torch.uint8)


@pytest.mark.parametrize("kind", FLOATS)
def test_dynamic_filter_survives_logits_that_overflow_exp(kind):
    planes, parts = picture(torch.float32, 3, 3, 5), filters(4, 3, 5, kind, spread=500)
    close(
        filtered(planes, *parts, (0, 0), range(5)),
        reference(planes, *parts, (0, 0), range(5)),
        torch.float32,
        float_error=3e-5,
    )


def test_a_constant_frame_stays_constant():
    logits, _, bias = filters(4, 3, 9, torch.float16)
    bias[400:] = 0
    parts = logits, torch.zeros_like(logits[..., :48]), bias
    planes = torch.full((3, 3, 9), 200, dtype=torch.uint8, device=PLACE[0])
    assert (filtered(planes, *parts, (0, 0), range(9)) == 200).all()


def test_what_a_kernel_cannot_read_is_refused():
    logits, residual, bias = filters(4, 3, 5, torch.float16)
    planes, out = picture(torch.uint8, 3, 3, 5), torch.zeros(3, 12, 20, dtype=torch.uint8, device=PLACE[0])
    for arguments, message in [
        ((out, planes, logits.transpose(0, 1), residual, bias), "contiguous"),
        ((out.half(), planes, logits, residual, bias), "one sample type"),
        (
            (torch.zeros(3, 12, 21, dtype=torch.uint8, device=PLACE[0])[..., 1:], planes, logits, residual, bias),
            "whole vectors",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            launchers.dynamic_filter(*arguments, (0, 0), range(5))
    with pytest.raises(ValueError, match="16 bytes a pixel"):
        launchers.planes_to_window(torch.zeros(3, 5, 3), planes, 0, 0)
    with pytest.raises(ValueError, match="fill the channels"):
        launchers.join(torch.zeros(3, 5, 80), [torch.zeros(3, 5, 64)], torch.zeros(3, 80))


def test_a_kernel_that_fails_is_an_error(monkeypatch):
    monkeypatch.setattr(
        launchers, "_kernel", functools.cache(launchers._kernel.__wrapped__)
    )  # others have compiled it already
    monkeypatch.setitem(launchers.SAMPLES, torch.float32, "no_such_type")
    with pytest.raises(Exception, match="no_such_type"):  # the compiler's words, in CuPy's exception or the emulator's
        launchers.bias_relu(randn(0, 4, 256), randn(1, 256))


ORDERS = "emulated and (test_join or test_accumulate or (test_dynamic_filter and not round and not survives))"


@pytest.mark.parametrize("order", ["1", "2"])
@pytest.mark.skipif("COC_ORDER" in os.environ, reason="this is the run in that order")
def test_any_order_of_threads_gives_the_same(order, request):
    """The order is read once in a process, so this is another one."""
    if "device" in request.node.name:
        pytest.skip("a device has its own order")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", ORDERS]
    done = subprocess.run(command, env={**os.environ, "COC_ORDER": order}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
