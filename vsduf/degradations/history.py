"""Degrades clean, high-resolution clips to low resolution by a recipe."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vsduf.degradations.codec import recoded
from vsduf.degradations.recipe import Recipe
from vsduf.degradations.signal import analogue
from vsduf.evaluation.degradation import degrade
from vsduf.siting import Siting


def degraded(
    hr: NDArray[np.uint8], scale: int, siting: Siting, recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns the LR clip [T, 3, H, W] of an HR clip [T, 3, R * H, R * W], both uint8 RGB.

    H is cut to a multiple of 4 and W to an even number, as fields of 4:2:0 need them. The clip is blurred and sampled
    as every training sample is, then the recipe's signal faults and its encoder are applied. Raises MediaError where
    ffmpeg fails.
    """
    height, width = (side // scale // whole * whole for side, whole in zip(hr.shape[2:], (4, 2), strict=True))
    frames = []
    for frame in hr[:, :, : height * scale, : width * scale]:
        frames.append(degrade(torch.from_numpy(np.ascontiguousarray(frame))[None].float() / 255, scale, siting)[0])
    signal = analogue(torch.stack(frames).clamp(0, 1), recipe, rng)
    return recoded((signal * 255).round().to(torch.uint8).numpy(), recipe)
