"""How the learning rate, the loss and the patches of a run change over its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vsduf.errors import ArgumentError

LOSSES = ("huber", "l2")


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps of a run: a linear start, a constant stretch, a linear fall to 0.

    steps: of the run. rate: of the constant stretch. warmup: steps of the start. fall: the share of the run over which
    the rate falls. A run may be resumed with more steps as long as the fall has not begun.
    published: divide by ten every `drop` steps instead, the paper's ten epochs of 160,000 samples in batches of 16
    (section 4.1).
    """

    steps: int = 4000
    rate: float = 1e-3
    warmup: int = 100
    fall: float = 0.3
    published: bool = False
    drop: int = 100_000

    def __post_init__(self) -> None:
        _require(self.steps > 0, f"steps is {self.steps}; it must be 1 or more")
        _require(0 < self.rate < math.inf, f"rate is {self.rate}; it must be above 0, and finite")
        _require(self.warmup >= 0, f"warmup is {self.warmup}; it must be 0 or more")
        _require(0 <= self.fall <= 1, f"fall is {self.fall}; it must be a share, 0 to 1")
        _require(self.drop > 0, f"drop is {self.drop}; it must be 1 or more")

    def at(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        if self.published:
            return float(self.rate * 0.1 ** (step // self.drop))
        rising = (step + 1) / max(1, self.warmup)
        falling = (self.steps - step) / max(1.0, self.steps * self.fall)
        return self.rate * max(0.0, min(rising, falling, 1.0))


@dataclass(frozen=True)
class Finish:
    """What is different in the last steps of a run.

    share: of the run's steps; 0 for none. patch: side of the patches in LR pixels, 0 for that of [samples]; the batch
    shrinks so that a step costs about the same. loss: "huber" or "l2", the measure of PSNR. freeze_norm: batch norms
    use their running statistics, as inference does, once these have averaged over 5 / norm_momentum steps.
    """

    share: float = 0.2
    patch: int = 0
    loss: str = "l2"
    freeze_norm: bool = True

    def __post_init__(self) -> None:
        _require(0 <= self.share <= 1, f"share is {self.share}; it must be a share, 0 to 1")
        _require(self.patch == 0 or self.patch >= 8, f"patch is {self.patch}; it must be 8 or more, or 0")
        _require(self.loss in LOSSES, f"loss is {self.loss!r}; it must be one of {list(LOSSES)}")

    def begins(self, steps: int) -> int:
        """Returns the first step of the last part of a run of so many steps, counted from 0."""
        return steps - round(steps * self.share)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ArgumentError(message)
