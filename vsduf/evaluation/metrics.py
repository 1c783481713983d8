"""PSNR, SSIM and flicker as video super-resolution counts them: luma, 8-bit range, borders cut."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 100.0  # dB
BORDER = 8  # pixels that the protocol leaves out at every side


def luma(rgb: Tensor) -> Tensor:
    """[..., 3, H, W] in 0..1, rounded to 8 bits first -> BT.601 luma [..., H, W] in 16..235."""
    rgb = (rgb.clamp(0, 1) * 255).round()
    weights = torch.tensor([0.256788, 0.504129, 0.097906], device=rgb.device, dtype=rgb.dtype)
    return 16 + torch.einsum("...chw,c->...hw", rgb, weights)


def psnr(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """PSNR in dB of two pictures [..., H, W] of range 0..255, without their borders, one value a picture.

    At most 100 dB: one black frame, which everyone gets right, would make a mean infinite.
    """
    a, b = _inner(a, border), _inner(b, border)
    return (10 * torch.log10(255**2 / (a - b).square().mean((-2, -1)))).clamp(max=MOST)


def ssim(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """SSIM (Wang et al., 2004) of two pictures [..., H, W] of range 0..255, one value a picture, in 0..1.

    11x11 Gaussian window, sigma 1.5; pictures have at least 11 pixels each way within their borders.
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
    """Mean absolute difference between what changes from one frame to the next and what should change, in levels.

    Four pictures [..., H, W] of range 0..255. A constant error costs nothing, one that comes and goes does.
    """
    change, truth = (
        _inner(now, border) - _inner(before, border),
        _inner(truth_now, border) - _inner(truth_before, border),
    )
    return (change - truth).abs().mean((-2, -1))


def _inner(picture: Tensor, border: int) -> Tensor:
    return picture[..., border : picture.shape[-2] - border, border : picture.shape[-1] - border].double()


def _around(pictures: Tensor) -> Tensor:
    """Gaussian-weighted means of every 11x11 window: [N, 1, H, W] -> [N, 1, H - 10, W - 10]."""
    at = torch.arange(11, dtype=pictures.dtype, device=pictures.device) - 5
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    line = line / line.sum()
    return F.conv2d(F.conv2d(pictures, line.view(1, 1, 11, 1)), line.view(1, 1, 1, 11))
