"""Measures pictures: black borders, noise, blocking, repeated frames."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsduf.analysis.fields import Luma

BLACK = 26.0  # levels of full-range luma; borders of old transfers are not quite black
MOST_BORDER = 0.35  # of a side: more is a dark picture
BLOCK = 8  # pixels of the transform blocks of MPEG-2, MPEG-4, H.264 and JPEG
FLAT = 0.1  # the share of blocks, the flattest, by which noise is measured
MOVING = 1.5  # levels by which frames in motion differ, see `_step`
LARGEST_STEP = 6.0  # levels; larger ones are objects' edges, and count as so much
FAINT = 0.5  # levels; smaller steps than that are taken for so much, since nobody sees them
REPEAT = 0.2  # share of that by which a repeated frame differs at most


@dataclass(frozen=True)
class Borders:
    """Black borders in pixels."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.right, self.top, self.bottom))


def borders(frames: Sequence[Luma]) -> Borders:
    """Returns the borders that are black in all frames; an even number of pixels, as subsampled chroma needs it."""
    brightest = np.max([_smooth(frame) for frame in frames], 0)
    rows, columns = brightest.max(1) > BLACK, brightest.max(0) > BLACK
    if not rows.any():
        return Borders()
    left, right = _ends(columns)
    top, bottom = _ends(rows)
    return Borders(left, right, top, bottom)


def noise(frames: Sequence[Luma]) -> float:
    """Returns the standard deviation of noise in levels of 255, from the flattest blocks of each frame.

    Method: the Laplacian difference of Immerkaer (1996), which edges and gradients change little.
    """
    return float(np.median([_noise_of(frame) for frame in frames]))


def blocking(frames: Sequence[Luma]) -> float:
    """Returns how much larger steps across the edges of 8x8 blocks are than steps elsewhere; 0 for none.

    Both are medians over lines, so that an object's edge counts little.
    """
    ratios = [max(_grid(np.abs(np.diff(frame, axis=axis)), axis) for axis in (0, 1)) for frame in frames]
    return max(0.0, float(np.median(ratios)) - 1)


def repeated(groups: Sequence[Sequence[Luma]]) -> float:
    """Returns the share of frames, in groups with motion, that show the frame before again.

    A repeat differs by less than a fifth of what the moving frames of its group differ by: compression changes it too.
    """
    repeats = counted = 0
    for group in groups:
        steps = [_step(a, b) for a, b in itertools.pairwise(group)]
        typical = float(np.percentile(steps, 80)) if steps else 0.0
        if typical > MOVING:
            repeats += sum(step < REPEAT * typical for step in steps)
            counted += len(steps)
    return repeats / max(1, counted)


def _smooth(frame: Luma) -> Luma:
    """Returns means of 4 pixels along the lines, so that noise in a border does not count as picture."""
    width = frame.shape[1] // 4 * 4
    means = frame[:, :width].reshape(len(frame), -1, 4).mean(2).repeat(4, 1)
    return np.pad(means, ((0, 0), (0, frame.shape[1] - width)), mode="edge")


def _ends(bright: NDArray[np.bool_]) -> tuple[int, int]:
    """Returns how many lines are dark at either end, made even; none where that is too much of the whole."""
    first, last = int(bright.argmax()), int(bright[::-1].argmax())
    most = MOST_BORDER * len(bright)
    return tuple(side // 2 * 2 if 2 <= side <= most else 0 for side in (first, last))  # type: ignore[return-value]


def _noise_of(frame: Luma) -> float:
    x = frame
    corners = x[:-2, :-2] + x[:-2, 2:] + x[2:, :-2] + x[2:, 2:]
    sides = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    laplacian = np.abs(corners - 2 * sides + 4 * x[1:-1, 1:-1])
    rows, columns = (side // 16 for side in laplacian.shape)
    if not rows or not columns:
        return float(np.sqrt(np.pi / 2) / 6 * laplacian.mean())
    means = laplacian[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16).mean((1, 3)).ravel()
    flattest = np.sort(means)[: max(1, int(FLAT * len(means)))]
    return float(np.sqrt(np.pi / 2) / 6 * flattest.mean())


def _grid(steps: NDArray[np.float32], axis: int) -> float:
    """Returns the ratio of the steps at multiples of 8 to the others."""
    lines = np.minimum(steps, LARGEST_STEP).mean(1 - axis)  # for each position along the axis
    at_edges = lines[BLOCK - 1 :: BLOCK]
    others = np.delete(lines, np.arange(BLOCK - 1, len(lines), BLOCK))
    return float(np.median(at_edges) / max(FAINT, float(np.median(others)))) if len(at_edges) else 1.0


def _step(a: Luma, b: Luma) -> float:
    """Returns by how many levels the means of the most different 8x8 blocks differ, the mean of the worst hundredth."""
    rows, columns = (side // 8 for side in a.shape)
    blocks = np.abs((b - a)[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean((1, 3))).ravel()
    worst = max(1, len(blocks) // 100)
    return float(np.partition(blocks, -worst)[-worst:].mean())
