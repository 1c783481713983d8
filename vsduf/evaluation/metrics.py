"""PSNR, SSIM and flicker as the video super-resolution literature measures them: luma, 8-bit range, no borders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 100.0  # dB; one black frame, which every upscaler gets right, would make a mean infinite
BORDER = 8  # pixels at every side that the protocol leaves out


def luma(rgb: Tensor) -> Tensor:
    """Returns BT.601 luma [..., H, W] in 16..235 of RGB [..., 3, H, W] in 0..1, rounded to 8 bits first."""
    rgb = (rgb.clamp(0, 1) * 255).round()
    weights = torch.tensor([0.256788, 0.504129, 0.097906], device=rgb.device, dtype=rgb.dtype)
    return 16 + torch.einsum("...chw,c->...hw", rgb, weights)


def decibels(mean_square_error: Tensor, peak: float = 255.0) -> Tensor:
    """Returns the PSNR in dB of a mean square error; infinite for 0."""
    return 10 * torch.log10(peak**2 / mean_square_error)


def psnr(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """Returns the PSNR in dB of pictures [..., H, W] of range 0..255 without their borders, one value per picture.

    At most MOST.
    """
    error = (_inner(a, border) - _inner(b, border)).square().mean((-2, -1))
    return decibels(error).clamp(max=MOST)


def ssim(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """Returns the SSIM (Wang et al., 2004) of pictures [..., H, W] of range 0..255, one value per picture, at most 1.

    11x11 Gaussian window, sigma 1.5. Pictures have at least 11 pixels each way within their borders.
    """
    shape = a.shape[:-2]
    x, y = (_inner(v, border).reshape(-1, 1, v.shape[-2] - 2 * border, v.shape[-1] - 2 * border) for v in (a, b))
    mean_x, mean_y = _around(x), _around(y)
    var_x = _around(x * x) - mean_x**2
    var_y = _around(y * y) - mean_y**2
    both = _around(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return score.mean((-3, -2, -1)).view(shape)


def flicker(now: Tensor, before: Tensor, truth_now: Tensor, truth_before: Tensor, border: int = BORDER) -> Tensor:
    """Returns the mean absolute difference between the change from frame to frame and the true change, in 8-bit levels.

    now, before: two successive frames [..., H, W] of range 0..255; truth_now, truth_before: of the ground truth. A
    constant error counts nothing, an error that comes and goes does.
    """
    change, truth = (
        _inner(now, border) - _inner(before, border),
        _inner(truth_now, border) - _inner(truth_before, border),
    )
    return (change - truth).abs().mean((-2, -1))


def _inner(picture: Tensor, border: int) -> Tensor:
    return picture[..., border : picture.shape[-2] - border, border : picture.shape[-1] - border].double()


def _around(pictures: Tensor) -> Tensor:
    """Returns the Gaussian-weighted mean of every 11x11 window: [N, 1, H, W] -> [N, 1, H - 10, W - 10]."""
    at = torch.arange(11, dtype=pictures.dtype, device=pictures.device) - 5
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    line = line / line.sum()
    return F.conv2d(F.conv2d(pictures, line.view(1, 1, 11, 1)), line.view(1, 1, 1, 11))
