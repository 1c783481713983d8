"""Makes low resolution from high: the blur and sampling that DUF is trained and scored with (paper, section 4.1)."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.siting import Siting

SIGMAS = {2: 0.8, 3: 1.2, 4: 1.6}  # scale: standard deviation of the Gaussian in HR pixels
REACH = 6  # HR pixels on each side of a sample: 13 taps for a sample on a pixel's centre


@functools.cache
def _kernel(scale: int, siting: Siting) -> tuple[Tensor, int]:
    """Returns the taps of the one-dimensional Gaussian, and the offset of the first one from HR pixel R * i.

    Centre-sited samples lie at R * i + (R - 1) / 2, which is between two pixels for an even R: 14 taps are symmetric.
    """
    shift = (scale - 1) / 2 if siting == Siting.CENTER else 0.0
    first = -REACH + int(shift)
    count = 2 * REACH + 1 + (shift != int(shift))
    at = torch.arange(first, first + count, dtype=torch.float64) - shift
    taps = torch.exp(-(at**2) / (2 * SIGMAS[scale] ** 2))
    return (taps / taps.sum()).float(), first


@functools.cache
def _kernel_on(scale: int, siting: Siting, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, int]:
    """Caches `_kernel` on each device: a copy at every call would wait for the device."""
    taps, first = _kernel(scale, siting)
    return taps.to(device, dtype), first


def degrade(hr: Tensor, scale: int, siting: Siting = Siting.CENTER) -> Tensor:
    """Blurs with a Gaussian and keeps one pixel of each R x R block.

    hr: [N, C, R * H, R * W], any float dtype and device, more than 7 pixels each way. siting: "center", as resizers
    place samples, or "top-left", as the authors of the paper do. Borders are reflected. Returns [N, C, H, W]. Raises
    ArgumentError for an unknown scale.
    """
    if scale not in SIGMAS:
        raise ArgumentError(f"scale is {scale}; it must be 2, 3 or 4")
    taps, first = _kernel_on(scale, siting, hr.dtype, hr.device)
    channels = hr.shape[1]
    before, after = -first, len(taps) + first - scale
    padded = F.pad(hr, (before, after, before, after), mode="reflect")
    rows = F.conv2d(padded, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), stride=(scale, 1), groups=channels)
    return F.conv2d(rows, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), stride=(1, scale), groups=channels)
