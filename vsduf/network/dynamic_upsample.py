"""Applies dynamic upsampling filters: equation 1 of the paper (Jo et al., CVPR 2018, section 3.2).

Y[y*R + v, x*R + u, c] = sum_ji softmax(logits)[y, x, v, u, j, i] * frame[y + j, x + i, c] + residual[y, x, v, u, c]
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from vsduf.network.config import TAPS, scale_of

__all__ = ["TAPS", "dynamic_upsample", "scale_of"]


def dynamic_upsample(frame: Tensor, logits: Tensor, residual: Tensor) -> Tensor:
    """Returns the upsampled frame; the differentiable reference that every faster implementation is tested against.

    frame: [B, 3, H, W], the centre frame; taps outside it read the nearest pixel inside.
    logits: [B, 25 * R * R, H, W], channel = tap * R * R + subpixel, before the softmax over taps.
    residual: [B, 3 * R * R, H, W], channel = colour * R * R + subpixel. Returns [B, 3, R * H, R * W].
    """
    b, _, h, w = frame.shape
    subpixels = logits.shape[1] // TAPS
    filters = logits.view(b, TAPS, subpixels, h, w).softmax(1)
    around = F.pad(frame, (2, 2, 2, 2), mode="replicate")
    result = residual.view(b, 3, subpixels, h, w)
    for tap in range(TAPS):
        j, i = divmod(tap, 5)
        result = result + filters[:, None, tap] * around[:, :, None, j : j + h, i : i + w]
    return F.pixel_shuffle(result.flatten(1, 2), math.isqrt(subpixels))
