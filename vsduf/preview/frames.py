"""Makes the frames of a preview: which of a film, and the same frame of several clips as pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.matrix import UNSPECIFIED, assumed_matrix

TIMED = 3  # frames in a row by which the whole film's time is estimated, after one that is not counted


@dataclass(frozen=True)
class Shown:
    """One frame of every clip. number: of the frame. pictures: [H, W, 3] uint8 RGB, all of one size."""

    number: int
    pictures: tuple[NDArray[np.uint8], ...]


def spread(length: int, count: int) -> list[int]:
    """Returns frame numbers in the middle of equal parts of a film."""
    return sorted({(2 * k + 1) * length // (2 * count) for k in range(count)})


def render(
    clips: Sequence[vs.VideoNode], numbers: Sequence[int], progress: Callable[[int], None] = lambda done: None
) -> list[Shown]:
    """Returns the frames of several clips of one length, all enlarged by bicubic to the largest clip's size.

    progress: called with the number of frames done. Raises vs.Error from a clip.
    """
    width, height = max((clip.width, clip.height) for clip in clips)
    nodes = [_as_rgb(clip, width, height) for clip in clips]
    shown = []
    for done, number in enumerate(numbers, 1):
        shown.append(Shown(number, tuple(_picture(node, number) for node in nodes)))
        progress(done)
    return shown


def seconds_a_frame(clip: vs.VideoNode, first: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Returns how long a frame of a clip takes in linear order, from a few frames after frame `first`."""
    first = max(0, min(first, clip.num_frames - TIMED - 1))
    clip.get_frame(first).close()
    started = clock()
    count = 0
    for frame in clip[first + 1 : first + 1 + TIMED].frames(close=True):
        count += len(frame) > 0
    return (clock() - started) / max(1, count)


def _as_rgb(clip: vs.VideoNode, width: int, height: int) -> vs.VideoNode:
    """Returns the clip as RGB24 of a size; an untagged matrix is assumed by the clip's own height."""
    if clip.format.color_family == vs.RGB:
        return clip.resize.Bicubic(width, height, format=vs.RGB24)
    matrix = clip.get_frame(0).props.get("_Matrix", UNSPECIFIED)
    stated = {} if matrix != UNSPECIFIED else {"matrix_in": assumed_matrix(clip.height)}
    return clip.resize.Bicubic(width, height, format=vs.RGB24, **stated)


def _picture(node: vs.VideoNode, number: int) -> NDArray[np.uint8]:
    with node.get_frame(number) as frame:
        return np.stack([np.asarray(frame[plane]) for plane in range(3)], -1)
