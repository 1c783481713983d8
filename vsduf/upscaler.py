"""The seam between VapourSynth and the network: what a frame-producing engine looks like from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

Planes = Sequence[NDArray[Any]]
"""Three [H, W] arrays R, G, B with any row stride, of one dtype: uint8 (0..255), uint16 (0..65535), float16 or float32
(0..1, values beyond are kept)."""

CENTRE = "center"  # LR pixel i sits in the middle of its R x R block, as every resizer places it
TOP_LEFT = "top-left"  # LR pixel i sits on HR pixel R * i, as the authors trained


class Upscaler(Protocol):
    """Makes the high-resolution frame of a window's centre. `vsduf.engine.Engine` is the real one; tests use others."""

    scale: int
    siting: str
    at_once: int  # frames that are made faster if several threads ask for them at a time; 1 if that gains nothing

    def __call__(self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes) -> None:
        """Writes the centre frame of `window` at R times its size into `out`.

        window: the seven source frame numbers, repeats allowed. frames: the planes of each number in it. A number names
        the same picture in every call. out: writable, [R * H, R * W] each, of the input's dtype.
        """

    def close(self) -> None:
        """Releases what the engine holds; it is not called again."""
