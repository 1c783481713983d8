"""The TOML file of a training run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vsduf.errors import ArgumentError
from vsduf.network.duf import DEPTHS, DufConfig
from vsduf.training.camera import Camera
from vsduf.training.muon import OPTIMISERS
from vsduf.training.samples import SampleConfig

LISTS = ("footage", "photos", "validation")  # keys that hold several paths
UNSTATED = "unstated"  # licence and data of a run that says nothing of them


@dataclass(frozen=True)
class Schedule:
    """Learning rate over steps: a linear start, a constant stretch, a fall to nothing over the last share of the run.

    A run may be resumed with more steps as long as the fall has not begun. `published` divides by ten every `drop`
    steps instead; the default is the paper's ten epochs of 160,000 samples in batches of 16 (section 4.1).
    """

    steps: int = 4000
    rate: float = 1e-3
    warmup: int = 100
    fall: float = 0.3
    published: bool = False
    drop: int = 100_000

    def __post_init__(self) -> None:
        _require(self.steps > 0, f"steps is {self.steps}; it must be 1 or more")
        _require(self.rate > 0, f"rate is {self.rate}; it must be above 0")
        _require(self.warmup >= 0, f"warmup is {self.warmup}; it must be 0 or more")
        _require(0 <= self.fall <= 1, f"fall is {self.fall}; it must be a share, 0 to 1")
        _require(self.drop > 0, f"drop is {self.drop}; it must be 1 or more")

    def at(self, step: int) -> float:
        """Learning rate of one step, counted from 0."""
        if self.published:
            return float(self.rate * 0.1 ** (step // self.drop))
        rising = (step + 1) / max(1, self.warmup)
        falling = (self.steps - step) / max(1.0, self.steps * self.fall)
        return self.rate * max(0.0, min(rising, falling, 1.0))


@dataclass(frozen=True)
class RunConfig:
    """One training run: what is trained, on what, for how long, and where its files go.

    start: a bundled model or a weights file to begin from, instead of chance; it may be for another scale. licence
    and data go into the weights file. ema: how much of itself the moving average keeps at a step. huber: where the
    loss turns from square to straight. optimiser: "muon", or "adam" as the paper has it. norm_momentum: what batch
    norm's averages take from a step (torch's sense).
    """

    output: Path
    footage: list[Path] = field(default_factory=list)
    photos: list[Path] = field(default_factory=list)
    validation: list[Path] = field(default_factory=list)
    cache: Path | None = None
    layers: int = 16
    streaming: bool = True
    start: str = ""
    licence: str = UNSTATED
    data: str = UNSTATED
    seed: int = 0
    ema: float = 0.999
    huber: float = 0.01
    optimiser: str = "muon"
    norm_momentum: float = 0.01
    save_minutes: float = 2.0
    validate_every: int = 200
    schedule: Schedule = field(default_factory=Schedule)
    samples: SampleConfig = field(default_factory=SampleConfig)
    camera: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        depths = ", ".join(map(str, DEPTHS))
        _require(self.layers in DEPTHS, f"layers is {self.layers}; it must be one of {depths}")
        _require(bool(self.footage or self.photos), "there is nothing to train on; set footage, photos or both")
        _require(bool(self.validation), "validation is empty; name a folder of clips that are not in footage")
        _require(0 <= self.seed < 2**63, f"seed is {self.seed}; it must be 0 or more, and below 2 to the 63rd")
        _require(0 <= self.ema < 1, f"ema is {self.ema}; it must be at least 0 and below 1")
        _require(self.huber > 0, f"huber is {self.huber}; it must be above 0")
        _require(self.optimiser in OPTIMISERS, f"optimiser is {self.optimiser!r}; it must be one of {list(OPTIMISERS)}")
        _require(0 < self.norm_momentum <= 1, f"norm_momentum is {self.norm_momentum}; it must be above 0, at most 1")
        _require(self.save_minutes >= 0, f"save_minutes is {self.save_minutes}; it must be 0 or more")
        _require(self.validate_every > 0, f"validate_every is {self.validate_every}; it must be 1 or more")

    @property
    def network(self) -> DufConfig:
        """The network that the run trains."""
        return DufConfig.of_depth(self.layers, self.samples.scale, streaming=self.streaming)

    @property
    def footage_cache(self) -> Path:
        """Where decoded clips are kept."""
        return self.cache or self.output / "footage"


def read(path: Path) -> RunConfig:
    """Reads a run's TOML; its paths are relative to the file.

    Raises ArgumentError for a file that is missing or not TOML, an unknown key, or a value that cannot be trained.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read ({error.strerror}); name a training configuration") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} is not valid TOML: {error}") from error
    try:
        for key in LISTS:
            table[key] = _paths(table.get(key, []), key, path)
        for key in {"output", "cache"} & table.keys():
            table[key] = _paths([table[key]], key, path)[0]
        if Path(str(table.get("start", ""))).suffix:  # a file, not a bundled model's name
            table["start"] = str(_paths([table["start"]], "start", path)[0])
        table.setdefault("output", path.parent / "runs" / path.stem)
        for key, kind in (("schedule", Schedule), ("samples", SampleConfig), ("camera", Camera)):
            table[key] = _build(kind, table.get(key, {}), f"[{key}] ")
        return _build(RunConfig, table)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error


def _paths(values: Any, key: str, file: Path) -> list[Path]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ArgumentError(f"{key} is {values!r}; write paths in quotes" + (", as a list" if key in LISTS else ""))
    return [file.parent / Path(value).expanduser() for value in values]


def _build[T](kind: type[T], table: Any, where: str = "") -> T:
    """The dataclass with the table's values; ArgumentError for keys that it has not, and values of another type."""
    if not isinstance(table, dict):
        raise ArgumentError(f"{where}is {table!r}; it must be a table")
    known = {f.name: f.default for f in fields(kind)}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in known:
            raise ArgumentError(f"{where}there is no {key!r}; known are {', '.join(sorted(known))}")
        want = type(known[key])
        if want in (bool, int, float, str) and type(value) is not want and not (want is float and type(value) is int):
            raise ArgumentError(f"{where}{key} is {value!r}; it must be of type {want.__name__}")
    try:
        return kind(**table)
    except ArgumentError as error:
        raise ArgumentError(f"{where}{error}") from error


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ArgumentError(message)
