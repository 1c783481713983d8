"""The experiments of `vsduf.evaluation.experiments` as pictures; every function gives a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from vsduf.evaluation.experiments import Comparison, LayerOutputs, Motion, Place
from vsduf.evaluation.metrics import luma, psnr, ssim
from vsduf.network.duf import Duf
from vsduf.upscaler import RADIUS

DPI = 110
PATCH = 8  # LR pixels shown on each side of a place


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG."""
    FigureCanvasAgg(figure)
    figure.savefig(path, format="png", dpi=DPI)


def motion(found: Motion) -> Figure:
    """Bars that move left and right: windows, activations, filters and output, and how far each pair is apart."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    grid: Any = figure.subplots(2, 5, width_ratios=(2.2, 1, 1, 1, 1))
    stages = [list(found.features)[-4], list(found.features)[-2]]  # the first block that mixes frames, and the last
    channels = [_most_different(found, stage) for stage in stages]
    for row, (seen, window, word) in enumerate(
        zip((found.left, found.right), found.windows, ("left", "right"), strict=True)
    ):
        middle = window.shape[2] // 2
        over_time = window[:, :, middle].permute(1, 2, 0).repeat_interleave(3, 0)
        _picture(grid[row, 0], over_time, f"bar moving {word}: its middle row, 7 frames down")
        for column, (stage, channel) in enumerate(zip(stages, channels, strict=True), 1):
            title = f"{stage}, channel {channel}\napart: {found.features[stage]:.0%}"
            _map(grid[row, column], seen.features[stage][channel], title)
        edge = Place("edge", middle, window.shape[3] // 2 - 3)
        _filters(grid[row, 3], seen, edge, f"filters at the bar's edge\napart: {found.filters:.1%}")
        _picture(grid[row, 4], seen.output.permute(1, 2, 0), f"output\napart: {found.output:.2%}")
    apart = (
        f"{stages[-1]} {found.features[stages[-1]]:.0%} apart, filters {found.filters:.1%}, output {found.output:.2%}"
    )
    figure.suptitle(f"The same centre frame, opposite motion: {apart}")
    return figure


def kernels(network: Duf, block: int, outputs: int = 8, inputs: int = 24) -> Figure:
    """Learnt 3x3 kernels: the stem's 64 in colour, and some of a block's second convolution, for each of its frames."""
    weight = network.get_parameter(f"blocks.{block - 1}.conv2.weight").detach()
    times = weight.shape[2]
    figure = Figure(figsize=(11, 3.6 + 2.4 * times), layout="constrained")
    axes: Any = figure.subplots(1 + times, 1, squeeze=False, height_ratios=(1.1, *[1] * times))[:, 0]
    stem = network.stem.weight.detach()[:, :, 0]
    colours = ((stem / stem.abs().amax((1, 2, 3), keepdim=True)) + 1) / 2
    _picture(axes[0], _mosaic(colours.permute(0, 2, 3, 1).view(4, 16, 3, 3, 3)), "stem: 64 kernels over R, G, B")
    strongest = weight.abs().sum((0, 2, 3, 4)).topk(min(inputs, weight.shape[1])).indices
    limit = float(weight.abs().max()) * 0.6
    for t in range(times):
        tiles = weight[:outputs, strongest, t, :, :, None]
        which = ("frame before", "same frame", "frame after")[t] if times == 3 else "same frame"
        title = f"block {block}, 3x3 kernels, {which}: {outputs} outputs down, the strongest inputs across"
        _map(axes[1 + t], _mosaic(tiles, float("nan"))[..., 0], title, limit)
    return figure


def activations(seen: LayerOutputs, window: Tensor, channels: int = 8) -> Figure:
    """The centre frame, and of each stage the channels that vary most; of a block, of those that it adds."""
    tall = 12 / (channels + 1) * window.shape[2] / window.shape[3] + 0.06
    figure = Figure(figsize=(12, tall * len(seen.features) + 0.4), layout="constrained")
    grid: Any = figure.subplots(len(seen.features), channels + 1, squeeze=False)
    for row, (name, maps) in zip(grid, seen.features.items(), strict=True):
        _picture(row[0], window[:, RADIUS].permute(1, 2, 0), "")
        row[0].set_ylabel(name, fontsize=8)
        for axes, channel in zip(row[1:], maps.flatten(1).std(1).topk(channels).indices.tolist(), strict=True):
            _map(axes, maps[channel], "")
    figure.suptitle("Activations: centre frame, then each stage's liveliest channels", fontsize=10)
    return figure


def filters(seen: LayerOutputs, window: Tensor, places: Sequence[Place]) -> Figure:
    """Dynamic filters: each place in its surroundings, its R x R filters of 5x5 taps, and what came out there."""
    figure = Figure(figsize=(2.7 * len(places), 8), layout="constrained")
    grid: Any = figure.subplots(3, len(places), squeeze=False)
    scale = seen.output.shape[1] // window.shape[2]
    for column, place in enumerate(places):
        rows, columns = (slice(max(0, at - PATCH), at + PATCH + 1) for at in (place.y, place.x))
        axes = grid[0, column]
        _picture(axes, window[:, RADIUS, rows, columns].permute(1, 2, 0), f"{place.what}\nx {place.x}, y {place.y}")
        left, top = place.x - columns.start, place.y - rows.start
        axes.add_patch(_rectangle(left, top, 1))
        _filters(grid[1, column], seen, place, f"{scale}x{scale} filters of 5x5")
        out = seen.output[:, rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale]
        _picture(grid[2, column], out.permute(1, 2, 0), "output")
        grid[2, column].add_patch(_rectangle(left * scale, top * scale, scale))
    return figure


def profile(views: Comparison, row: int) -> Figure:
    """One row of pixels over time, three ways; what flickers is ragged."""
    stretch = max(1, round(views.truth.shape[1] / 5 / len(views.truth)))
    figure = Figure(figsize=(9, 7), layout="constrained")
    grid: Any = figure.subplots(3, 1)
    for axes, picture, name in zip(
        grid, (views.truth, views.cubic, views.ours), ("ground truth", "bicubic", "DUF"), strict=True
    ):
        _picture(axes, np.repeat(picture, stretch, 0), f"{name}: row {row}, {len(picture)} frames down")
    return figure


def crops(views: Comparison) -> Figure:
    """LR, bicubic, DUF and ground truth side by side, PSNR and SSIM of the crop under them."""
    height, width = views.truth.shape[:2]
    figure = Figure(figsize=(12, 12 / 4 * height / width + 0.75), layout="constrained")
    names = ("low resolution", "bicubic", "DUF", "ground truth")
    pictures = (views.nearest, views.cubic, views.ours, views.truth)
    grid: Any = figure.subplots(1, 4)
    truth = _luma(views.truth)
    for axes, name, picture in zip(grid, names, pictures, strict=True):
        _picture(axes, picture, name)
        if picture is not views.truth and picture is not views.nearest:
            ours = _luma(picture)
            axes.set_xlabel(f"{float(psnr(ours, truth, 0)):.2f} dB / {float(ssim(ours, truth, 0)):.4f}")
    return figure


def _picture(axes: Axes, picture: Any, title: str) -> None:
    axes.imshow(np.asarray(picture), interpolation="nearest", aspect="equal", vmin=0, vmax=1)
    _bare(axes, title)


def _map(axes: Axes, values: Any, title: str, limit: float | None = None) -> None:
    array = np.asarray(values)
    limit = limit or float(np.nanpercentile(np.abs(array), 99.5)) or 1.0
    axes.imshow(array, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    _bare(axes, title)


def _filters(axes: Axes, seen: LayerOutputs, place: Place, title: str) -> None:
    """The R x R filters of a place as one heat map."""
    taps = seen.filters[:, :, place.y, place.x]
    scale = round(taps.shape[1] ** 0.5)
    tiles = taps.T.reshape(scale, scale, 5, 5, 1)
    axes.imshow(np.asarray(_mosaic(tiles, float("nan")))[..., 0], cmap="magma", vmin=0, interpolation="nearest")
    _bare(axes, title)


def _bare(axes: Axes, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if title:
        axes.set_title(title, fontsize=8)


def _mosaic(tiles: Tensor, gap: float = 1.0) -> Tensor:
    """[rows, columns, h, w, C] -> [rows * (h + 1) - 1, columns * (w + 1) - 1, C], a pixel of `gap` between tiles."""
    rows, columns, height, width, colours = tiles.shape
    sheet = torch.full((rows, columns, height + 1, width + 1, colours), gap)
    sheet[:, :, :height, :width] = tiles
    return sheet.transpose(1, 2).reshape(rows * (height + 1), columns * (width + 1), colours)[:-1, :-1]


def _most_different(found: Motion, stage: str) -> int:
    a, b = found.left.features[stage], found.right.features[stage]
    return int((a - b).abs().flatten(1).mean(1).argmax())


def _rectangle(left: int, top: int, side: int) -> Rectangle:
    return Rectangle((left - 0.5, top - 0.5), side, side, fill=False, color="red", linewidth=1.2)


def _luma(picture: NDArray[np.uint8]) -> Tensor:
    return luma(torch.from_numpy(picture).permute(2, 0, 1).float() / 255)
