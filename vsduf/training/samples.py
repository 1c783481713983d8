"""Draws training samples: where sequences are cut, how time is stretched, flips and turns, degradation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.evaluation.degradation import SIGMAS, degrade
from vsduf.siting import Siting
from vsduf.training.camera import Camera, moving_photo
from vsduf.training.footage import CELL, Footage
from vsduf.upscaler import RADIUS, WINDOW

MARGIN = 8  # HR pixels round a patch that only the blur reads; rounded up to a multiple of the scale
PLACES = 4  # candidate places of a patch, of which the one that changes most is taken
MOST_FRAMES = 64


@dataclass(frozen=True)
class SampleConfig:
    """The shape of samples.

    scale, siting: of the degradation. patch: side in LR pixels. batch: sequences of a step. frames: of a sequence,
    whose frames - 6 windows are all trained on; features that windows share are computed once. photo_share: the share
    of sequences made from photographs in motion.
    """

    scale: int = 4
    siting: Siting = Siting.CENTER
    patch: int = 32
    batch: int = 4
    frames: int = 14
    photo_share: float = 0.7

    def __post_init__(self) -> None:
        for holds, message in (
            (self.scale in SIGMAS, f"scale is {self.scale}; it must be 2, 3 or 4"),
            (self.siting in tuple(Siting), f"siting is {self.siting!r}; it must be one of {', '.join(Siting)}"),
            (self.patch >= 8, f"patch is {self.patch}; it must be 8 or more"),
            (self.batch >= 1, f"batch is {self.batch}; it must be 1 or more"),
            (
                WINDOW <= self.frames <= MOST_FRAMES,
                f"frames is {self.frames}; it must be {WINDOW} to {MOST_FRAMES}",
            ),
            (0 <= self.photo_share <= 1, f"photo_share is {self.photo_share}; it must be a share, 0 to 1"),
        ):
            if not holds:
                raise ArgumentError(message)
        object.__setattr__(self, "siting", Siting(self.siting))

    @property
    def margin(self) -> int:
        """HR pixels at each side of a patch that are cut off after the blur."""
        return -(-MARGIN // self.scale) * self.scale

    @property
    def size(self) -> int:
        """Side, in HR pixels, of what is cut from footage for one sample."""
        return self.patch * self.scale + 2 * self.margin

    def with_patch(self, patch: int) -> SampleConfig:
        """Returns the same samples with other patches, and a batch of about as many pixels."""
        return replace(self, patch=patch, batch=max(1, round(self.batch * (self.patch / patch) ** 2)))


class Sampler:
    """Draws sequences from footage; a generator in the same state draws the same sequences.

    degraded_share: the share of sequences whose LR frames come from a clip's histories. On a CUDA device nothing here
    synchronises with the device.
    """

    def __init__(self, footage: Footage, config: SampleConfig, camera: Camera, degraded_share: float = 0.0) -> None:
        self.footage, self.config, self.camera = footage, config, camera
        self.degraded = [n for n, histories in enumerate(footage.histories) if histories]
        self.degraded_share = degraded_share if self.degraded else 0.0

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns LR sequences [B, 3, T, P, P] and the HR pictures [B * (T - 6), 3, R * P, R * P] of their windows.

        count: B, of sequences. Both are in 0..1; LR is rounded to 8 bits, as footage is.
        """
        pairs = [self._degraded(rng) if rng.random() < self.degraded_share else self._clean(rng) for _ in range(count)]
        lr, hr = zip(*pairs, strict=True)
        sequence = torch.stack(lr).transpose(1, 2)
        centres = torch.stack([frames[RADIUS : len(frames) - RADIUS] for frames in hr])
        return sequence.contiguous(memory_format=torch.channels_last_3d), centres.flatten(0, 1)

    def _clean(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns LR [T, 3, P, P] by the degradation of the paper, and HR [T, 3, R * P, R * P]."""
        hr = _augment(self._sequence(rng), rng)
        lr = degrade(hr, self.config.scale, self.config.siting)
        trim, cut = self.config.margin, self.config.margin // self.config.scale
        return (lr[..., cut:-cut, cut:-cut] * 255).round_().div_(255).clamp_(0, 1), hr[..., trim:-trim, trim:-trim]

    def _degraded(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns LR [T, 3, P, P] of one of a clip's histories, and HR [T, 3, R * P, R * P].

        Time is not sped up, and frames are mirrored left to right alone: the faults of real video have a direction.
        """
        number = self.degraded[rng.integers(len(self.degraded))]
        histories, clip = self.footage.histories[number], self.footage.clips[number]
        history = histories[rng.integers(len(histories))]
        times = _times(len(history), self.config.frames, rng, 1)
        side, scale = self.config.patch, self.config.scale
        y, x = self._place(number, times, (history.shape[2], history.shape[3]), side, scale, rng)
        lr = history[times, :, y : y + side, x : x + side].float() / 255
        hr = clip[times, :, y * scale : (y + side) * scale, x * scale : (x + side) * scale].float() / 255
        mirrored = self.config.siting == Siting.CENTER and rng.random() < 0.5
        return (lr.flip(-1), hr.flip(-1)) if mirrored else (lr, hr)

    def _sequence(self, rng: np.random.Generator) -> Tensor:
        photos, clips = self.footage.photos, self.footage.clips
        if photos and (not clips or rng.random() < self.config.photo_share):
            return moving_photo(photos, self.config.size, rng, self.camera, self.config.frames)
        return self._patch(int(rng.integers(len(clips))), rng)

    def _patch(self, number: int, rng: np.random.Generator) -> Tensor:
        """Cuts [T, 3, S, S] from a clip, half of the time from a copy of half its size."""
        clip = self.footage.clips[number]
        shrink = 2 if min(clip.shape[2:]) >= 2 * self.config.size and rng.random() < 0.5 else 1
        side = self.config.size * shrink
        times = _times(len(clip), self.config.frames, rng)
        top, left = self._place(number, times, (clip.shape[2], clip.shape[3]), side, 1, rng)
        frames = clip[times, :, top : top + side, left : left + side].float() / 255
        return F.avg_pool2d(frames, shrink) if shrink > 1 else frames

    def _place(
        self, number: int, times: list[int], size: tuple[int, int], side: int, scale: int, rng: np.random.Generator
    ) -> tuple[int, int]:
        """Draws the top and left of a square: of a few places, the one that changes most in the middle of the sequence.

        size: height and width of the picture; scale: HR pixels to one of its pixels.
        """
        change = self.footage.changes[number]
        step = change[min(times[len(times) // 2], len(change) - 1)]
        places = [tuple(int(rng.integers(whole - side + 1)) for whole in size) for _ in range(PLACES)]
        cells = [tuple(_cells(start * scale, side * scale) for start in place) for place in places]
        top, left = places[int(np.argmax([step[rows, columns].mean() for rows, columns in cells]))]
        return top, left


def _cells(start: int, side: int) -> slice:
    """Returns the cells of `Footage.changes` that a stretch of pixels covers."""
    return slice(start // CELL, -(-(start + side) // CELL))


def _times(length: int, count: int, rng: np.random.Generator, fastest: int = 3) -> list[int]:
    """Returns frame numbers t + TA * k, k = 0 .. count - 1 (paper, section 4.1).

    TA is drawn from -fastest..fastest, as far as the clip is long enough: it speeds motion up, reverses it, or stops
    it. A clip that is shorter than the sequence is run through forwards and backwards.
    """
    if length < count:
        start, turn = int(rng.integers(length)), 2 * (length - 1)
        return [min(p % turn, turn - p % turn) for p in range(start, start + count)]
    reach = min(fastest, (length - 1) // (count - 1))
    step = int(rng.integers(-reach, reach + 1))
    span = (count - 1) * abs(step)
    first = int(rng.integers(length - span))
    times = [first + abs(step) * k for k in range(count)]
    return times if step >= 0 else times[::-1]


def _augment(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """Flips and quarter turns; HR is turned before the blur, so that top-left samples keep their side of the block."""
    if rng.random() < 0.5:
        frames = frames.flip(-1)
    return frames.rot90(int(rng.integers(4)), (-2, -1))
