"""Timing: all filters make a few frames in turn, round by round, so that background load hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch

from vsduf.bench.contenders import VSDUF, Contender
from vsduf.evaluation.metrics import decibels
from vsduf.upscaler import Planes

EQUAL, EQUAL_HALF = 60.0, 55.0  # least dB between two pictures that count as equal, in float and in half precision


@dataclass
class Result:
    """The times of one contender.

    seconds: per frame, one number for each round. decibels: PSNR of the last frame against core.duf.Upscale's; None for
    core.duf.Upscale itself.
    """

    contender: Contender
    seconds: list[float] = field(default_factory=list)
    decibels: float | None = None

    @property
    def median(self) -> float:
        """Frames per second in the median round."""
        return 1 / median(self.seconds)

    @property
    def best(self) -> float:
        """Frames per second in the best round."""
        return 1 / min(self.seconds)

    def ratio_to(self, other: Result) -> float:
        """Returns how many times as fast as `other` this one is: the median of the ratios of each round."""
        return median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


def measure(
    contenders: Sequence[Contender],
    rounds: int,
    batch: int,
    progress: Callable[[int, str], None] = lambda done, status: None,
) -> list[Result]:
    """Times `batch` frames of each contender per round, in turn; a first round, of frames 0 to `batch`, is not counted.

    progress: called with the number of rounds done and the name of the contender that is timed next.
    """
    results = [Result(contender) for contender in contenders]
    last: list[Planes] = []
    for n in range(rounds + 1):
        last = []
        for result in results:
            progress(max(0, n - 1), f"{result.contender.name}, {result.contender.form} form")
            started = time.perf_counter()
            last.append(result.contender.make(n * batch, batch))
            if n > 0:
                result.seconds.append((time.perf_counter() - started) / batch)
    progress(rounds, "")
    own = {r.contender.form: planes for r, planes in zip(results, last, strict=True) if r.contender.name == VSDUF}
    for result, planes in zip(results, last, strict=True):
        if result.contender.name != VSDUF:
            result.decibels = psnr(planes, own[result.contender.form])
    return results


def unequal(results: Sequence[Result]) -> list[Result]:
    """Returns the results whose frame differs from core.duf.Upscale's: under 60 dB, or 55 dB in half precision."""
    halves = {r.contender.form for r in results if r.contender.half and r.contender.name == VSDUF}
    found = []
    for result in results:
        least = EQUAL_HALF if result.contender.half or result.contender.form in halves else EQUAL
        if result.decibels is not None and not result.decibels >= least:  # NaN counts as different
            found.append(result)
    return found


def psnr(a: Planes, b: Planes) -> float:
    """Returns the PSNR in dB of two float pictures of range 0..1, over all pixels of all planes."""
    error = np.mean([np.square(x.astype(np.float64) - y).mean() for x, y in zip(a, b, strict=True)])
    return float(decibels(torch.tensor(error), peak=1.0))
