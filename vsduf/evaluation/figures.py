"""Draws the experiments of `vsduf.evaluation.experiments`; every function returns a matplotlib figure.

caption: names the model, and clip and frame where there is one; the figures' titles state the result above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from vsduf.evaluation.experiments import Comparison, LayerOutputs, Motion, Place, effective_taps, profile_flicker
from vsduf.evaluation.metrics import luma, psnr, ssim
from vsduf.network.duf import Duf
from vsduf.output import write_whole
from vsduf.upscaler import RADIUS

DPI = 110
SURROUNDINGS = 8  # LR pixels shown on each side of a place


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG; an existing file stays as it was until the new one is complete. Raises OSError."""
    FigureCanvasAgg(figure)
    write_whole(path, lambda part: figure.savefig(part, format="png", dpi=DPI))


def crops(comparison: Comparison, caption: str) -> Figure:
    """Draws a region as LR pixels, bicubic, vsduf and ground truth, with PSNR and SSIM of the region."""
    height, width = comparison.truth.shape[:2]
    figure = Figure(figsize=(12, 12 / 4 * height / width + 1.1), layout="constrained")
    pictures = {
        "low resolution": comparison.nearest,
        "bicubic": comparison.cubic,
        "vsduf": comparison.vsduf,
        "ground truth": comparison.truth,
    }
    grid: Any = figure.subplots(1, 4)
    truth = _luma(comparison.truth)
    scores = {name: _scores(_luma(pictures[name]), truth) for name in ("bicubic", "vsduf")}
    for axes, (name, picture) in zip(grid, pictures.items(), strict=True):
        score = "\n{:.2f} dB PSNR, {:.3f} SSIM".format(*scores[name]) if name in scores else ""
        _picture(axes, picture, name + score)
    _scale_bar(grid[0], width, "HR pixels")
    gain = scores["vsduf"][0] - scores["bicubic"][0]
    word = "closer to" if gain >= 0 else "farther from"
    _title(figure, f"vsduf is {abs(gain):.2f} dB {word} the ground truth than bicubic", caption)
    return figure


def profile(comparison: Comparison, caption: str) -> Figure:
    """Draws a row of pixels over time as ground truth, bicubic and vsduf; flicker makes vertical lines ragged."""
    frames, width = comparison.truth.shape[:2]
    pictures = {"ground truth": comparison.truth, "bicubic": comparison.cubic, "vsduf": comparison.vsduf}
    flickers = {name: profile_flicker(picture, comparison.truth) for name, picture in pictures.items()}
    figure = Figure(figsize=(9, 8), layout="constrained")
    grid: Any = figure.subplots(3, 1, sharex=True)
    for axes, (name, picture) in zip(grid, pictures.items(), strict=True):
        axes.imshow(picture, interpolation="nearest", aspect="auto", extent=(0, width, frames, 0))
        flicker = "" if name == "ground truth" else f": flicker {flickers[name]:.2f} levels of 255"
        axes.set_title(name + flicker, fontsize=9)
        axes.set_ylabel("frame", fontsize=8)
    grid[-1].set_xlabel("HR pixels along the row", fontsize=8)
    ratio = flickers["vsduf"] / max(flickers["bicubic"], 1e-9)
    _title(figure, f"vsduf flickers {ratio:.2f} times as much as bicubic along this row", caption)
    return figure


def filters(outputs: LayerOutputs, window: Tensor, places: Sequence[Place], caption: str) -> Figure:
    """Draws for each place its surroundings, its R x R filters of 5x5 taps, and the output there."""
    figure = Figure(figsize=(2.7 * len(places) + 0.6, 8.4), layout="constrained")
    grid: Any = figure.subplots(3, len(places), squeeze=False)
    scale = outputs.output.shape[1] // window.shape[2]
    most = max(float(outputs.filters[:, :, place.y, place.x].max()) for place in places)
    taps = [effective_taps(outputs, place) for place in places]
    for column, place in enumerate(places):
        rows, columns = (slice(max(0, at - SURROUNDINGS), at + SURROUNDINGS + 1) for at in (place.y, place.x))
        lr = window[:, RADIUS, rows, columns].permute(1, 2, 0)
        _picture(grid[0, column], lr, f"{place.what}: LR pixel x {place.x}, y {place.y}")
        left, top = place.x - columns.start, place.y - rows.start
        grid[0, column].add_patch(_rectangle(left, top, 1))
        image = _filters(grid[1, column], outputs, place, f"{taps[column]:.1f} of 25 taps in use", most)
        hr = outputs.output[:, rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale]
        _picture(grid[2, column], hr.permute(1, 2, 0), f"output, x{scale}")
        grid[2, column].add_patch(_rectangle(left * scale, top * scale, scale))
    figure.colorbar(image, ax=grid[1, :].tolist(), label="weight of a tap", shrink=0.8)
    _scale_bar(grid[0, 0], 2 * SURROUNDINGS + 1, "LR pixels")
    _scale_bar(grid[2, 0], (2 * SURROUNDINGS + 1) * scale, "HR pixels")
    used = f"{min(taps):.1f} to {max(taps):.1f} of 25 taps"
    _title(figure, f"Each LR pixel has {scale**2} filters of its own, here with {used} in use", caption)
    return figure


def motion(found: Motion, caption: str) -> Figure:
    """Draws both bars of `experiments.bar_motion`: windows, activations, filters and output, with their differences."""
    figure = Figure(figsize=(11.5, 5.9), layout="constrained")
    grid: Any = figure.subplots(2, 5, width_ratios=(2.2, 1, 1, 1, 1))
    first, last = list(found.features)[-4], list(found.features)[-2]  # the first block that mixes frames, the last one
    channels = {stage: _most_different(found, stage) for stage in (first, last)}
    sides = zip((found.left, found.right), found.windows, ("left", "right"), strict=True)
    for row, (outputs, window, direction) in enumerate(sides):
        middle = window.shape[2] // 2
        over_time = window[:, :, middle].permute(1, 2, 0).repeat_interleave(3, 0)
        _picture(grid[row, 0], over_time, f"bar moving {direction}: the middle row of 7 frames, time runs down")
        for column, (stage, channel) in enumerate(channels.items(), 1):
            title = f"{stage}, channel {channel}\ndifference {found.features[stage]:.0%}"
            limit = max(float(side.features[stage][channel].abs().max()) for side in (found.left, found.right))
            image = _map(grid[row, column], outputs.features[stage][channel], title, limit)
            figure.colorbar(image, ax=grid[row, column], shrink=0.6).ax.tick_params(labelsize=6)
        edge = Place("edge", middle, window.shape[3] // 2 - 3)
        _filters(grid[row, 3], outputs, edge, f"filters at the bar's edge\ndifference {found.filters:.1%}")
        _picture(grid[row, 4], outputs.output.permute(1, 2, 0), f"output\ndifference {found.output:.2%}")
    moves = f"{last} differs by {found.features[last]:.0%}, the filters by {found.filters:.1%}"
    _title(figure, f"Opposite motion, the same centre frame: {moves}, the output by {found.output:.2%}", caption)
    return figure


def activations(outputs: LayerOutputs, window: Tensor, caption: str, channels: int = 6) -> Figure:
    """Draws of each stage the channels of highest variance; of a dense block, of those that it adds."""
    tall = 12 / (channels + 1) * window.shape[2] / window.shape[3] + 0.2
    figure = Figure(figsize=(12.5, tall * len(outputs.features) + 0.7), layout="constrained")
    grid: Any = figure.subplots(len(outputs.features), channels + 1, squeeze=False)
    for row, (name, maps) in zip(grid, outputs.features.items(), strict=True):
        _picture(row[0], window[:, RADIUS].permute(1, 2, 0), "centre frame" if row is grid[0] else "")
        row[0].set_ylabel(name, fontsize=8)
        chosen = maps.flatten(1).std(1).topk(min(channels, len(maps))).indices.tolist()
        limit = float(torch.quantile(maps[chosen].abs().flatten()[:100_000], 0.995)) or 1.0
        for axes in row[1:]:
            axes.set_axis_off()
        for axes, channel in zip(row[1:], chosen, strict=False):
            axes.set_axis_on()
            image = _map(axes, maps[channel], f"channel {channel}", limit)
        figure.colorbar(image, ax=row.tolist(), shrink=0.8, pad=0.01).ax.tick_params(labelsize=6)
    _title(figure, f"What each stage makes of a frame: its {channels} channels of highest variance", caption)
    return figure


def kernels(network: Duf, block: int, caption: str, outputs: int = 4, inputs: int = 16) -> Figure:
    """Draws learnt 3x3 kernels: the stem's in colour, and some of a block's second convolution for each of its frames.

    block: from 1. outputs: rows shown. inputs: columns shown, those with the largest weights.
    """
    weight = network.get_parameter(f"blocks.{block - 1}.conv2.weight").detach()
    times = weight.shape[2]
    figure = Figure(figsize=(11, 3.6 + 2.4 * times), layout="constrained")
    axes: Any = figure.subplots(1 + times, 1, squeeze=False, height_ratios=(1.1, *[1] * times))[:, 0]
    stem = network.stem.weight.detach()[:, :, 0]
    colours = ((stem / stem.abs().amax((1, 2, 3), keepdim=True)) + 1) / 2
    sheet = colours.permute(0, 2, 3, 1).unflatten(0, (-1, 16))
    _picture(axes[0], _mosaic(sheet), f"stem: {len(stem)} kernels over red, green and blue; grey is 0")
    strongest = weight.abs().sum((0, 2, 3, 4)).topk(min(inputs, weight.shape[1])).indices
    limit = float(weight.abs().max()) * 0.6
    for t in range(times):
        tiles = weight[:outputs, strongest, t, :, :, None]
        frame = ("frame before", "same frame", "frame after")[t] if times == 3 else "same frame"
        title = f"block {block}, {frame}: rows are {len(tiles)} output channels, columns the strongest inputs"
        image = _map(axes[1 + t], _mosaic(tiles, float("nan"))[..., 0], title, limit)
    figure.colorbar(image, ax=axes[1:].tolist(), label="weight", shrink=0.6)
    share = [float(weight[:, :, t].abs().sum() / weight.abs().sum()) for t in range(times)]
    uses = " / ".join(f"{part:.0%}" for part in share)
    split = f"frame before / same / after have {uses} of the weight" if times == 3 else "it looks at one frame"
    _title(figure, f"Learnt kernels of block {block}: {split}", caption)
    return figure


def _title(figure: Figure, finding: str, caption: str) -> None:
    figure.suptitle(f"{finding}\n{caption}", fontsize=10)


def _picture(axes: Axes, picture: Any, title: str) -> None:
    axes.imshow(np.asarray(picture), interpolation="nearest", aspect="equal", vmin=0, vmax=1)
    _bare(axes, title)


def _map(axes: Axes, values: Any, title: str, limit: float) -> AxesImage:
    """Draws signed values, blue below and red above 0."""
    image = axes.imshow(np.asarray(values), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    _bare(axes, title)
    return image


def _filters(axes: Axes, outputs: LayerOutputs, place: Place, title: str, most: float | None = None) -> AxesImage:
    """Draws the R x R filters of a place as one heat map. most: the weight of the brightest colour."""
    taps = outputs.filters[:, :, place.y, place.x]
    scale = round(taps.shape[1] ** 0.5)
    sheet = _mosaic(taps.T.reshape(scale, scale, 5, 5, 1), float("nan"))[..., 0]
    image = axes.imshow(np.asarray(sheet), cmap="magma", vmin=0, vmax=most, interpolation="nearest")
    _bare(axes, title)
    return image


def _bare(axes: Axes, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if title:
        axes.set_title(title, fontsize=8)


def _scale_bar(axes: Axes, width: int, unit: str) -> None:
    """Draws a bar of a round number of pixels below a picture of `width` pixels."""
    length = max(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if n <= max(1, width / 3))
    share = length / width
    axes.plot([0, share], [-0.04, -0.04], "k-", linewidth=2, clip_on=False, transform=axes.transAxes)
    axes.text(share + 0.03, -0.04, f"{length} {unit}", va="center", fontsize=7, transform=axes.transAxes)


def _mosaic(tiles: Tensor, gap: float = 1.0) -> Tensor:
    """[rows, columns, h, w, C] -> [rows * (h + 1) - 1, columns * (w + 1) - 1, C], a pixel of `gap` between tiles."""
    rows, columns, height, width, colours = tiles.shape
    sheet = torch.full((rows, columns, height + 1, width + 1, colours), gap)
    sheet[:, :, :height, :width] = tiles
    return sheet.transpose(1, 2).reshape(rows * (height + 1), columns * (width + 1), colours)[:-1, :-1]


def _most_different(found: Motion, stage: str) -> int:
    """Returns the channel whose activations differ most between the two bars."""
    a, b = found.left.features[stage], found.right.features[stage]
    return int((a - b).abs().flatten(1).mean(1).argmax())


def _rectangle(left: int, top: int, side: int) -> Rectangle:
    return Rectangle((left - 0.5, top - 0.5), side, side, fill=False, color="red", linewidth=1.2)


def _luma(picture: NDArray[np.uint8]) -> Tensor:
    return luma(torch.from_numpy(picture).permute(2, 0, 1).float() / 255)


def _scores(picture: Tensor, truth: Tensor) -> tuple[float, float]:
    return float(psnr(picture, truth, 0)), float(ssim(picture, truth, 0))
