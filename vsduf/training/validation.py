"""Scores a network on clips that it is not trained on, and tells how much comes from the neighbouring frames."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vsduf.evaluation import bicubic
from vsduf.evaluation.degradation import degrade
from vsduf.evaluation.metrics import luma, psnr
from vsduf.network.duf import Duf
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.siting import Siting
from vsduf.training.footage import Footage
from vsduf.upscaler import RADIUS, WINDOW

SMALLEST = 64  # HR pixels each way, of which 16 are cut off
LARGEST = (72, 96)  # LR rows and columns of a window, cut from the middle: validation costs a few steps' time

Pair = tuple[Tensor, Tensor]
Spread = Callable[[Callable[[Pair], Pair], Iterable[Pair]], Iterable[Pair]]
"""A function like `map`."""


@dataclass(frozen=True)
class Score:
    """Means in dB over the validation windows. temporal_gain: PSNR minus PSNR with the centre frame seven times."""

    psnr: float
    bicubic: float
    temporal_gain: float


class Validation:
    """A few windows of every clip: the middle 96x72 LR pixels.

    Of clips with histories, the windows are those of their LR clips; of others, they are degraded as the paper does.
    """

    def __init__(self, footage: Footage, scale: int, siting: Siting, windows: int = 2) -> None:
        self.windows: list[tuple[Tensor, Tensor]] = []
        for number, clip in enumerate(footage.clips):
            histories = footage.histories[number] if footage.histories else []
            for k in range(windows):
                start = (len(clip) - WINDOW) * (k + 1) // (windows + 1)
                hr = clip[start : start + WINDOW]
                made = [history[start : start + WINDOW].float() / 255 for history in histories]
                self.windows += [_middle(lr, hr.float() / 255, scale) for lr in made or [_clean(hr, scale, siting)]]
        cubic = (bicubic.upscale(window[:, :, RADIUS], scale, siting)[0] for window, _ in self.windows)
        self.bicubic = _mean([psnr(luma(up), luma(hr)) for up, (_, hr) in zip(cubic, self.windows, strict=True)])

    def __call__(self, network: Duf, spread: Spread = map) -> Score:
        """Scores the network in evaluation mode; leaves it in the mode that it came in.

        spread: applies a function to every window, for example a thread pool's `map`.
        """
        training = network.training
        network.eval()
        real, still = zip(*spread(functools.partial(_score, network), self.windows), strict=True)
        network.train(training)
        return Score(_mean(real), self.bicubic, _mean(real) - _mean(still))


def _clean(hr: Tensor, scale: int, siting: Siting) -> Tensor:
    """Returns LR frames in 0..1, rounded to 8 bits; the sides are cut to multiples of the scale."""
    height, width = (side // scale * scale for side in hr.shape[2:])
    lr = degrade(hr[..., :height, :width].float() / 255, scale, siting)
    return (lr.clamp(0, 1) * 255).round() / 255


def _middle(lr: Tensor, hr: Tensor, scale: int) -> Pair:
    """Returns the middle of LR frames as a window [1, 3, 7, H, W], and the same of the HR centre frame."""
    height, width = (min(side, limit) for side, limit in zip(lr.shape[2:], LARGEST, strict=True))
    top, left = (lr.shape[2] - height) // 2, (lr.shape[3] - width) // 2
    window = lr[..., top : top + height, left : left + width].transpose(0, 1)[None]
    rows, columns = slice(top * scale, (top + height) * scale), slice(left * scale, (left + width) * scale)
    return window, hr[RADIUS, :, rows, columns]


@torch.inference_mode()
def _score(network: Duf, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Returns the PSNR of one window, and with its centre frame seven times."""
    window, hr = (tensor.to(network.stem.weight.device) for tensor in pair)
    repeated = window[:, :, RADIUS : RADIUS + 1].expand(-1, -1, WINDOW, -1, -1)
    real, still = (psnr(luma(upscale(network, frames)[0]), luma(hr)) for frames in (window, repeated))
    return real, still


def upscale(network: Duf, window: Tensor) -> Tensor:
    """Upscales windows [B, 3, 7, H, W] to [B, 3, R * H, R * W], by a network in evaluation mode."""
    return dynamic_upsample(window[:, :, RADIUS], *network(window.contiguous(memory_format=torch.channels_last_3d)))


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean())
