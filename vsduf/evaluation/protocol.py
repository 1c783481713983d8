"""Scores by the protocol of the video super-resolution literature, with bicubic as the baseline.

Ground truth is blurred, sampled and rounded to 8 bits, upscaled to 8 bits, and compared in luma without 8 pixels at
every side; the first and the last two frames of a clip are left out. Means are over frames, then over clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.evaluation import bicubic
from vsduf.evaluation.degradation import degrade
from vsduf.evaluation.metrics import flicker, luma, psnr, ssim
from vsduf.siting import Siting
from vsduf.upscaler import WINDOW, Upscaler, clamped_window

ENDS = 2  # frames left out at each end of a clip
Lower = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Returns the low resolution [frames, 3, H, W] of a clip [frames, 3, R * H, R * W]."""
Opener = Callable[[int, int], Upscaler]
"""Opens an upscaler for frames of a width and height, LR pixels."""
Tick = Callable[[int], None]
"""Progress callback: takes the number of a clip's frames that are scored."""


@dataclass(frozen=True)
class Score:
    """The scores of one clip, or the mean of several; None for what was not measured.

    frames: how many were scored. psnr, temporal_gain: dB. flicker: 8-bit levels. temporal_gain: PSNR minus the PSNR of
    windows that show the centre frame seven times, which is the gain from the neighbouring frames.
    """

    frames: int
    psnr: float
    ssim: float
    flicker: float | None
    bicubic_psnr: float
    bicubic_ssim: float
    bicubic_flicker: float | None
    temporal_gain: float | None = None


@dataclass(frozen=True)
class Protocol:
    """How clips are scored. scale, siting: of the degradation. every: score each n-th frame only, which is faster."""

    scale: int = 4
    siting: Siting = Siting.CENTER
    every: int = 1


def low_resolution(frame: NDArray[np.uint8], protocol: Protocol) -> NDArray[np.uint8]:
    """Returns the low resolution [3, H, W] of a frame [3, R * H, R * W]."""
    lr = degrade(torch.from_numpy(frame)[None].float(), protocol.scale, protocol.siting)
    return lr[0].round_().clamp_(0, 255).to(torch.uint8).numpy()


def score_upscaler(
    clip: NDArray[np.uint8], open_upscaler: Opener, protocol: Protocol, tick: Tick, lower: Lower | None = None
) -> Score:
    """Degrades a clip [frames, 3, H, W], upscales it and compares it with itself.

    lower: degrades the clip in another way than `low_resolution` does. Sides are cut to multiples of the scale, or to
    what `lower` leaves. Raises ArgumentError for a clip that is too short or too small.
    """
    truth = _cut(clip, protocol.scale)
    small = list(lower(truth)) if lower is not None else [low_resolution(frame, protocol) for frame in truth]
    height, width = (side * protocol.scale for side in small[0].shape[1:])
    truth = truth[:, :, :height, :width]
    upscaler = open_upscaler(small[0].shape[2], small[0].shape[1])
    out = np.empty(truth.shape[1:], np.uint8)
    real, still, cubic = ClipScore(), ClipScore(), ClipScore()
    try:
        for done, n in enumerate(_scored(len(truth), protocol.every), 1):
            window = clamped_window(n, len(truth))
            planes = {i: list(small[i]) for i in window}
            for score, frames in ((real, window), (still, [n] * WINDOW)):
                upscaler(frames, planes, list(out))
                score.add(n, out, truth[n], structure=score is real)
            cubic.add(n, _bicubic(small[n], protocol), truth[n])
            tick(done)
    finally:
        upscaler.close()
    gain = real.psnr() - still.psnr()
    return Score(len(real), *real.means(), *cubic.means(), gain)


def score_frames(clip: NDArray[np.uint8], frames: NDArray[np.uint8], protocol: Protocol, tick: Tick) -> Score:
    """Scores finished frames of the ground truth's shape [frames, 3, H, W]; raises ArgumentError for another shape."""
    truth = _cut(clip, protocol.scale)
    if frames.shape != truth.shape:
        ours, theirs = (f"{len(f)} frames of {f.shape[3]}x{f.shape[2]}" for f in (truth, frames))
        raise ArgumentError(f"the frames are {theirs}, the ground truth is {ours}; they must be alike")
    found, cubic = ClipScore(), ClipScore()
    for done, n in enumerate(_scored(len(truth), protocol.every), 1):
        found.add(n, frames[n], truth[n])
        cubic.add(n, _bicubic(low_resolution(truth[n], protocol), protocol), truth[n])
        tick(done)
    return Score(len(found), *found.means(), *cubic.means())


def mean(scores: Iterable[Score]) -> Score:
    """Returns the mean over clips, all of the same weight; `frames` is the sum."""
    rows = list(scores)
    values: dict[str, float | None] = {}
    for name in (f.name for f in fields(Score) if f.name != "frames"):
        column = [v for row in rows if (v := getattr(row, name)) is not None]
        values[name] = sum(column) / len(column) if column else None
    return Score(sum(row.frames for row in rows), **values)  # type: ignore[arg-type]


def frames_scored(clip_frames: int, every: int) -> int:
    """Returns how many frames of a clip are scored; raises ArgumentError for a clip that is too short."""
    return len(_scored(clip_frames, every))


class ClipScore:
    """Collects the scores of a clip's frames; flicker needs two successive frames."""

    def __init__(self) -> None:
        self._psnr: list[Tensor] = []
        self._ssim: list[Tensor] = []
        self._flicker: list[Tensor] = []
        self._before: tuple[int, Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return len(self._psnr)

    def add(self, n: int, frame: NDArray[np.uint8], truth: NDArray[np.uint8], *, structure: bool = True) -> None:
        """Scores frame n against its truth, both [3, H, W] uint8. structure: False for the PSNR alone."""
        a, b = (luma(torch.from_numpy(f).float() / 255) for f in (frame, truth))
        self._psnr.append(psnr(a, b))
        if not structure:
            return
        self._ssim.append(ssim(a, b))
        if self._before is not None and self._before[0] == n - 1:
            self._flicker.append(flicker(a, self._before[1], b, self._before[2]))
        self._before = (n, a, b)

    def psnr(self) -> float:
        """Returns the mean PSNR in dB."""
        return _mean(self._psnr)

    def means(self) -> tuple[float, float, float | None]:
        """Returns the means of PSNR, SSIM and flicker; the last is None without successive frames."""
        return self.psnr(), _mean(self._ssim), _mean(self._flicker) if self._flicker else None


def folders_for(clips: Mapping[str, Path], frames: Path) -> dict[str, Path]:
    """Returns the folder of each clip's finished frames, named like the clip; raises ArgumentError without one."""
    missing = [name for name in clips if not (frames / name).is_dir()]
    if missing:
        names = ", ".join(missing)
        raise ArgumentError(f"{frames} has no folder {names}; put each clip's frames into a folder of the clip's name")
    return {name: frames / name for name in clips}


def _scored(frames: int, every: int) -> Sequence[int]:
    if frames <= 2 * ENDS:
        raise ArgumentError(f"the clip has {frames} frames; at least {2 * ENDS + 1} are needed")
    return range(ENDS, frames - ENDS, every)


def _cut(clip: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    height, width = (side // scale * scale for side in clip.shape[2:])
    if min(height, width) < 32:
        raise ArgumentError(f"the clip is {clip.shape[3]}x{clip.shape[2]}; at least 32x32 are needed")
    return clip[:, :, :height, :width]


def _bicubic(lr: NDArray[np.uint8], protocol: Protocol) -> NDArray[np.uint8]:
    up = bicubic.upscale(torch.from_numpy(lr)[None].float(), protocol.scale, protocol.siting)
    return up[0].round_().clamp_(0, 255).to(torch.uint8).numpy()


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean())
