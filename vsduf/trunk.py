"""Everything of the network up to the merge, computed once for all windows that share it.

A result is named by its level and by the source frames that it depends on, in window order: two windows that see the
same frames share it, wherever those stand. In streaming DUF that makes every level a once-per-frame cost; the paper's
zero padding in time makes results at a window's ends its own, and what is left in between is shared. Clip ends, scene
cuts and random access need no other case: they are windows like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from vsduf.network import RADIUS, WINDOW, DufConfig

Context = tuple[int | None, ...]
"""Source frame numbers around a position of the window; None stands for the zero padding beyond its ends."""


class Layers(Protocol):
    """A network's arithmetic on one device, for one picture size. Features are [H, W, channels]."""

    config: DufConfig

    def stem(self, frame: int) -> Tensor:
        """The stem's 64 channels for a source frame."""

    def spread(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """What a frame adds to the results of the frames at those offsets from it: [H, W, len(offsets) * G].

        inputs: the block's input, in the pieces that the earlier levels made.
        """

    def gather(self, block: int, shares: Sequence[tuple[Tensor, int]]) -> Tensor:
        """[H, W, G]: the sum of the shares (what `spread` gave, and which of its pieces) and the bias."""


class Trunk:
    """The trunk for one tile of the picture; holds what later windows can use again.

    Entries that the last `keep` calls did not touch are dropped: in linear order every entry is touched by each call
    until it is of no more use.
    """

    def __init__(self, layers: Layers, keep: int = 2) -> None:
        self.layers, self.keep = layers, keep
        self.config = layers.config
        self._results: dict[tuple[str, int, Context], Tensor] = {}
        self._touched: dict[tuple[str, int, Context], int] = {}
        self._call = 0

    def __call__(self, window: Sequence[int]) -> list[Tensor]:
        """The features of the window's centre, as the pieces whose concatenation the paper draws: 64, G, G, ..."""
        self._call += 1
        pieces = self._pieces(window, RADIUS, self.config.blocks)
        self._drop_before(self._call - self.keep)
        return pieces

    def clear(self) -> None:
        """Forgets everything."""
        self._results.clear()
        self._touched.clear()

    def __len__(self) -> int:
        return len(self._results)

    def _pieces(self, window: Sequence[int], at: int, level: int) -> list[Tensor]:
        return [self._feature(window, at, k) for k in range(level + 1)]

    def _feature(self, window: Sequence[int], at: int, level: int) -> Tensor:
        key = ("feature", level, self._context(window, at, level))
        found = self._find(key)
        if found is None:
            found = self._keep(key, self._gather(window, at, level) if level else self.layers.stem(window[at]))
        return found

    def _gather(self, window: Sequence[int], at: int, level: int) -> Tensor:
        shares = []
        for offset in self._reach(level):
            neighbour = at - offset
            if 0 <= neighbour < WINDOW:
                share, offsets = self._share(window, neighbour, level)
                shares.append((share, offsets.index(offset)))
        return self.layers.gather(level - 1, shares)

    def _share(self, window: Sequence[int], at: int, level: int) -> tuple[Tensor, list[int]]:
        context = self._context(window, at, level - 1)
        offsets = self._wanted(context, level)
        key = ("share", level, context)
        found = self._find(key)
        if found is None:
            found = self._keep(key, self.layers.spread(level - 1, self._pieces(window, at, level - 1), offsets))
        return found, offsets

    def _reach(self, level: int) -> Sequence[int]:
        """Offsets in time between a block's input and the results that it has a share in."""
        return (0,) if self.config.streaming and level <= self.config.keeping else (-1, 0, 1)

    def _wanted(self, context: Context, level: int) -> list[int]:
        """Offsets at which some window has use for a share of a result with this context.

        Where the context names the position in the window (it reaches beyond an end, or over all of it), results that
        the window does not have are left out; elsewhere the result may stand at any inner position.
        """
        offsets = list(self._reach(level))
        if len(context) >= WINDOW or None in context:
            missing = next(i for i, frame in enumerate(context) if frame is not None)
            at = (len(context) - 1) // 2 - missing
            cut = max(0, level - self.config.keeping)
            offsets = [o for o in offsets if cut <= at + o < WINDOW - cut]
        return offsets

    def _context(self, window: Sequence[int], at: int, level: int) -> Context:
        reach = max(0, level - self.config.keeping) if self.config.streaming else level
        return tuple(window[i] if 0 <= i < WINDOW else None for i in range(at - reach, at + reach + 1))

    def _find(self, key: tuple[str, int, Context]) -> Tensor | None:
        if key in self._results:
            self._touched[key] = self._call
        return self._results.get(key)

    def _keep(self, key: tuple[str, int, Context], result: Tensor) -> Tensor:
        self._results[key] = result
        self._touched[key] = self._call
        return result

    def _drop_before(self, call: int) -> None:
        for key in [k for k, touched in self._touched.items() if touched <= call]:
            del self._results[key], self._touched[key]
