"""Measures what a network has learnt: the experiments of the paper's section 4.3; `figures` draws them."""

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
from vsduf.evaluation.metrics import luma
from vsduf.evaluation.protocol import Protocol, low_resolution
from vsduf.network.duf import Duf, DufConfig
from vsduf.network.dynamic_upsample import TAPS, dynamic_upsample
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, clamped_window

BLURRED = 2  # LR pixels at a region's edge whose blur reaches pixels outside the region
EDGE = 8  # LR pixels between a chosen place and the frame's edge or another place
Box = tuple[int, int, int, int]
"""Left, top, width and height in HR pixels."""


@dataclass(frozen=True)
class LayerOutputs:
    """The results of a network's layers for one window.

    filters: [25, R * R, H, W]; the 25 taps of a filter sum to 1. output: [3, R * H, R * W] in 0..1. features: [C, H, W]
    of the centre frame after each stage, by the stage's name; of a dense block, the channels that it adds.
    """

    filters: Tensor
    output: Tensor
    features: dict[str, Tensor]


@torch.inference_mode()
def layer_outputs(network: Duf, window: Tensor) -> LayerOutputs:
    """Runs a network in evaluation mode on one window [3, 7, H, W] in 0..1 and returns the results of its layers."""
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
    """Results for a bar that moves left and for one that moves right; both windows have the same centre frame.

    windows: [3, 7, H, W] each. filters: difference of the dynamic filters near the bar, 0 (equal) to 1 (no tap in
    common). output: mean absolute difference as a share of the range. features: by stage, mean absolute difference as
    a share of the mean magnitude.
    """

    left: LayerOutputs
    right: LayerOutputs
    windows: tuple[Tensor, Tensor]
    filters: float
    output: float
    features: dict[str, float]


def bar_motion(network: Duf, size: int = 32, speed: float = 4.0, siting: Siting = Siting.CENTER) -> Motion:
    """Runs the network on both bars. size: width and height, LR pixels. speed: of the bars, HR pixels per frame."""
    left, right = (_bar(network.config.scale, size, step, siting) for step in (-speed, speed))
    a, b = layer_outputs(network, left), layer_outputs(network, right)
    inner = (..., slice(4, -4), slice(4, -4))
    away = {name: _relative(a.features[name][inner], b.features[name][inner]) for name in a.features}
    # Near the bar only: elsewhere the frames are uniform, and so are the filters.
    middle = (..., slice(size // 2 - 4, size // 2 + 4))
    apart = float((a.filters - b.filters).abs()[middle].sum(0).mean() / 2)
    return Motion(a, b, (left, right), apart, float((a.output - b.output).abs().mean()), away)


def _bar(scale: int, size: int, step: float, siting: Siting) -> Tensor:
    """Returns [3, 7, size, size]: a bright bar 6 LR pixels wide on grey, in the middle of the centre frame."""
    wide = size * scale
    across = torch.arange(wide, dtype=torch.float32)
    frames = []
    for k in range(-RADIUS, RADIUS + 1):
        inside = 3.0 * scale - (across - (wide - 1) / 2 - k * step).abs()
        line = 0.25 + 0.6 * (inside + 0.5).clamp(0, 1)
        frames.append(line.expand(3, wide, wide))
    return degrade(torch.stack(frames), scale, siting).transpose(0, 1).contiguous()


def window_of(small: Sequence[NDArray[np.uint8]], n: int) -> Tensor:
    """Returns the window [3, 7, H, W] in 0..1 around frame n of LR frames [3, H, W]; the clip's ends are repeated."""
    numbers = clamped_window(n, len(small))
    return torch.from_numpy(np.stack([small[i] for i in numbers])).float().div(255).transpose(0, 1)


def effective_taps(outputs: LayerOutputs, place: Place) -> float:
    """Returns how many of the 25 taps the filters of a place use: exp of the entropy, mean over the R * R filters.

    25 for a blur of equal taps, 1 for a copy of one pixel.
    """
    taps = outputs.filters[:, :, place.y, place.x]
    return float(torch.special.entr(taps).sum(0).mean().exp())


@dataclass(frozen=True)
class Place:
    """An LR pixel and what it shows: "flat", "edge", "corner", "moving texture" or "chosen"."""

    what: str
    y: int
    x: int


def interesting_places(window: Tensor) -> list[Place]:
    """Returns the centre frame's flattest place, strongest edge, clearest corner and fastest changing texture."""
    grey = window.mean(0)
    padded = F.pad(grey[None, RADIUS : RADIUS + 1], (1, 1, 1, 1), mode="replicate")
    dx, dy = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2], padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    xx, yy, xy = (F.avg_pool2d(v, 5, 1, 2)[0, 0] for v in (dx * dx, dy * dy, dx * dy))
    swing = ((xx - yy).square() + 4 * xy.square()).sqrt()
    more, less = (xx + yy + swing) / 2, (xx + yy - swing) / 2  # eigenvalues of the structure tensor
    change = F.avg_pool2d((grey[RADIUS + 1] - grey[RADIUS - 1]).abs()[None], 5, 1, 2)[0]
    # the rarest first, so that the others are chosen elsewhere
    measures = {"moving texture": change * less.sqrt(), "corner": less, "edge": more - 4 * less, "flat": -more}
    places: list[Place] = []
    for what, measure in measures.items():
        places.append(Place(what, *_highest(measure, places)))
    return places[::-1]


def _highest(measure: Tensor, taken: Sequence[Place]) -> tuple[int, int]:
    """Returns y and x of the highest value away from the frame's edges and, where there is room, from other places."""
    border = min(EDGE, (min(measure.shape) - 1) // 2)
    inner = torch.full_like(measure, -torch.inf)
    inner[border:-border, border:-border] = measure[border:-border, border:-border]
    free = inner.clone()
    for place in taken:
        free[max(0, place.y - EDGE) : place.y + EDGE + 1, max(0, place.x - EDGE) : place.x + EDGE + 1] = -torch.inf
    best = free if free.isfinite().any() else inner
    y, x = divmod(int(best.argmax()), measure.shape[1])
    return y, x


@dataclass(frozen=True)
class Comparison:
    """The same region as ground truth, bicubic and vsduf, [..., H, W, 3] uint8, and as LR pixels repeated R times."""

    truth: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    cubic: NDArray[np.uint8]
    vsduf: NDArray[np.uint8]


def crop(network: Duf, clip: NDArray[np.uint8], n: int, box: Box, protocol: Protocol) -> Comparison:
    """Compares a box of frame n of a ground-truth clip [frames, 3, H, W]."""
    numbers = clamped_window(n, len(clip))
    region, top, left = _region(clip[numbers], box, network.config)
    return Comparison(*(rows[0] for rows in _compare(network, region, [RADIUS], (left, top, box[2], box[3]), protocol)))


def profile(network: Duf, clip: NDArray[np.uint8], row: int, frames: int, protocol: Protocol) -> Comparison:
    """Compares a row of pixels of the first `frames` frames of a ground-truth clip, stacked: [frames, W, 3]."""
    width = clip.shape[3] // protocol.scale * protocol.scale
    region, top, left = _region(clip, (0, row, width, 1), network.config)
    pictures = _compare(network, region, range(frames), (left, top, width, 1), protocol)
    return Comparison(*(rows[:, 0] for rows in pictures))


def profile_flicker(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Returns the flicker of a profile [frames, W, 3] in 8-bit levels of luma, as `metrics.flicker` defines it."""
    a, b = (luma(torch.from_numpy(rows).permute(2, 0, 1).float() / 255) for rows in (picture, truth))
    return float((a.diff(dim=0) - b.diff(dim=0)).abs().mean())


def _region(clip: NDArray[np.uint8], box: Box, config: DufConfig) -> tuple[NDArray[np.uint8], int, int]:
    """Returns a region wide enough for the same result as in the whole frame, and the box's top and left in it."""
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


def _compare(
    network: Duf, clip: NDArray[np.uint8], numbers: Sequence[int], box: Box, protocol: Protocol
) -> list[NDArray[np.uint8]]:
    """Returns the fields of `Comparison`, [frames, H, W, 3] each."""
    left, top, width, height = box
    small = [low_resolution(frame, protocol) for frame in clip]
    rows: tuple[list[NDArray[np.uint8]], ...] = ([], [], [], [])
    for n in numbers:
        window = window_of(small, n)
        centre = window[None, :, RADIUS]
        pictures = (
            torch.from_numpy(clip[n]).float() / 255,
            F.interpolate(centre, scale_factor=protocol.scale, mode="nearest")[0],
            bicubic.upscale(centre, protocol.scale, protocol.siting)[0],
            layer_outputs(network, window).output,
        )
        for row, picture in zip(rows, pictures, strict=True):
            cut = picture[:, top : top + height, left : left + width].permute(1, 2, 0)
            row.append((cut * 255).round().clamp(0, 255).to(torch.uint8).numpy())
    return [np.stack(row) for row in rows]


def _relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean() / ((a.abs() + b.abs()).mean() / 2).clamp(min=1e-9))
