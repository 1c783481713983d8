"""The two protocols behind an engine: Backend, a device with its threads, and TileNetwork, its arithmetic.

The engine decides which tiles and windows are computed and what is cached; a backend decides where and how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from vsduf.engine.tiles import Tile
from vsduf.network.config import DufConfig
from vsduf.upscaler import Planes

Samples = Any
"""One source frame as its device has it: `Planes` on the CPU, a tensor [3, H, W] on other devices."""

Source = Callable[[int], Samples]
"""Returns the samples of a source frame by its number."""

Feature = Any
"""A feature of a tile as its device has it: a `cpu.network.Feature`, or a tensor on other devices."""

Picture = Any
"""The output frame as its device has it: `Planes` on the CPU, a tensor [3, R * H, R * W] on other devices."""


class TileNetwork(Protocol):
    """Computes the network for one tile. A feature that a method returns may still be being computed."""

    config: DufConfig

    def stem(self, samples: Samples) -> Feature:
        """Returns the stem's features of a source frame, [H, W, stem channels]."""

    def partial_sums(self, block: int, inputs: Sequence[Feature], offsets: Sequence[int]) -> Feature:
        """Returns a frame's partial sums for the outputs at those time offsets from it, [H, W, len(offsets) * G].

        inputs: the block's input, in the pieces that the stem and the blocks before it made.
        """

    def accumulate(self, block: int, sums: Sequence[tuple[Feature, int]]) -> Feature:
        """Adds partial sums to a block's output [H, W, G].

        sums: for each frame that contributes, what `partial_sums` returned and the number of the offset in it.
        """

    def finish(self, inputs: Sequence[Feature], samples: Samples, picture: Picture) -> None:
        """Computes merge, heads and dynamic filters, and writes the tile's interior into the picture.

        inputs: the centre's features, in pieces. samples: the centre frame, which the filters are applied to.
        """


class Backend(Protocol):
    """A device that computes: CpuBackend, CudaBackend or TorchBackend, in `backend` of engine.cpu, .cuda and .torch.

    at_once: how many concurrent calls of `make` are worth it.
    """

    at_once: int

    def tile_network(self, tile: Tile) -> TileNetwork:
        """Returns the network for one tile; its methods are called inside `make` alone."""

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Picture], None],
    ) -> None:
        """Calls `compute(source, picture)` on the thread and stream that own the device; returns when `out` is written.

        window, frames, out: as an `Upscaler` takes them. Several threads may call at a time; `compute` runs for one
        after the other.
        """

    def ran_out(self, error: BaseException) -> bool:
        """Tells whether an error says that memory ran out."""

    def settle(self) -> None:
        """Returns when the memory of features that nobody holds can be used again; called inside `make`."""

    def release(self) -> None:
        """Frees working memory before smaller tiles are tried; called inside `make`."""

    def close(self) -> None:
        """Frees everything; nothing is called again."""
