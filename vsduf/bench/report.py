"""What was found, as a table, as JSON and as a chart, with the machine that it was found on."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import vapoursynth as vs

from vsduf import __version__
from vsduf.bench.contenders import OURS, PEERS, PLAIN
from vsduf.bench.rounds import Result
from vsduf.engine.cpu.worker import on_compute_thread
from vsduf.errors import ArgumentError

HEADER = ("filter", "form", "fps", "best", "times the paper's", "times the same form's", "dB to ours")


@dataclass(frozen=True)
class Trial:
    """What everyone took for one network and one size (width, height) of the source."""

    layers: int
    size: tuple[int, int]
    scale: int
    results: list[Result]

    @property
    def title(self) -> str:
        """For a table or a chart."""
        return f"{self.size[0]}x{self.size[1]} x{self.scale}, {self.layers} layers"


def table(results: Sequence[Result]) -> str:
    """One line a contender; fps is of the middling round, ratios are to the fastest contender that is not ours."""
    rivals = {form: fastest(results, form) for form in ("paper", "streaming")}
    rows = [HEADER]
    for r in results:
        ratios = (_ratio(r, rivals["paper"]), _ratio(r, rivals[r.contender.form]))
        decibels = "" if r.decibels is None else f"{r.decibels:.0f}"
        rows.append((r.contender.name, r.contender.form, f"{r.median:.2f}", f"{r.best:.2f}", *ratios, decibels))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    known = sorted({rival.contender.name for rival in rivals.values() if rival is not None})
    return "\n".join([*lines, f"times: as fast as the fastest of the others, {' and '.join(known)}"])


def fastest(results: Sequence[Result], form: str) -> Result | None:
    """The fastest peer with that form of the network, without peers the plain network; None if there is neither."""
    others = [r for r in results if r.contender.form == form and r.contender.name != OURS]
    peers = [r for r in others if not r.contender.name.startswith(PLAIN)]
    return max(peers or others, key=lambda r: r.median, default=None)


def document(trial: Trial) -> dict[str, Any]:
    """Everything that the table says, and every round's time, fit for JSON."""
    rivals = {form: fastest(trial.results, form) for form in ("paper", "streaming")}
    return {
        "layers": trial.layers,
        "size": list(trial.size),
        "results": [
            {
                "filter": r.contender.name,
                "form": r.contender.form,
                "half": r.contender.half,
                "fps": r.median,
                "best_fps": r.best,
                "seconds_a_frame": r.seconds,
                "times_fastest": {f: r.ratio_to(rival) for f, rival in rivals.items() if rival is not None},
                "psnr_to_ours": r.decibels,
            }
            for r in trial.results
        ],
    }


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores, device and versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "torch_threads": on_compute_thread(torch.get_num_threads),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "vapoursynth": str(vs.__version__),
        "vsduf": __version__,
        **{name: _version(name) for name in PEERS if hasattr(vs.core, name)},
    }


def processor() -> str:
    """Its name, as far as the system tells."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def check_chart() -> None:
    """Raises ArgumentError where matplotlib, which `chart` needs, is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError("a chart needs matplotlib; pip install matplotlib, or leave --png out")


def chart(trials: Sequence[Trial], path: Path) -> None:
    """Frames a second as bars, the best round as a mark, a panel for each trial, into a picture file."""
    from matplotlib.figure import Figure

    heights = [0.6 + 0.4 * len(trial.results) for trial in trials]
    figure = Figure((8, sum(heights) + 0.3), layout="constrained")
    panels = figure.subplots(len(trials), height_ratios=heights, squeeze=False)[:, 0]
    for trial, axes in zip(trials, panels, strict=True):
        names = [f"{r.contender.name}, {r.contender.form}" for r in trial.results]
        colours = ["tab:orange" if r.contender.name == OURS else "tab:gray" for r in trial.results]
        bars = axes.barh(names, [r.median for r in trial.results], color=colours)
        axes.plot([r.best for r in trial.results], names, "k|", markersize=14)
        axes.bar_label(bars, [f"{r.median:.2f}" for r in trial.results], label_type="center")
        axes.set(title=trial.title)
        axes.invert_yaxis()
    panels[-1].set(xlabel="frames a second, middling round (mark: best round)")
    figure.savefig(path)


def _ratio(result: Result, rival: Result | None) -> str:
    return "" if rival is None else f"{result.ratio_to(rival):.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
    return "  ".join(cells).rstrip()


def _version(plugin: str) -> str:
    found = getattr(vs.core, plugin).Version()["version"]
    return found.decode() if isinstance(found, bytes) else str(found)
