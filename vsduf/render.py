"""The frame callback: VapourSynth frames in, an upscaler's picture out."""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.checks import check_progressive
from vsduf.errors import ArgumentError, DufError
from vsduf.upscaler import Upscaler
from vsduf.window import scene_starts, window


class Renderer:
    """Owns an upscaler for as long as the window node lives, which holds `render`; nothing else may hold this."""

    def __init__(self, upscaler: Upscaler, scenecut: bool, has_alpha: bool) -> None:
        self.upscaler, self.scenecut, self.has_alpha = upscaler, scenecut, has_alpha
        weakref.finalize(self, upscaler.close)

    def render(self, n: int, first: int, frames: vs.VideoFrame | Sequence[vs.VideoFrame]) -> vs.VideoFrame | str:
        """The picture for frame n, without properties: the caller adds those of the source's frame n.

        frames: source frames from number `first` on, as many of n - 3 to n + 3 as the clip has. Returns the error that
        the user is to read, in one sentence, where there can be no picture; an unforeseen one's traceback is logged.
        """
        try:
            return self._render(n, first, [frames] if isinstance(frames, vs.VideoFrame) else frames)
        except DufError as error:
            return f"Upscale: frame {n}: {error}"
        except Exception as error:
            vs.core.log_message(vs.MESSAGE_TYPE_DEBUG, traceback.format_exc())
            return f"Upscale: frame {n}: {type(error).__name__}: {error}"

    def _render(self, n: int, first: int, frames: Sequence[vs.VideoFrame]) -> vs.VideoFrame:
        centre = frames[n - first]
        check_progressive(centre)
        if ("_Alpha" in centre.props) != self.has_alpha:
            raise ArgumentError(
                "_Alpha is on some frames only; give all of them one, or remove it with RemoveFrameProps"
            )
        cuts = [f.props for f in frames] if self.scenecut else [{}] * len(frames)
        numbers = window(n, scene_starts(first, cuts))
        scale = self.upscaler.scale
        picture = vs.core.create_video_frame(centre.format, centre.width * scale, centre.height * scale)
        self.upscaler(numbers, {k: planes(frames[k - first]) for k in set(numbers)}, planes(picture))
        return picture


def planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    """Views of a frame's planes, [H, W] each, without a copy; writable where the frame is."""
    return [np.asarray(frame[i]) for i in range(len(frame))]
