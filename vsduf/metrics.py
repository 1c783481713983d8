"""PSNR and SSIM as the video super-resolution literature counts them: luma, 8-bit range, borders cut."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BORDER = 8  # pixels that the protocol leaves out at every side


def luma(rgb: Tensor) -> Tensor:
    """[..., 3, H, W] in 0..1, rounded to 8 bits first -> BT.601 luma [..., H, W] in 16..235."""
    rgb = (rgb.clamp(0, 1) * 255).round()
    weights = torch.tensor([0.256788, 0.504129, 0.097906], device=rgb.device, dtype=rgb.dtype)
    return 16 + torch.einsum("...chw,c->...hw", rgb, weights)


def psnr(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """PSNR in dB of two pictures [..., H, W] of range 0..255, without their borders, one value a picture."""
    inner = (..., slice(border, a.shape[-2] - border), slice(border, a.shape[-1] - border))
    error = (a[inner].double() - b[inner].double()).square().mean((-2, -1))
    return 10 * torch.log10(255**2 / error)


def ssim(a: Tensor, b: Tensor, border: int = BORDER) -> Tensor:
    """SSIM (Wang et al., 2004) of two pictures [..., H, W] of range 0..255: 11x11 Gaussian window, sigma 1.5."""
    inner = (..., slice(border, a.shape[-2] - border), slice(border, a.shape[-1] - border))
    shape = a.shape[:-2]
    x, y = (v[inner].double().flatten(0, -3)[:, None] if v.dim() > 2 else v[inner].double()[None, None] for v in (a, b))
    at = torch.arange(11, dtype=torch.float64, device=a.device) - 5
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    line = line / line.sum()
    kernel = (line[:, None] * line[None])[None, None]
    mean_x, mean_y = F.conv2d(x, kernel), F.conv2d(y, kernel)
    var_x = F.conv2d(x * x, kernel) - mean_x**2
    var_y = F.conv2d(y * y, kernel) - mean_y**2
    both = F.conv2d(x * y, kernel) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return score.mean((-3, -2, -1)).view(shape)
