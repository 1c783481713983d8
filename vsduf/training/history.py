"""What a run has measured: one row for every validation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Row:
    """One validation.

    loss: mean of the training loss since the last one. rate: the learning rate. seconds: of training so far. psnr,
    bicubic, temporal_gain: in dB, see `validation.Score`. drawing: the share of time spent drawing samples.
    """

    step: int
    loss: float
    rate: float
    seconds: float
    psnr: float
    bicubic: float
    temporal_gain: float
    drawing: float = 0.0

    def saved(self) -> dict[str, Any]:
        """Returns plain numbers by name, for a checkpoint."""
        return asdict(self)

    @classmethod
    def loaded(cls, saved: dict[str, Any]) -> Row:
        """Returns the row that `saved` was made from; raises KeyError or TypeError for anything else."""
        return cls(**{f.name: saved[f.name] for f in fields(cls)})
