"""Calls an upscaler for each frame: VapourSynth frames in, a picture of R times their size out."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.errors import ArgumentError
from vsduf.filter.checks import check_progressive
from vsduf.filter.refusals import as_frame_errors
from vsduf.filter.window import scene_starts, window
from vsduf.upscaler import Upscaler


class FrameCallback:
    """The Python function of the window node. Closes the upscaler when the node is freed; only the node may hold it."""

    def __init__(self, upscaler: Upscaler, scenecut: bool, has_alpha: bool) -> None:
        self.upscaler, self.scenecut, self.has_alpha = upscaler, scenecut, has_alpha
        weakref.finalize(self, upscaler.close)

    def __call__(self, n: int, first: int, frames: vs.VideoFrame | Sequence[vs.VideoFrame]) -> vs.VideoFrame:
        """Returns the picture of frame n without properties; the caller adds those of the source's frame n.

        frames: consecutive source frames of which `first` is the number, as many of n - 3 to n + 3 as the clip has;
        VapourSynth passes a list of one as the frame itself. Raises vs.Error, one sentence, if frame n cannot be made.
        """
        with as_frame_errors(n):
            return self._picture(n, first, [frames] if isinstance(frames, vs.VideoFrame) else frames)

    def _picture(self, n: int, first: int, frames: Sequence[vs.VideoFrame]) -> vs.VideoFrame:
        centre = frames[n - first]
        check_progressive(centre)
        if ("_Alpha" in centre.props) != self.has_alpha:
            raise ArgumentError(
                "_Alpha is on some frames only; give one to every frame, or remove it with std.RemoveFrameProps"
            )
        cuts = [f.props for f in frames] if self.scenecut else [{}] * len(frames)
        numbers = window(n, scene_starts(first, cuts))
        scale = self.upscaler.scale
        picture = vs.core.create_video_frame(centre.format, centre.width * scale, centre.height * scale)
        self.upscaler(numbers, {k: planes(frames[k - first]) for k in set(numbers)}, planes(picture))
        return picture


def planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    """Returns views of a frame's planes, [H, W] each, without a copy; writable if the frame is."""
    return [np.asarray(frame[i]) for i in range(len(frame))]
