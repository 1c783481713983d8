"""Measures what a network has learnt: the experiments of the paper's section 4.3, which `figures` draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vsduf.evaluation import bicubic
from vsduf.evaluation.degradation import degrade
from vsduf.evaluation.protocol import Protocol, low_resolution
from vsduf.network.duf import Duf, DufConfig
from vsduf.network.dynamic_upsample import TAPS, dynamic_upsample
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, clamped_window

BLURRED = 2  # LR pixels at the edge of a region that the blur made from other pixels than in the whole frame
Box = tuple[int, int, int, int]
"""left, top, width, height, in HR pixels."""


@dataclass(frozen=True)
class LayerOutputs:
    """One window, and all that the network made of it.

    filters: [25, R * R, H, W], each pixel's 25 taps sum to 1. output: [3, R * H, R * W]. features: [C, H, W] of the
    centre frame after each stage, by name; of a dense block, the channels that it adds.
    """

    filters: Tensor
    output: Tensor
    features: dict[str, Tensor]


@torch.inference_mode()
def look(network: Duf, window: Tensor) -> LayerOutputs:
    """Runs a network in evaluation mode on one window [3, 7, H, W] in 0..1 and keeps what it makes on the way."""
    features: dict[str, Tensor] = {}
    stages: dict[str, nn.Module] = {"stem": network.stem}
    stages |= {f"block {k}": block for k, block in enumerate(network.blocks, 1)}
    stages["merge"] = network.merge

    def keep(name: str, result: Tensor) -> None:
        new = network.config.growth if name.startswith("block") else result.shape[1]
        features[name] = result[0, -new:, result.shape[2] // 2].clone()

    hooks = [
        stage.register_forward_hook(lambda _module, _inputs, result, name=name: keep(name, result))
        for name, stage in stages.items()
    ]
    try:
        logits, residual = network(window[None])
    finally:
        for hook in hooks:
            hook.remove()
    output = dynamic_upsample(window[None, :, RADIUS], logits, residual)[0]
    filters = logits[0].view(TAPS, -1, *logits.shape[2:]).softmax(0)
    return LayerOutputs(filters, output.clamp(0, 1), features)


@dataclass(frozen=True)
class Motion:
    """What a network makes of a bar that moves left and of one that moves right, the centre frames being the same.

    filters: distance of the dynamic filters, 0 (the same) to 1 (no tap in common). output: mean absolute difference as
    a share of the range. features: by stage, mean absolute difference as a share of the mean magnitude.
    """

    left: LayerOutputs
    right: LayerOutputs
    windows: tuple[Tensor, Tensor]
    filters: float
    output: float
    features: dict[str, float]


def bar_motion(network: Duf, size: int = 32, speed: float = 4.0, siting: Siting = Siting.CENTER) -> Motion:
    """Shows the network both bars, `speed` HR pixels a frame, in pictures of size x size LR pixels."""
    left, right = (_bar(network.config.scale, size, step, siting) for step in (-speed, speed))
    a, b = look(network, left), look(network, right)
    inner = (..., slice(4, -4), slice(4, -4))
    away = {name: _relative(a.features[name][inner], b.features[name][inner]) for name in a.features}
    # Where the bar is: elsewhere both are alike because there is nothing to see.
    middle = (..., slice(size // 2 - 4, size // 2 + 4))
    apart = float((a.filters - b.filters).abs()[middle].sum(0).mean() / 2)
    return Motion(a, b, (left, right), apart, float((a.output - b.output).abs().mean()), away)


def _bar(scale: int, size: int, step: float, siting: Siting) -> Tensor:
    """[3, 7, size, size]: a soft grey room, a bright bar 6 LR pixels wide that is in the middle in the centre frame."""
    wide = size * scale
    across = torch.arange(wide, dtype=torch.float32)
    frames = []
    for k in range(-RADIUS, RADIUS + 1):
        inside = 3.0 * scale - (across - (wide - 1) / 2 - k * step).abs()
        line = 0.25 + 0.6 * (inside + 0.5).clamp(0, 1)
        frames.append(line.expand(3, wide, wide))
    return degrade(torch.stack(frames), scale, siting).transpose(0, 1).contiguous()


def window_of(small: Sequence[NDArray[np.uint8]], n: int) -> Tensor:
    """[3, 7, H, W] in 0..1 round frame n of a clip of LR frames [3, H, W]; its ends are repeated."""
    numbers = clamped_window(n, len(small))
    return torch.from_numpy(np.stack([small[i] for i in numbers])).float().div(255).transpose(0, 1)


@dataclass(frozen=True)
class Place:
    """A pixel of the low resolution and what there is to see there."""

    what: str
    y: int
    x: int


def interesting_places(window: Tensor) -> list[Place]:
    """The flattest place of the centre frame, its strongest edge, its clearest corner, and where most moves."""
    grey = window.mean(0)
    padded = F.pad(grey[None, RADIUS : RADIUS + 1], (1, 1, 1, 1), mode="replicate")
    dx, dy = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2], padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    xx, yy, xy = (F.avg_pool2d(v, 5, 1, 2)[0, 0] for v in (dx * dx, dy * dy, dx * dy))
    swing = ((xx - yy).square() + 4 * xy.square()).sqrt()
    more, less = (xx + yy + swing) / 2, (xx + yy - swing) / 2  # eigenvalues of the structure tensor
    change = F.avg_pool2d((grey[RADIUS + 1] - grey[RADIUS - 1]).abs()[None], 5, 1, 2)[0]
    measures = {"flat": -more, "edge": more - 4 * less, "corner": less, "moving texture": change * less.sqrt()}
    return [Place(what, *_highest(measure)) for what, measure in measures.items()]


def _highest(measure: Tensor) -> tuple[int, int]:
    border = min(8, (min(measure.shape) - 1) // 2)
    inner = measure[border:-border, border:-border]
    y, x = divmod(int(inner.argmax()), inner.shape[1])
    return y + border, x + border


@dataclass(frozen=True)
class Comparison:
    """The same pixels three ways, [..., H, W, 3] uint8, and the LR ones, enlarged by repeating pixels."""

    truth: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    cubic: NDArray[np.uint8]
    ours: NDArray[np.uint8]


def crop(network: Duf, clip: NDArray[np.uint8], n: int, box: Box, task: Protocol) -> Comparison:
    """A box of frame n of a ground-truth clip [frames, 3, H, W]."""
    numbers = clamped_window(n, len(clip))
    region, top, left = _region(clip[numbers], box, network.config)
    return Comparison(*(rows[0] for rows in _views(network, region, [RADIUS], (left, top, box[2], box[3]), task)))


def profile(network: Duf, clip: NDArray[np.uint8], row: int, frames: int, task: Protocol) -> Comparison:
    """One row of pixels of the first `frames` frames of a ground-truth clip, stacked: [frames, W, 3]."""
    width = clip.shape[3] // task.scale * task.scale
    region, top, left = _region(clip, (0, row, width, 1), network.config)
    return Comparison(*(rows[:, 0] for rows in _views(network, region, range(frames), (left, top, width, 1), task)))


def _region(clip: NDArray[np.uint8], box: Box, config: DufConfig) -> tuple[NDArray[np.uint8], int, int]:
    """What surrounds a box, far enough for the same result as in the whole frame, and the box's top and left in it."""
    left, top, width, height = box
    scale = config.scale
    reach = (config.receptive_radius + BLURRED) * scale
    ends = [side // scale * scale for side in clip.shape[2:]]
    y0, x0 = (max(0, start // scale * scale - reach) for start in (top, left))
    y1, x1 = (
        min(end, -(-stop // scale) * scale + reach)
        for end, stop in zip(ends, (top + height, left + width), strict=True)
    )
    return clip[:, :, y0:y1, x0:x1], top - y0, left - x0


def _views(
    network: Duf, clip: NDArray[np.uint8], numbers: Sequence[int], box: Box, task: Protocol
) -> list[NDArray[np.uint8]]:
    """What `Views` holds, [frames, H, W, 3] each, in its order."""
    left, top, width, height = box
    small = [low_resolution(frame, task) for frame in clip]
    rows: tuple[list[NDArray[np.uint8]], ...] = ([], [], [], [])
    for n in numbers:
        window = window_of(small, n)
        centre = window[None, :, RADIUS]
        pictures = (
            torch.from_numpy(clip[n]).float() / 255,
            F.interpolate(centre, scale_factor=task.scale, mode="nearest")[0],
            bicubic.upscale(centre, task.scale, task.siting)[0],
            look(network, window).output,
        )
        for row, picture in zip(rows, pictures, strict=True):
            cut = picture[:, top : top + height, left : left + width].permute(1, 2, 0)
            row.append((cut * 255).round().clamp(0, 255).to(torch.uint8).numpy())
    return [np.stack(row) for row in rows]


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean() / ((a.abs() + b.abs()).mean() / 2).clamp(min=1e-9))
