"""Upscales by Catmull-Rom interpolation, the default of resize.Bicubic: the baseline."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.siting import Siting

SHARPNESS = -0.5  # of the cubic's negative lobes; torch's own "bicubic" has -0.75


def upscale(lr: Tensor, scale: int, siting: Siting = Siting.CENTER) -> Tensor:
    """Returns `lr` [N, C, H, W] at R times its size, in the same float dtype; taps outside it read the nearest pixel.

    siting: where the samples of `lr` lie; the result lines up with the high resolution.
    """
    taps = _taps(scale, siting).to(lr)
    channels = lr.shape[1]
    padded = F.pad(lr, (2, 2, 2, 2), mode="replicate")
    down = F.conv2d(padded, taps.view(-1, 1, 5, 1).repeat(channels, 1, 1, 1), groups=channels)
    count, _, height, width = lr.shape
    rows = down.view(count, channels, scale, height, width + 4).transpose(2, 3).flatten(2, 3)
    across = F.conv2d(rows, taps.view(-1, 1, 1, 5).repeat(channels, 1, 1, 1), groups=channels)
    return across.view(count, channels, scale, scale * height, width).movedim(2, -1).flatten(-2)


@functools.cache
def _taps(scale: int, siting: Siting) -> Tensor:
    """Returns [R, 5]: the weights of LR pixels x - 2 to x + 2 for each HR pixel of an LR pixel x."""
    shift = (scale - 1) / 2 if siting == Siting.CENTER else 0.0
    places = [(phase - shift) / scale for phase in range(scale)]
    return torch.tensor([[_cubic(tap - place) for tap in range(-2, 3)] for place in places], dtype=torch.float64)


def _cubic(distance: float) -> float:
    """Returns the weight of a sample at a distance in LR pixels (Keys 1981, equation 4)."""
    x, a = math.fabs(distance), SHARPNESS
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0
