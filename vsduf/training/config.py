"""The configuration of a training run, and its TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vsduf.errors import ArgumentError
from vsduf.network.duf import DEPTHS, WIDTHS, DufConfig
from vsduf.siting import Siting
from vsduf.training.camera import Camera
from vsduf.training.histories import Degradation
from vsduf.training.muon import OPTIMISERS
from vsduf.training.samples import SampleConfig
from vsduf.training.schedule import Finish, Schedule
from vsduf.upscaler import WINDOW

LISTS = ("footage", "photos", "validation")  # keys that hold several paths
UNSTATED = "unstated"  # licence and data of a run that names none
TABLES: dict[str, type[Any]] = {
    "schedule": Schedule,
    "finish": Finish,
    "samples": SampleConfig,
    "camera": Camera,
    "degradation": Degradation,
}
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class RunConfig:
    """One training run: the network, its data, its schedule, and the folder of its results.

    output, cache: folders of results and of decoded footage. footage, photos, validation: folders, see `footage.load`.
    layers, streaming, width: the network, see `DufConfig.of_depth`. start: a bundled model or a weights file to begin
    from in place of random initialisation; another scale is allowed, and so is a wider network, of which the channels
    with the largest batch-norm weights are kept. licence, data: written into the weights file. seed: of the random
    generators. ema: decay of the exponential moving average of the weights. huber: delta of the Huber loss. optimiser:
    "muon", or "adam" as in the paper. norm_momentum: momentum of BatchNorm's running statistics, in torch's sense.
    precision: of the convolutions, "float32", "bfloat16", or "auto" for bfloat16 on CUDA devices and on CPUs with an
    instruction for it. threads: CPU threads, each of which computes a share of the batch; 0 for one a core.
    """

    output: Path
    footage: list[Path] = field(default_factory=list)
    photos: list[Path] = field(default_factory=list)
    validation: list[Path] = field(default_factory=list)
    cache: Path | None = None
    layers: int = 16
    streaming: bool = True
    width: str = "full"
    start: str = ""
    licence: str = UNSTATED
    data: str = UNSTATED
    seed: int = 0
    ema: float = 0.999
    huber: float = 0.01
    optimiser: str = "muon"
    norm_momentum: float = 0.01
    precision: str = "auto"
    threads: int = 0
    save_minutes: float = 2.0
    validate_every: int = 200
    schedule: Schedule = field(default_factory=Schedule)
    finish: Finish = field(default_factory=Finish)
    samples: SampleConfig = field(default_factory=SampleConfig)
    camera: Camera = field(default_factory=Camera)
    degradation: Degradation = field(default_factory=Degradation)

    def __post_init__(self) -> None:
        for holds, message in (
            (self.layers in DEPTHS, f"layers is {self.layers}; it must be one of {', '.join(map(str, DEPTHS))}"),
            (self.width in WIDTHS, f"width is {self.width!r}; it must be one of {', '.join(WIDTHS)}"),
            (self.width == "full" or self.layers == 16, f"width {self.width!r} is of 16 layers; set layers = 16"),
            (
                self.streaming or self.samples.frames == WINDOW,
                f"frames is {self.samples.frames}, which needs streaming = true; set frames = {WINDOW} in [samples]",
            ),
            (bool(self.footage or self.photos), "there is nothing to train on; set footage, photos or both"),
            (bool(self.validation), "validation is empty; name a folder of clips that are not in footage"),
            (0 <= self.seed < 2**63, f"seed is {self.seed}; it must be 0 or more, and below 2 to the 63rd"),
            (0 <= self.ema < 1, f"ema is {self.ema}; it must be at least 0 and below 1"),
            (self.huber > 0, f"huber is {self.huber}; it must be above 0"),
            (self.optimiser in OPTIMISERS, f"optimiser is {self.optimiser!r}; it must be one of {list(OPTIMISERS)}"),
            (0 < self.norm_momentum <= 1, f"norm_momentum is {self.norm_momentum}; it must be above 0, at most 1"),
            (self.precision in PRECISIONS, f"precision is {self.precision!r}; it must be one of {list(PRECISIONS)}"),
            (self.threads >= 0, f"threads is {self.threads}; it must be 0 or more"),
            (self.save_minutes >= 0, f"save_minutes is {self.save_minutes}; it must be 0 or more"),
            (self.validate_every > 0, f"validate_every is {self.validate_every}; it must be 1 or more"),
        ):
            if not holds:
                raise ArgumentError(message)

    @property
    def network(self) -> DufConfig:
        """The network that the run trains."""
        return DufConfig.of_depth(self.layers, self.samples.scale, streaming=self.streaming, width=self.width)

    @property
    def footage_cache(self) -> Path:
        """The folder of decoded clips."""
        return self.cache or self.output / "footage"


def read(path: Path) -> RunConfig:
    """Reads a run's TOML file; its paths are relative to the file.

    Raises ArgumentError for a file that is missing or not TOML, an unknown key, or a value that cannot be used.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read ({error.strerror}); name a training configuration") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArgumentError(f"{path} is not valid TOML: {error}") from error
    try:
        return _run_config(table, path)
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error


def _run_config(table: dict[str, Any], path: Path) -> RunConfig:
    for key in LISTS:
        table[key] = _paths(table.get(key, []), key, path)
    for key in {"output", "cache"} & table.keys():
        table[key] = _paths([table[key]], key, path)[0]
    if Path(str(table.get("start", ""))).suffix:  # a file, not a bundled model's name
        table["start"] = str(_paths([table["start"]], "start", path)[0])
    table.setdefault("output", path.parent / "runs" / path.stem)
    for key, kind in TABLES.items():
        table[key] = _build(kind, table.get(key, {}), f"[{key}] ")
    return _build(RunConfig, table)


def _paths(values: Any, key: str, file: Path) -> list[Path]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ArgumentError(f"{key} is {values!r}; write paths in quotes" + (", as a list" if key in LISTS else ""))
    if any("\0" in value for value in values):
        raise ArgumentError(f"{key} holds a path with a NUL character; correct it")
    return [file.parent / _expanded(value, key) for value in values]


def _expanded(value: str, key: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # ~somebody
        raise ArgumentError(f"{key} is {value!r}; {error}") from error


def _build[T](kind: type[T], table: Any, where: str = "") -> T:
    """Makes a dataclass of a table; raises ArgumentError for unknown keys and for values of another type."""
    if not isinstance(table, dict):
        raise ArgumentError(f"{where}is {table!r}; it must be a table")
    known = {f.name: f.default for f in fields(kind)}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in known:
            raise ArgumentError(f"{where}there is no {key!r}; known are {', '.join(sorted(known))}")
        want = str if isinstance(known[key], Siting) else type(known[key])
        if want in (bool, int, float, str) and type(value) is not want and not (want is float and type(value) is int):
            raise ArgumentError(f"{where}{key} is {value!r}; it must be of type {want.__name__}")
    try:
        return kind(**table)
    except ArgumentError as error:
        raise ArgumentError(f"{where}{error}") from error
