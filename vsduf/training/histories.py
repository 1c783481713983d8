"""Adds degraded low-resolution clips to footage: each clip's histories, made once by real encoders and cached."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.degradations.history import degraded
from vsduf.degradations.recipe import FAMILIES, Recipe, draw
from vsduf.errors import ArgumentError
from vsduf.training.camera import Camera, moving_photo
from vsduf.training.footage import Footage, changes
from vsduf.training.run_folder import write_atomically
from vsduf.training.samples import SampleConfig

LEAST = 16  # LR pixels each way, below which encoders refuse a clip
PHOTO_SIDE, PHOTO_FRAMES = 384, 28  # HR pixels and frames of a clip that is made from a photograph


@dataclass(frozen=True)
class Degradation:
    """The [degradation] of a run.

    families: kinds of sources, keys of `degradations.FAMILIES`; none for the paper's degradation alone. share: of the
    sequences that come from degraded clips. variants: histories of each clip, each of a family and recipe of its own.
    photo_clips: clips made from photographs in motion, which get histories too.
    """

    families: list[str] = field(default_factory=list)
    share: float = 0.75
    variants: int = 3
    photo_clips: int = 60

    def __post_init__(self) -> None:
        known = isinstance(self.families, list) and all(family in FAMILIES for family in self.families)
        for holds, message in (
            (known, f"families is {self.families!r}; it must be a list of some of {', '.join(FAMILIES)}"),
            (0 <= self.share <= 1, f"share is {self.share}; it must be a share, 0 to 1"),
            (self.variants >= 1, f"variants is {self.variants}; it must be 1 or more"),
            (self.photo_clips >= 0, f"photo_clips is {self.photo_clips}; it must be 0 or more"),
        ):
            if not holds:
                raise ArgumentError(message)


def add(
    footage: Footage,
    degradation: Degradation,
    samples: SampleConfig,
    camera: Camera,
    cache: Path,
    report: Callable[[str], None] = lambda text: None,
) -> Footage:
    """Returns footage whose clips have histories, and clips made from photographs besides.

    Histories are cached in `cache`. report: called with what is being made, in a few words. Raises MediaError where
    ffmpeg fails, ArgumentError where the cache cannot be written.
    """
    clips = [*footage.clips, *_photo_clips(footage.photos, degradation.photo_clips, camera)]
    fitting = [n for n, clip in enumerate(clips) if min(clip.shape[2:]) >= samples.scale * max(samples.patch, LEAST)]
    histories: list[list[Tensor]] = [[] for _ in clips]
    for done, number in enumerate(fitting):
        report(f"degrading clip {done + 1} of {len(fitting)}")
        for variant in range(degradation.variants):
            rng = np.random.default_rng((number, variant))
            recipe = draw(degradation.families[rng.integers(len(degradation.families))], rng)
            histories[number].append(_cached(clips[number].numpy(), recipe, samples, rng, cache))
    made = [changes(clip.numpy()) for clip in clips[len(footage.clips) :]]
    return Footage(clips, footage.photos, [*footage.changes, *made], histories)


def _photo_clips(photos: list[Tensor], count: int, camera: Camera) -> list[Tensor]:
    made = []
    for number in range(count if photos else 0):
        rng = np.random.default_rng((number, len(photos)))
        side = min(PHOTO_SIDE, *(min(photo.shape[1:]) for photo in photos))
        frames = moving_photo([photos[number % len(photos)]], side, rng, camera, PHOTO_FRAMES)
        made.append((frames * 255).round().to(torch.uint8))
    return made


def _cached(
    clip: NDArray[np.uint8], recipe: Recipe, samples: SampleConfig, rng: np.random.Generator, cache: Path
) -> Tensor:
    """Returns the LR clip of a recipe, from the cache if it is there."""
    content = hashlib.sha256(clip[0].tobytes() + clip[-1].tobytes())
    content.update(f"{clip.shape}{samples.scale}{samples.siting}{recipe}".encode())
    path = cache / f"history-{content.hexdigest()[:20]}.npy"
    if path.exists():
        with contextlib.suppress(ValueError, EOFError):  # a file that was cut short
            return torch.from_numpy(np.load(path, mmap_mode="c"))
    lr = degraded(clip, samples.scale, samples.siting, recipe, rng)
    write_atomically(path, lambda partial: np.save(partial, lr))
    return torch.from_numpy(lr)
