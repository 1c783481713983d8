"""What an engine needs of the device that computes: the seam between tiles, windows and memory on one side, and a CPU's
or a GPU's arithmetic, transfers and threads on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from vsduf.tiles import Tile
from vsduf.trunk import Layers
from vsduf.upscaler import Planes


class Backend(Protocol):
    """`cpu_backend.CpuBackend` or `cuda_backend.CudaBackend`. at_once: pictures that are made faster together."""

    at_once: int

    def layers(self, tile: Tile) -> Layers:
        """The arithmetic for one tile; used inside `make` alone."""

    def make(
        self, window: Sequence[int], frames: Mapping[int, Planes], out: Planes, compute: Callable[[Any], None]
    ) -> None:
        """Has `compute(picture)` fill a picture, by `finish`, and returns when it is in `out`.

        Several threads may call at a time; the calls of `compute` come one after the other.
        """

    def finish(self, layers: Layers, inputs: list[Tensor], frame: int, picture: Any) -> None:
        """Merge, heads and dynamic filters: a tile's own pixels, R times as many each way, go into the picture."""

    def ran_out(self, error: BaseException) -> bool:
        """Whether the error says that memory ran out."""

    def release(self) -> None:
        """Gives working memory back before smaller tiles are tried; called inside `make`."""

    def close(self) -> None:
        """Releases everything; nothing is called again."""
