"""Draws a run's loss and validation scores over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsduf.training.history import Row
from vsduf.training.run_folder import write_atomically


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws loss, PSNR with bicubic's, and temporal gain over steps, into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 7), layout="constrained")
    FigureCanvasAgg(figure)
    loss, psnr, gain = figure.subplots(3, sharex=True, height_ratios=(2, 2, 1))
    steps = [row.step for row in rows]
    loss.semilogy(steps, [row.loss for row in rows], marker=".")
    loss.set_ylabel("training loss")
    psnr.plot(steps, [row.psnr for row in rows], marker=".", label="this network")
    psnr.plot(steps, [row.bicubic for row in rows], "--", color="grey", label="bicubic")
    psnr.set_ylabel("PSNR, validation (dB)")
    psnr.legend()
    gain.plot(steps, [row.temporal_gain for row in rows], marker=".")
    gain.set_ylabel("temporal gain (dB)")
    gain.set_xlabel("step")
    for axes in (loss, psnr, gain):
        axes.grid(alpha=0.3)
    write_atomically(path, lambda partial: figure.savefig(partial, format="png", dpi=110))
