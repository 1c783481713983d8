"""Recipes of degradations: the ranges that training draws from, and the recipes that models are scored with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Recipe:
    """One history of a clip, in the order in which it happens; sizes are in LR pixels, noise in levels of 255.

    blur, blur_across: standard deviation of a Gaussian both ways, and of one more along the lines. halo: gain of an
    unsharp mask along the lines; halo_width: its Gaussian's standard deviation. chroma_blur, chroma_shift: standard
    deviation along the lines and displacement to the right, of the colour alone. noise, chroma_noise: standard
    deviations. grain, grain_across: standard deviation of the Gaussian that correlates the noise, both ways and along
    the lines. drift: the share by which halo and noise wander over the clip. fields: whether the frames are two fields
    each, which a deinterlacer (bwdif) has made whole again. codec: an ffmpeg encoder, "" for none; quality: its crf for
    libx264, its qscale for others.
    """

    blur: float = 0.0
    blur_across: float = 0.0
    halo: float = 0.0
    halo_width: float = 1.5
    chroma_blur: float = 0.0
    chroma_shift: float = 0.0
    noise: float = 0.0
    chroma_noise: float = 0.0
    grain: float = 0.0
    grain_across: float = 0.0
    drift: float = 0.0
    fields: bool = False
    codec: str = ""
    quality: float = 0.0


@dataclass(frozen=True)
class Family:
    """Recipes of one kind of source: a range for each number, the share that has fields, and (encoder, quality) ranges.

    A number without a range stays at its default.
    """

    ranges: Mapping[str, Range]
    interlaced: float
    codecs: Mapping[str, Range]


FAMILIES: Mapping[str, Family] = MappingProxyType({
    "dvd": Family(
        {"blur": (0, 0.6), "halo": (0, 0.6), "halo_width": (1, 2.5), "noise": (0, 2.5), "drift": (0, 0.3)},
        0.3,
        {"mpeg2video": (2, 11)},
    ),
    "web": Family(
        {"blur": (0, 0.5), "halo": (0, 0.3), "noise": (0, 1.5), "drift": (0, 0.3)},
        0.0,
        {"libx264": (22, 36), "mpeg4": (3, 12)},
    ),
    "tape": Family(
        {
            "blur": (0, 0.4), "blur_across": (0.3, 1.4), "halo": (0.1, 1.0), "halo_width": (1, 3),
            "chroma_blur": (1.5, 5), "chroma_shift": (-2, 3), "noise": (1.5, 8), "chroma_noise": (3, 12),
            "grain_across": (0.4, 1.6), "drift": (0, 0.4),
        },
        0.6,
        {"mpeg2video": (2, 6), "libx264": (16, 26)},
    ),
    "film": Family(
        {"blur": (0, 0.5), "noise": (2, 9), "chroma_noise": (0, 3), "grain": (0.3, 1.0), "drift": (0, 0.4)},
        0.0,
        {"": (0, 0), "mpeg2video": (2, 6), "libx264": (14, 24)},
    ),
})  # fmt: skip
"""The ranges that training draws from, by name."""

HELD_OUT: Mapping[str, Recipe] = MappingProxyType({
    "dvd": Recipe(blur=0.35, halo=0.25, noise=1.0, codec="mpeg2video", quality=6),
    "web": Recipe(codec="libx264", quality=30),
    "vhs": Recipe(
        blur_across=0.9, halo=0.5, halo_width=2, chroma_blur=3, chroma_shift=1, noise=4, chroma_noise=6,
        grain_across=0.9, drift=0.2, fields=True, codec="mpeg2video", quality=4,
    ),
})  # fmt: skip
"""The recipes that `vsduf eval --degrade` judges by, which no training draws exactly."""


def draw(family: str, rng: np.random.Generator) -> Recipe:
    """Draws a recipe of a family; raises KeyError for a name that FAMILIES does not have."""
    chosen = FAMILIES[family]
    numbers = {name: float(rng.uniform(low, high)) for name, (low, high) in chosen.ranges.items()}
    codec = list(chosen.codecs)[rng.integers(len(chosen.codecs))]
    return Recipe(
        **numbers,
        fields=bool(rng.random() < chosen.interlaced),
        codec=codec,
        quality=float(rng.uniform(*chosen.codecs[codec])),
    )


def describe(recipe: Recipe) -> str:
    """Returns a recipe's numbers that are not their defaults, such as "noise 4, codec mpeg2video"."""
    default = Recipe()
    changed = {f.name: getattr(recipe, f.name) for f in fields(Recipe)}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in changed.items()
        if value != getattr(default, name)
    )
