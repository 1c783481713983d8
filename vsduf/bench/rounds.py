"""Taking times: everyone makes a few frames in turn, round after round, so that a busy machine is busy for all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from vsduf.bench.contenders import OURS, Contender
from vsduf.upscaler import Planes

EQUAL, EQUAL_HALF = 60.0, 55.0  # dB between two pictures that count as the same


@dataclass
class Result:
    """seconds: for one frame, a number for each round. decibels: PSNR of the last frame against ours, None for ours."""

    contender: Contender
    seconds: list[float] = field(default_factory=list)
    decibels: float | None = None

    @property
    def median(self) -> float:
        """Frames a second in the middling round."""
        return 1 / median(self.seconds)

    @property
    def best(self) -> float:
        """Frames a second in the best round."""
        return 1 / min(self.seconds)

    def ratio_to(self, other: Result) -> float:
        """How many times as fast as the other, both in the same round, in the middling round."""
        return median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))


def measure(
    contenders: Sequence[Contender], rounds: int, batch: int, progress: Callable[[int], None] = lambda _: None
) -> list[Result]:
    """Lets everyone make `batch` frames a round, from frame `batch` on; a round before the first is not counted."""
    results = [Result(contender) for contender in contenders]
    last: list[Planes] = []
    for n in range(rounds + 1):
        last = []
        for result in results:
            started = time.perf_counter()
            last.append(result.contender.make(n * batch, batch))
            if n > 0:
                result.seconds.append((time.perf_counter() - started) / batch)
        progress(n)
    own = {r.contender.form: planes for r, planes in zip(results, last, strict=True) if r.contender.name == OURS}
    for result, planes in zip(results, last, strict=True):
        if result.contender.name != OURS:
            result.decibels = _psnr(planes, own[result.contender.form])
    return results


def unequal(results: Sequence[Result]) -> list[Result]:
    """Those whose frame is not ours; half precision, theirs or ours, may be a little further off."""
    halves = {r.contender.form for r in results if r.contender.half and r.contender.name == OURS}
    return [
        r
        for r in results
        if r.decibels is not None
        and not r.decibels >= (EQUAL_HALF if r.contender.half or r.contender.form in halves else EQUAL)  # nor nan
    ]


def _psnr(a: Planes, b: Planes) -> float:
    """Between two float pictures of range 0..1, all pixels."""
    error = float(np.mean([np.square(x.astype(np.float64) - y).mean() for x, y in zip(a, b, strict=True)]))
    return math.inf if error == 0 else -10 * math.log10(error)
