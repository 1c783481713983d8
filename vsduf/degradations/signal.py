"""Degrades the signal: blur and halos of analogue sharpening, weak and shifted colour, grain and noise."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vsduf.degradations.recipe import Recipe

PERIOD = 40  # frames over which halo and noise wander once
KR, KB = 0.299, 0.114  # BT.601


def analogue(frames: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Applies the recipe's blur, halo, colour and noise to frames [T, 3, H, W] in 0..1; returns the same shape."""
    luma, chroma = _split(frames)
    wander = _wander(len(frames), recipe.drift, rng)
    luma = _blur(_blur(luma, recipe.blur, recipe.blur), 0, recipe.blur_across)
    if recipe.halo:
        luma = luma + recipe.halo * wander * (luma - _blur(luma, 0, recipe.halo_width))
    chroma = _shifted(_blur(chroma, recipe.blur, recipe.blur + recipe.chroma_blur), recipe.chroma_shift)
    luma = luma + recipe.noise / 255 * wander * _noise(luma, recipe, rng)
    chroma = chroma + recipe.chroma_noise / 255 * wander * _noise(chroma, recipe, rng, 2.0)
    return _joined(luma, chroma).clamp(0, 1)


def weave(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns frames of two fields each, top field first: the even lines of frame n, the odd ones of frame n + 1."""
    woven = frames.copy()
    woven[:-1, :, 1::2] = frames[1:, :, 1::2]
    return woven


def _split(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Returns luma [T, 1, H, W] and colour differences [T, 2, H, W]."""
    red, green, blue = rgb.unbind(1)
    luma = KR * red + (1 - KR - KB) * green + KB * blue
    return luma[:, None], torch.stack([(blue - luma) / (2 - 2 * KB), (red - luma) / (2 - 2 * KR)], 1)


def _joined(luma: Tensor, chroma: Tensor) -> Tensor:
    blue, red = luma[:, 0] + (2 - 2 * KB) * chroma[:, 0], luma[:, 0] + (2 - 2 * KR) * chroma[:, 1]
    return torch.stack([red, (luma[:, 0] - KR * red - KB * blue) / (1 - KR - KB), blue], 1)


def _blur(planes: Tensor, down: float, across: float) -> Tensor:
    """Blurs [T, C, H, W] by Gaussians of these standard deviations; borders are repeated."""
    for sigma, shape in ((down, (1, 1, -1, 1)), (across, (1, 1, 1, -1))):
        if sigma > 0:
            reach = math.ceil(3 * sigma)
            taps = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
            kernel = (taps / taps.sum()).view(shape).to(planes)
            pad = (0, 0, reach, reach) if shape[2] == -1 else (reach, reach, 0, 0)
            flat = F.pad(planes.flatten(0, 1)[:, None], pad, mode="replicate")
            planes = F.conv2d(flat, kernel).view(planes.shape)
    return planes


def _shifted(planes: Tensor, right: float) -> Tensor:
    """Moves planes to the right by a number of pixels, fractions by linear interpolation."""
    whole, part = math.floor(right), right - math.floor(right)
    width = planes.shape[-1]
    near, far = (planes[..., (torch.arange(width) - whole - k).clamp(0, width - 1)] for k in (0, 1))
    return torch.lerp(near, far, part)


def _noise(like: Tensor, recipe: Recipe, rng: np.random.Generator, coarser: float = 1.0) -> Tensor:
    """Returns noise of that shape, of unit deviation, correlated as the recipe says; every frame has its own."""
    noise = torch.from_numpy(rng.standard_normal(tuple(like.shape), dtype=np.float32))
    down = recipe.grain * coarser
    noise = _blur(noise, down, math.hypot(down, recipe.grain_across * coarser))
    return noise / noise.std().clamp(min=1e-6)


def _wander(frames: int, drift: float, rng: np.random.Generator) -> Tensor:
    """Returns a factor about 1 for each frame, [T, 1, 1, 1], that changes slowly."""
    time = torch.arange(frames, dtype=torch.float32) / PERIOD + float(rng.random())
    return (1 + drift * torch.sin(2 * math.pi * time)).view(-1, 1, 1, 1)
