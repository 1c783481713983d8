"""Batches of windows: where they are cut, how time is stretched, flips and turns, degradation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.degradation import degrade
from vsduf.network import RADIUS, WINDOW
from vsduf.training.footage import Footage
from vsduf.training.motion import moving_photo
from vsduf.upscaler import CENTRE

MARGIN = 8  # HR pixels round a patch that only the blur sees; a multiple of every scale but 3, where 9 are taken


@dataclass(frozen=True)
class SampleConfig:
    """scale and siting of the degradation; patch in LR pixels; photo_share of samples from photographs in motion."""

    scale: int = 4
    siting: str = CENTRE
    patch: int = 32
    batch: int = 8
    photo_share: float = 0.7


class Sampler:
    """Draws batches from footage; the same generator state gives the same batch."""

    def __init__(self, footage: Footage, config: SampleConfig, rng: np.random.Generator) -> None:
        self.footage, self.config, self.rng = footage, config, rng
        self.margin = -(-MARGIN // config.scale) * config.scale
        self.size = config.patch * config.scale + 2 * self.margin

    def batch(self) -> tuple[Tensor, Tensor]:
        """A batch of LR windows [B, 3, 7, P, P] and the HR patches [B, 3, R * P, R * P] of their centre frames."""
        hr = torch.stack([self._augment(self._draw()) for _ in range(self.config.batch)])
        lr = degrade(hr.flatten(0, 1), self.config.scale, self.config.siting)
        cut, trim = self.margin // self.config.scale, self.margin
        lr = (lr[..., cut:-cut, cut:-cut] * 255).round_().div_(255).clamp_(0, 1)
        window = lr.unflatten(0, hr.shape[:2]).transpose(1, 2)
        return window.contiguous(memory_format=torch.channels_last_3d), hr[:, RADIUS, :, trim:-trim, trim:-trim]

    def _draw(self) -> Tensor:
        photos, clips = self.footage.photos, self.footage.clips
        if photos and (not clips or self.rng.random() < self.config.photo_share):
            return moving_photo(photos, self.size, self.rng)
        return self._moving_patch(clips[self.rng.integers(len(clips))])

    def _moving_patch(self, clip: Tensor) -> Tensor:
        """[7, 3, S, S] of a clip; of four places the one where most moves. Half of the time at half of its size."""
        height, width = clip.shape[2:]
        shrink = 2 if min(height, width) >= 2 * self.size and self.rng.random() < 0.5 else 1
        side = self.size * shrink
        times = self._times(len(clip))
        best, most = clip[times[:1], :, :side, :side], -1.0
        for _ in range(4):
            top, left = self.rng.integers(height - side + 1), self.rng.integers(width - side + 1)
            patch = clip[:, :, top : top + side, left : left + side]
            change = patch[times[RADIUS + 1], :, ::4, ::4].float() - patch[times[RADIUS], :, ::4, ::4].float()
            moved = float(change.abs().mean())
            if moved > most:
                best, most = patch, moved
        frames = best[times].float() / 255
        return F.avg_pool2d(frames, shrink) if shrink > 1 else frames

    def _times(self, frames: int) -> list[int]:
        """Frame numbers t + TA * k (paper, section 4.2): TA of -3..3 speeds motion up, reverses it, or stops it."""
        reach = (frames - 1) // (2 * RADIUS)
        step = int(self.rng.integers(-min(3, reach), min(3, reach) + 1))
        around = RADIUS * abs(step)
        centre = int(self.rng.integers(around, frames - around))
        return [centre + step * (k - RADIUS) for k in range(WINDOW)]

    def _augment(self, frames: Tensor) -> Tensor:
        """Flips and quarter turns."""
        if self.rng.random() < 0.5:
            frames = frames.flip(-1)
        return frames.rot90(int(self.rng.integers(4)), (-2, -1))
