"""Batches of windows: where they are cut, how time is stretched, flips and turns, degradation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.evaluation.degradation import SIGMAS, degrade
from vsduf.siting import Siting
from vsduf.training.camera import Camera, moving_photo
from vsduf.training.footage import Footage
from vsduf.upscaler import RADIUS, WINDOW

MARGIN = 8  # HR pixels round a patch that only the blur sees; rounded up to a multiple of the scale
PLACES = 4  # of which the one where most moves is taken


@dataclass(frozen=True)
class SampleConfig:
    """scale and siting of the degradation; patch in LR pixels; photo_share of samples from photographs in motion."""

    scale: int = 4
    siting: Siting = Siting.CENTER
    patch: int = 32
    batch: int = 8
    photo_share: float = 0.7

    def __post_init__(self) -> None:
        for holds, message in (
            (self.scale in SIGMAS, f"scale is {self.scale}; it must be 2, 3 or 4"),
            (self.siting in tuple(Siting), f"siting is {self.siting!r}; it must be one of {', '.join(Siting)}"),
            (self.patch >= 8, f"patch is {self.patch}; it must be 8 or more"),
            (self.batch >= 1, f"batch is {self.batch}; it must be 1 or more"),
            (0 <= self.photo_share <= 1, f"photo_share is {self.photo_share}; it must be a share, 0 to 1"),
        ):
            if not holds:
                raise ArgumentError(message)

    @property
    def margin(self) -> int:
        """HR pixels at each side of a patch that are cut off after the blur."""
        return -(-MARGIN // self.scale) * self.scale

    @property
    def size(self) -> int:
        """Sides, in HR pixels, of what has to be cut from footage for one sample."""
        return self.patch * self.scale + 2 * self.margin


class Sampler:
    """Draws batches from footage; the same generator state gives the same batch.

    On a CUDA device nothing here waits for the device, so that it never waits for us.
    """

    def __init__(self, footage: Footage, config: SampleConfig, camera: Camera, rng: np.random.Generator) -> None:
        self.footage, self.config, self.camera, self.rng = footage, config, camera, rng

    def batch(self) -> tuple[Tensor, Tensor]:
        """A batch of LR windows [B, 3, 7, P, P] and the HR patches [B, 3, R * P, R * P] of their centre frames.

        LR is rounded to 8 bits, as footage is.
        """
        hr = torch.stack([self._augment(self._draw()) for _ in range(self.config.batch)])
        lr = degrade(hr.flatten(0, 1), self.config.scale, self.config.siting)
        trim, cut = self.config.margin, self.config.margin // self.config.scale
        lr = (lr[..., cut:-cut, cut:-cut] * 255).round_().div_(255).clamp_(0, 1)
        window = lr.view(*hr.shape[:3], *lr.shape[2:]).transpose(1, 2)
        return window.contiguous(memory_format=torch.channels_last_3d), hr[:, RADIUS, :, trim:-trim, trim:-trim]

    def _draw(self) -> Tensor:
        photos, clips = self.footage.photos, self.footage.clips
        if photos and (not clips or self.rng.random() < self.config.photo_share):
            return moving_photo(photos, self.config.size, self.rng, self.camera)
        return self._moving_patch(clips[self.rng.integers(len(clips))])

    def _moving_patch(self, clip: Tensor) -> Tensor:
        """[7, 3, S, S] of a clip; of a few places the one where most moves. Half of the time at half of its size."""
        height, width = clip.shape[2:]
        shrink = 2 if min(height, width) >= 2 * self.config.size and self.rng.random() < 0.5 else 1
        side = self.config.size * shrink
        times = self._times(len(clip))
        patches = []
        for _ in range(PLACES):
            top, left = self.rng.integers(height - side + 1), self.rng.integers(width - side + 1)
            patches.append(torch.stack([clip[t, :, top : top + side, left : left + side] for t in times]))
        places = torch.stack(patches)
        change = places[:, RADIUS + 1, :, ::4, ::4].float() - places[:, RADIUS, :, ::4, ::4].float()
        most = change.abs().mean((1, 2, 3)).argmax(0, keepdim=True)
        frames = places.index_select(0, most)[0].float() / 255
        return F.avg_pool2d(frames, shrink) if shrink > 1 else frames

    def _times(self, frames: int) -> list[int]:
        """Frame numbers t + TA * k (paper, section 4.1): TA of -3..3 speeds motion up, reverses it, or stops it."""
        reach = min(3, (frames - 1) // (2 * RADIUS))
        step = int(self.rng.integers(-reach, reach + 1))
        around = RADIUS * abs(step)
        centre = int(self.rng.integers(around, frames - around))
        return [centre + step * (k - RADIUS) for k in range(WINDOW)]

    def _augment(self, frames: Tensor) -> Tensor:
        """Flips and quarter turns; top-left samples keep their side of the block, so HR is turned before the blur."""
        if self.rng.random() < 0.5:
            frames = frames.flip(-1)
        return frames.rot90(int(self.rng.integers(4)), (-2, -1))
