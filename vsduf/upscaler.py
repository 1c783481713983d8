"""The interface between the VapourSynth filter and what computes the frames: a window of planes in, a picture out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from vsduf.siting import Siting

SCALES = (2, 3, 4)
RADIUS = 3  # source frames on each side of the centre frame
WINDOW = 2 * RADIUS + 1

Planes = Sequence[NDArray[Any]]
"""Three [H, W] arrays R, G, B of any row stride and of one dtype: uint8 (0..255), uint16 (0..65535), float16 or float32
(0..1; values outside are kept)."""


class Upscaler(Protocol):
    """Makes the high-resolution frame at the centre of a window. `vsduf.engine.open_engine` opens the network's.

    scale: 2, 3 or 4. siting: where the network's LR samples lie; the filter shifts a top-left network's picture back.
    at_once: number of concurrent calls that are worth it; 1 if concurrent calls are no faster. half: optional, whether
    it computes in half precision, so that frames of few bits may come as float16.
    """

    scale: int
    siting: Siting
    at_once: int

    def __call__(self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes) -> None:
        """Writes the centre frame of `window`, at R times its size, into `out`.

        window: the seven source frame numbers, repeats allowed. frames: the planes of each of these numbers; a number
        stands for the same picture in every call. out: writable, [R * H, R * W] each, of the input's dtype.
        """

    def close(self) -> None:
        """Releases memory and devices; the upscaler is not called again."""


def clamped_window(n: int, length: int) -> list[int]:
    """Returns frame numbers n - 3 to n + 3 of a clip of `length` frames, with the first and last frame repeated."""
    return [min(max(k, 0), length - 1) for k in range(n - RADIUS, n + RADIUS + 1)]
