"""Reports times as a table, as JSON and as a chart, with the machine that they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import vapoursynth as vs

from vsduf import __version__
from vsduf.bench.arithmetic import multiply_adds
from vsduf.bench.contenders import PEERS, PLAIN, VSDUF
from vsduf.bench.rounds import Result
from vsduf.network.config import DufConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMS = ("paper", "streaming")
HEADER = ("filter", "form", "fps", "best", "x paper", "x same form", "PSNR")


@dataclass(frozen=True)
class Trial:
    """The times of all contenders for one network and one size of the source.

    width: of the network, a key of `vsduf.network.config.WIDTHS`. size: width and height in pixels. sgemm:
    multiply-adds per second of the CPU's matrix products, measured after the results; None if the CPU does not compute.
    """

    layers: int
    width: str
    size: tuple[int, int]
    scale: int
    results: list[Result]
    sgemm: float | None = None

    def share(self, result: Result) -> float | None:
        """Returns a result's multiply-adds per second, of this trial's network, over those of `sgemm`."""
        if self.sgemm is None:
            return None
        streaming, pixels = result.contender.form == "streaming", self.size[0] * self.size[1]
        config = DufConfig.of_depth(self.layers, self.scale, streaming=streaming, width=self.width)
        return result.median * multiply_adds(config) * pixels / self.sgemm

    @property
    def title(self) -> str:
        """The title of the trial's table and chart: source size, scale and network."""
        network = f"{self.layers} layers" + ("" if self.width == "full" else f", {self.width}")
        return f"{self.size[0]}x{self.size[1]} x{self.scale}, {network}"


def table(results: Sequence[Result]) -> str:
    """Returns one line per contender.

    fps: of the median round. The two ratios compare with the fastest other filter, with the paper's form and with the
    same form of the network.
    """
    rivals = {form: fastest(results, form) for form in FORMS}
    rows = [HEADER]
    for r in results:
        ratios = (_ratio(r, rivals["paper"]), _ratio(r, rivals[r.contender.form]))
        decibels = "" if r.decibels is None else f"{r.decibels:.0f}"
        rows.append((r.contender.name, r.contender.form, f"{r.median:.2f}", f"{r.best:.2f}", *ratios, decibels))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    known = sorted({rival.contender.name for rival in rivals.values() if rival is not None})
    fastest_are = f"the fastest other filter ({' and '.join(known)})"
    note = f"x paper, x same form: speed as a multiple of {fastest_are} with the paper's form, and with the same form"
    return "\n".join([*lines, note, f"PSNR: in dB, of the last frame against {VSDUF}'s"])


def limit(trial: Trial) -> str:
    """Returns a line with the machine's rate and the share of it that core.duf.Upscale reaches; "" without a rate."""
    if trial.sgemm is None:
        return ""
    shares = [f"{trial.share(r):.2f} ({r.contender.form} form)" for r in trial.results if r.contender.name == VSDUF]
    rate = f"torch's matrix products: {2 * trial.sgemm / 1e9:.0f} GFLOP/s"
    return f"{rate}; {VSDUF} computes at {' and '.join(shares)} of that rate, 3x3 layers counted as F(4x4, 3x3)"


def fastest(results: Sequence[Result], form: str) -> Result | None:
    """Returns the fastest other filter with that form; the plain network where no other was measured, else None."""
    others = [r for r in results if r.contender.form == form and r.contender.name != VSDUF]
    peers = [r for r in others if not r.contender.name.startswith(PLAIN)]
    return max(peers or others, key=lambda r: r.median, default=None)


def document(trial: Trial) -> dict[str, Any]:
    """Returns all figures of the table, and the times of every round, as JSON's types."""
    rivals = {form: fastest(trial.results, form) for form in FORMS}
    return {
        "layers": trial.layers,
        "width": trial.width,
        "size": list(trial.size),
        "sgemm_gflops": None if trial.sgemm is None else 2 * trial.sgemm / 1e9,
        "results": [
            {
                "filter": r.contender.name,
                "form": r.contender.form,
                "half": r.contender.half,
                "fps": r.median,
                "best_fps": r.best,
                "seconds_per_frame": r.seconds,
                "times_fastest": {f: r.ratio_to(rival) for f, rival in rivals.items() if rival is not None},
                "psnr_to_vsduf": r.decibels,
                "share_of_sgemm": trial.share(r) if r.contender.name == VSDUF else None,
            }
            for r in trial.results
        ],
    }


def machine(device: torch.device) -> dict[str, Any]:
    """Returns processor, cores, device and versions, as JSON's types."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
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
    """Returns the processor's name, or its architecture where the system does not state the name."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def finding(trial: Trial) -> str:
    """Returns the trial's main result: the speed of core.duf.Upscale beside that of the fastest other filter."""
    own = max((r for r in trial.results if r.contender.name == VSDUF), key=lambda r: r.median)
    rivals = [rival for form in FORMS if (rival := fastest(trial.results, form)) is not None]
    if not rivals:
        return f"{VSDUF}: {own.median:.2f} frames per second"
    rival = max(rivals, key=lambda r: r.median)
    fast = f"{rival.contender.name}, {rival.contender.form} form"
    return f"{VSDUF} makes {own.ratio_to(rival):.1f} times as many frames per second as {fast}"


def chart(trials: Sequence[Trial], machine: Mapping[str, Any]) -> Figure:
    """Draws frames per second: a panel for each trial, a bar for each contender's median round, a mark for its best."""
    from matplotlib.figure import Figure

    heights = [0.9 + 0.4 * len(trial.results) for trial in trials]
    figure = Figure((9, sum(heights) + 0.7), layout="constrained")
    panels = figure.subplots(len(trials), height_ratios=heights, squeeze=False)[:, 0]
    for trial, axes in zip(trials, panels, strict=True):
        names = [f"{r.contender.name}, {r.contender.form} form" for r in trial.results]
        colours = ["tab:orange" if r.contender.name == VSDUF else "tab:gray" for r in trial.results]
        bars = axes.barh(names, [r.median for r in trial.results], color=colours, label="median round")
        axes.plot([r.best for r in trial.results], names, "k|", markersize=14, label="best round")
        axes.bar_label(bars, [f"{r.median:.2f}" for r in trial.results], label_type="center")
        axes.set_title(f"{finding(trial)}\n{trial.title}", fontsize=9)
        axes.invert_yaxis()
    panels[0].legend(fontsize=8)
    panels[-1].set_xlabel("frames per second")
    processor = machine["processor"] if machine["device"] == "CPU" else machine["device"]
    figure.suptitle(f"{processor}, {machine['torch_threads']} threads, vsduf {machine['vsduf']}", fontsize=8)
    return figure


def _ratio(result: Result, rival: Result | None) -> str:
    return "" if rival is None else f"{result.ratio_to(rival):.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
    return "  ".join(cells).rstrip()


def _version(plugin: str) -> str:
    found = getattr(vs.core, plugin).Version()["version"]
    return found.decode() if isinstance(found, bytes) else str(found)
