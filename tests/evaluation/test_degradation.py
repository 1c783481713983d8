"""Blur and sampling: against a direct two-dimensional Gaussian, and where the samples lie."""

import numpy as np
import pytest
import torch

from vsduf.errors import ArgumentError
from vsduf.evaluation.degradation import SIGMAS, degrade

SCALES = [2, 3, 4]
SITINGS = ["center", "top-left"]


def slow(hr, scale, siting):
    """One LR pixel after another: a Gaussian over all HR pixels within reach of where the sample lies."""
    shift = (scale - 1) / 2 if siting == "center" else 0
    padded = np.pad(hr, 16, mode="reflect")
    out = np.empty((hr.shape[0] // scale, hr.shape[1] // scale))
    at = np.arange(padded.shape[0]) - 16
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            row, column = (at - (scale * i + shift) for i in (y, x))
            w = [np.exp(-(d**2) / (2 * SIGMAS[scale] ** 2)) * (np.abs(d) < 7) for d in (row, column)]
            out[y, x] = w[0] @ padded @ w[1] / (w[0].sum() * w[1].sum())
    return out


@pytest.mark.parametrize("siting", SITINGS)
@pytest.mark.parametrize("scale", SCALES)
def test_equals_the_equation(scale, siting):
    hr = np.random.default_rng(0).random((24, 24))
    got = degrade(torch.from_numpy(hr)[None, None], scale, siting)[0, 0]
    assert np.abs(got.numpy() - slow(hr, scale, siting)).max() < 1e-6


@pytest.mark.parametrize("scale", SCALES)
def test_a_ramp_shows_where_samples_lie(scale):
    ramp = torch.arange(48.0).expand(1, 1, 48, 48)
    inner = torch.arange(48 // scale)[4:-4] * scale
    assert torch.allclose(degrade(ramp, scale)[0, 0, 5, 4:-4], inner + (scale - 1) / 2, atol=1e-4)
    assert torch.allclose(degrade(ramp, scale, "top-left")[0, 0, 5, 4:-4], inner.float(), atol=1e-4)


@pytest.mark.parametrize("siting", SITINGS)
def test_the_authors_kernel_has_13_taps(siting):
    spot = torch.zeros(1, 1, 64, 64)
    spot[0, 0, 32, 32] = 1
    touched = (degrade(spot, 4, siting) != 0).sum()
    assert touched == (9 if siting == "top-left" else 16)


def test_refuses():
    with pytest.raises(ArgumentError, match="scale is 5; it must be 2, 3 or 4"):
        degrade(torch.zeros(1, 1, 16, 16), 5)
