"""The dynamic filter: the torch reference against its definition, the native one against the reference."""

import numpy as np
import pytest
import torch
from helpers.numpy_duf import upsample
from hypothesis import given, settings
from hypothesis import strategies as st

from vsduf.engine.cpu.dynamic_filter import dynamic_filter
from vsduf.engine.cpu.network import planes_to_picture
from vsduf.engine.tiles import cut
from vsduf.network.dynamic_upsample import dynamic_upsample, scale_of


def inputs(scale, height, width, seed=0, spread=3.0):
    generator = torch.Generator().manual_seed(seed)
    frame = torch.rand(1, 3, height, width, generator=generator)
    logits = torch.randn(1, 25 * scale**2, height, width, generator=generator) * spread
    residual = torch.randn(1, 3 * scale**2, height, width, generator=generator) * 0.05
    return frame, logits, residual


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_reference_is_the_equation(scale):
    frame, logits, residual = inputs(scale, 4, 5)
    ours = dynamic_upsample(frame, logits, residual)[0].permute(1, 2, 0).numpy()
    shuffled = residual.view(3, scale**2, 4, 5).permute(2, 3, 1, 0).flatten(2).numpy()
    theirs = upsample(frame[0].permute(1, 2, 0).numpy(), logits[0].permute(1, 2, 0).numpy(), shuffled, scale)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@given(level=st.floats(-0.5, 2), seed=st.integers(0, 99), scale=st.sampled_from([2, 3, 4]))
def test_a_constant_frame_stays_constant(level, seed, scale):
    _, logits, residual = inputs(scale, 3, 4, seed)
    out = dynamic_upsample(torch.full((1, 3, 3, 4), level), logits, torch.zeros_like(residual))
    torch.testing.assert_close(out, torch.full_like(out, level), atol=2e-6, rtol=2e-6)


def native(frame, logits, residual, bias, dtype):
    """The native filter, into planes that are wider than they need to be."""
    scale = scale_of(residual.shape[1])
    height, width = frame.shape[2:]
    out = np.zeros((3, height * scale, width * scale + 7), dtype)
    planes = [p[:, : width * scale] for p in out]
    tile = cut(height, width, None, 0)[0]
    picture = planes_to_picture([p.numpy() for p in frame[0]], tile, 0)
    flat = [
        (t[0] - b[:, None, None]).permute(1, 2, 0).contiguous() for t, b in zip((logits, residual), bias, strict=True)
    ]
    dynamic_filter(planes, picture, *flat, torch.cat(bias), range(width))
    assert not out[:, :, width * scale :].any()
    return np.stack(planes).astype(np.float64)


@settings(max_examples=60)
@given(
    scale=st.sampled_from([2, 3, 4]), height=st.integers(1, 9), width=st.integers(1, 40), seed=st.integers(0, 9),
    spread=st.sampled_from([0.0, 1.0, 30.0]), dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
)  # fmt: skip
def test_native_agrees_with_the_reference(scale, height, width, seed, spread, dtype):
    frame, logits, residual = inputs(scale, height, width, seed, spread)
    bias = [torch.randn(t.shape[1], generator=torch.Generator().manual_seed(1)) for t in (logits, residual)]
    peak = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    expected = dynamic_upsample(frame, logits, residual)[0].double() * peak
    tolerance = 4e-6 if dtype == np.float32 else 0.5 + 4e-6 * peak
    if dtype != np.float32:
        expected = expected.clamp(0, peak)
    np.testing.assert_allclose(native(frame, logits, residual, bias, dtype), expected.numpy(), atol=tolerance)


def test_native_survives_logits_that_overflow_exp():
    frame, logits, residual = inputs(4, 3, 3, spread=500)
    bias = [torch.zeros(t.shape[1]) for t in (logits, residual)]
    expected = dynamic_upsample(frame, logits, residual)[0].numpy()
    np.testing.assert_allclose(native(frame, logits, residual, bias, np.float32), expected, atol=1e-5)


def test_native_refuses_what_it_cannot_read():
    frame, logits, residual = (t[0].permute(1, 2, 0) for t in inputs(4, 3, 3))
    with pytest.raises(ValueError, match="contiguous"):
        dynamic_filter(
            [np.zeros((12, 12), np.float32)] * 3, frame.permute(2, 0, 1), logits, residual, torch.zeros(448), range(3)
        )


def test_the_scale_is_read_from_the_residuals_channels():
    assert [scale_of(channels) for channels in (12, 27, 48)] == [2, 3, 4]
    with pytest.raises(ValueError, match="not 28"):
        scale_of(28)
