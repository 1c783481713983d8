"""Every kernel against torch, emulated and on a device: sizes round the block, strides, sample types, scales."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cuda_on_cpu import stand_in

from vsduf.engine.cuda import launchers
from vsduf.network.dynamic_upsample import dynamic_upsample, scale_of

SAMPLES = [torch.uint8, torch.uint16, torch.float16, torch.float32]
FLOATS = [torch.float16, torch.float32]
WIDTHS = [1, 2, 127, 128, 129]


class Tensors:
    """Makes the same tensors on every device."""

    def __init__(self, device):
        self.device = device

    def randn(self, seed, *shape):
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def unwritten(self, dtype, *shape):
        """NaN, where a kernel has to write."""
        return torch.full(shape, torch.nan, dtype=dtype, device=self.device)

    def picture(self, dtype, *shape, seed=0):
        """Random samples of any type, without gaps between rows."""
        values = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        values = values * 1.5 - 0.25 if peak(dtype) == 1 else (values * peak(dtype)).round().to(torch.int32)
        return values.to(dtype).to(self.device)

    def spaced(self, dtype, *shape):
        """Random samples inside a larger tensor: gaps between rows and between planes."""
        return self.picture(dtype, shape[0], shape[1] + 3, shape[2] + 8)[:, 2:-1, 4:-4]

    def filters(self, scale, rows, width, dtype, spread=3.0, seed=0):
        """Logits, residual and the bias of both."""
        logits = self.randn(seed, rows, width, 25 * scale**2).mul(spread).to(dtype)
        residual = self.randn(seed + 1, rows, width, 3 * scale**2).mul(0.05).to(dtype)
        return logits, residual, self.randn(seed + 2, 28 * scale**2) * 0.3


@pytest.fixture(params=stand_in.BOTH)
def make(request, monkeypatch):
    for device in stand_in.place(request.param, monkeypatch):
        yield Tensors(device)


def peak(dtype):
    return {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)


def unit(planes):
    return planes.to(torch.int32).float() / peak(planes.dtype) if peak(planes.dtype) > 1 else planes.float()


def tile_of(planes, top, left, height, width):
    """Pixels top.., left.. as floats; those outside read the nearest."""
    rows = torch.arange(top, top + height, device=planes.device).clamp(0, planes.shape[1] - 1)
    columns = torch.arange(left, left + width, device=planes.device).clamp(0, planes.shape[2] - 1)
    return unit(planes)[:, rows[:, None], columns]


@pytest.mark.parametrize("out", FLOATS)
@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("width", WIDTHS)
def test_planes_to_window(make, width, dtype, out):
    planes = make.spaced(dtype, 3, 5, width)
    height, across, top, left = 9, width + 3, -3, -1
    window = make.unwritten(out, height, across, 16 // out.itemsize)
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
    ("width", "stem", "blocks", "growth"),
    [(1, 64, 0, 16), (2, 64, 1, 32), (127, 64, 1, 16), (128, 64, 2, 32), (129, 64, 3, 16), (5, 64, 24, 16),
     (9, 64, 2, 12), (5, 32, 6, 16), (127, 32, 0, 16), (3, 28, 2, 16)],
)  # fmt: skip
def test_join(make, width, stem, blocks, growth, rim, dtype):
    channels = [stem] + [growth] * blocks
    pieces = [make.randn(k, 3, width, c).to(dtype) for k, c in enumerate(channels)]
    low, rest = make.randn(99, 2, sum(channels))
    bounds = torch.stack([low, low + 0.7, rest])
    bounds[0, ::3], bounds[1, 1::3] = -torch.inf, torch.inf
    out = make.unwritten(dtype, 3 + 2 * rim, width + 2 * rim, sum(channels))
    launchers.join(out, pieces, bounds)
    expected = rest.expand(out.shape).clone()
    expected[rim : rim + 3, rim : rim + width] = joined(pieces, bounds)
    assert torch.equal(out, expected.to(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("width", "growth"), [(1, 16), (127, 16), (129, 32), (5, 12)])
def test_accumulate(make, width, growth, count, dtype):
    sums = [(make.randn(n, 2, width, growth * n).to(dtype), k) for n, k in ((3, 2), (2, 0), (1, 0))][:count]
    out = make.unwritten(dtype, 2, width, growth)
    launchers.accumulate(out, sums)
    expected = sum(s[..., k * growth : (k + 1) * growth].float() for s, k in sums).to(dtype)
    torch.testing.assert_close(out, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("growth", [16, 12])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (3, 127), (1, 128), (4, 129)])
def test_shift_add(make, height, width, growth, dtype):
    product, out = make.randn(0, height, width, 9 * growth).to(dtype), make.unwritten(dtype, height, width, growth)
    launchers.shift_add(out, product)
    taps = product.float().view(height, width, 9, growth).permute(2, 3, 0, 1)  # one-hot kernels shift each tap
    shifts = torch.eye(9, device=make.device).view(9, 1, 3, 3)
    expected = sum(F.conv2d(taps[k][:, None], shifts[k : k + 1], padding=1)[:, 0] for k in range(9))
    torch.testing.assert_close(out.float(), expected.permute(1, 2, 0).to(dtype).float(), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("pixels", WIDTHS)
@pytest.mark.parametrize("channels", [256, 96, 64])
def test_bias_relu(make, channels, pixels, dtype):
    x, bias = make.randn(2, pixels, channels).to(dtype), make.randn(3, channels)
    expected = (x.float() + bias).relu().to(dtype)
    launchers.bias_relu(x, bias)
    assert torch.equal(x, expected)


def reference(planes, logits, residual, bias, corner, columns):
    """The wanted columns of `dynamic_upsample`'s picture, in 0..1."""
    (rows, width, count), scale = logits.shape, scale_of(residual.shape[2])
    around = tile_of(planes, corner[0] - 2, corner[1] - 2, rows + 4, width + 4)[None]
    wide = [
        F.pad(t.float().permute(2, 0, 1) + b[:, None, None], (2, 2, 2, 2))[None]
        for t, b in zip((logits, residual), bias.split([count, len(bias) - count]), strict=True)
    ]
    full = dynamic_upsample(around, *wide)[0, :, 2 * scale : -2 * scale, 2 * scale : -2 * scale]
    return full[:, :, columns.start * scale : columns.stop * scale]


def filtered(planes, logits, residual, bias, corner, columns):
    """The kernel's picture in the samples' own units; asserts that nothing beside its rectangle is written."""
    rows, scale = len(logits), scale_of(residual.shape[2])
    kind = planes.dtype
    large = torch.zeros(3, rows * scale + 2, len(columns) * scale + 4 * scale, dtype=kind, device=planes.device)
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
def test_dynamic_filter(make, scale, kind, dtype):
    """A tile that begins outside the frame and ends beyond it, of which some columns are wanted; any stride."""
    planes = make.spaced(dtype, 3, 5, 37)
    columns = range(3, 41)
    parts = make.filters(scale, 6, 45, kind)
    close(filtered(planes, *parts, (-1, -4), columns), reference(planes, *parts, (-1, -4), columns), dtype)


@pytest.mark.parametrize("width", [*WIDTHS, 31, 32, 33])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_dynamic_filter_round_the_block(make, scale, width):
    planes, parts = make.picture(torch.uint8, 3, 2, width), make.filters(scale, 2, width, torch.float16)
    close(filtered(planes, *parts, (0, 0), range(width)), reference(planes, *parts, (0, 0), range(width)), torch.uint8)


@pytest.mark.parametrize("kind", FLOATS)
def test_dynamic_filter_survives_logits_that_overflow_exp(make, kind):
    planes, parts = make.picture(torch.float32, 3, 3, 5), make.filters(4, 3, 5, kind, spread=500)
    close(
        filtered(planes, *parts, (0, 0), range(5)),
        reference(planes, *parts, (0, 0), range(5)),
        torch.float32,
        float_error=3e-5,
    )


def test_a_constant_frame_stays_constant(make):
    logits, _, bias = make.filters(4, 3, 9, torch.float16)
    bias[400:] = 0
    parts = logits, torch.zeros_like(logits[..., :48]), bias
    planes = torch.full((3, 3, 9), 200, dtype=torch.uint8, device=make.device)
    assert (filtered(planes, *parts, (0, 0), range(9)) == 200).all()


def test_what_a_kernel_cannot_read_is_refused(make):
    logits, residual, bias = make.filters(4, 3, 5, torch.float16)
    planes, out = make.picture(torch.uint8, 3, 3, 5), torch.zeros(3, 12, 20, dtype=torch.uint8, device=make.device)
    for arguments, message in [
        ((out, planes, logits.transpose(0, 1), residual, bias), "contiguous"),
        ((out.half(), planes, logits, residual, bias), "one sample type"),
        (
            (torch.zeros(3, 12, 21, dtype=torch.uint8, device=make.device)[..., 1:], planes, logits, residual, bias),
            "whole vectors",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            launchers.dynamic_filter(*arguments, (0, 0), range(5))
    with pytest.raises(ValueError, match="16 bytes a pixel"):
        launchers.planes_to_window(torch.zeros(3, 5, 3), planes, 0, 0)
    with pytest.raises(ValueError, match="pieces fill the result"):
        launchers.join(torch.zeros(3, 5, 80), [torch.zeros(3, 5, 64)], torch.zeros(3, 80))


def test_a_kernel_that_fails_is_an_error(make, monkeypatch):
    stand_in.forget_kernels(monkeypatch)
    monkeypatch.setitem(launchers.SAMPLES, torch.float32, "no_such_type")
    with pytest.raises(Exception, match="no_such_type"):  # the compiler's words, in CuPy's exception or the emulator's
        launchers.bias_relu(make.randn(0, 4, 256), make.randn(1, 256))


ORDERS = "emulated and (join or accumulate or shift_add or (test_dynamic_filter and not round and not survives))"


@pytest.mark.parametrize("order", ["1", "2"])
@pytest.mark.skipif("COC_ORDER" in os.environ, reason="this is the run in that order")
def test_any_order_of_threads_gives_the_same(order, request):
    """The emulator reads the order once in a process, so another process runs these tests."""
    if "device" in request.node.name:
        pytest.skip("a device has its own order")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", ORDERS]
    done = subprocess.run(command, env={**os.environ, "COC_ORDER": order}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
