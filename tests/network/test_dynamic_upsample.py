"""The dynamic filter: the torch reference against its definition."""

import numpy as np
import pytest
import torch
from helpers.numpy_duf import upsample
from hypothesis import given
from hypothesis import strategies as st

from vsduf.network.dynamic_upsample import dynamic_upsample


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
