"""The TOML file of a training run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from vsduf.errors import ArgumentError
from vsduf.network import DEPTHS, DufConfig
from vsduf.training.samples import SampleConfig

T = TypeVar("T")


@dataclass(frozen=True)
class Schedule:
    """Learning rate over steps: a linear start, a constant stretch, a fall to nothing over the last share of the run.

    A run may be resumed with more steps as long as the fall has not begun. `published` divides by ten every tenth of
    the run instead (paper, section 4).
    """

    steps: int = 4000
    rate: float = 1e-3
    warmup: int = 100
    fall: float = 0.3
    published: bool = False

    def at(self, step: int) -> float:
        """Learning rate of one step."""
        if self.published:
            return self.rate * 0.1 ** (step * 10 // self.steps)
        rising = min(1.0, (step + 1) / self.warmup)
        falling = (self.steps - step) / max(1.0, self.steps * self.fall)
        return self.rate * min(rising, 1.0, max(0.0, falling))


@dataclass(frozen=True)
class RunConfig:
    """One training run: what is trained, on what, for how long, and where its files go."""

    output: Path
    footage: list[Path] = field(default_factory=list)
    photos: list[Path] = field(default_factory=list)
    validation: list[Path] = field(default_factory=list)
    layers: int = 16
    streaming: bool = True
    licence: str = "unstated"
    seed: int = 0
    ema: float = 0.999
    huber: float = 0.01
    norm_momentum: float = 0.01
    save_minutes: float = 2.0
    validate_every: int = 200
    schedule: Schedule = field(default_factory=Schedule)
    samples: SampleConfig = field(default_factory=SampleConfig)

    @property
    def network(self) -> DufConfig:
        """The network that the run trains."""
        return DufConfig.of_depth(self.layers, self.samples.scale, streaming=self.streaming)


def read(path: Path) -> RunConfig:
    """Reads a run's TOML; its paths are relative to the file.

    Raises ArgumentError for a file that is missing or not TOML, an unknown key, or a value that cannot be trained.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read ({error.strerror}); name a training configuration") from error
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"{path} is not valid TOML: {error}") from error
    for key in ("footage", "photos", "validation"):
        table[key] = [path.parent / Path(p).expanduser() for p in table.get(key, [])]
    table["output"] = path.parent / Path(table.get("output", "runs/" + path.stem)).expanduser()
    table["schedule"] = _build(Schedule, table.get("schedule", {}), path)
    table["samples"] = _build(SampleConfig, table.get("samples", {}), path)
    config = _build(RunConfig, table, path)
    if config.layers not in DEPTHS:
        raise ArgumentError(f"{path}: layers is {config.layers}; it must be one of {', '.join(map(str, DEPTHS))}")
    if not config.footage and not config.photos:
        raise ArgumentError(f"{path} names nothing to train on; set footage, photos or both")
    return config


def _build(kind: type[T], table: dict[str, Any], path: Path) -> T:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise ArgumentError(f"{path}: there is no {key!r}; known are {', '.join(sorted(known))}")
    return kind(**table)
