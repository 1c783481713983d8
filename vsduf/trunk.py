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

Key = tuple[str, int, Context]


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


class Kept:
    """Tensors that are needed together, and the last call that needed them. offsets: of a share, where it goes."""

    def __init__(self, *tensors: Tensor, offsets: Sequence[int] = ()) -> None:
        self.tensors, self.offsets, self.touched = list(tensors), offsets, 0


class Trunk:
    """The trunk for one tile of the picture; holds what later windows can use again.

    What the last `keep` calls did not touch is dropped: in linear order everything is touched by each call until it is
    of no more use.
    """

    def __init__(self, layers: Layers, keep: int = 2) -> None:
        self.layers, self.keep = layers, keep
        self.config = layers.config
        self._kept: dict[Key, Kept] = {}
        self._call = 0
        self._window: Sequence[int] = ()
        self._contexts: dict[tuple[int, int], Context] = {}

    def __call__(self, window: Sequence[int]) -> list[Tensor]:
        """The features of the window's centre, as the pieces whose concatenation the paper draws: 64, G, G, ..."""
        self._call += 1
        self._window = window
        self._contexts.clear()
        pieces = self._pieces(RADIUS, self.config.blocks)
        self._drop_before(self._call - self.keep)
        return pieces

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()

    def tensors(self) -> list[Tensor]:
        """All that is held."""
        return [tensor for kept in self._kept.values() for tensor in kept.tensors]

    def _pieces(self, at: int, level: int) -> list[Tensor]:
        """The features of one position up to a level."""
        pieces, first = [], 0
        while first <= level:
            last = max(first, self.config.keeping) if self.config.streaming else first
            pieces += self._features(at, first, min(last, level))
            first = last + 1
        return pieces

    def _features(self, at: int, first: int, last: int) -> list[Tensor]:
        """Those levels' features, all of which depend on the same frames."""
        key = ("features", first, self._context(at, first))
        kept = self._find(key) or self._keep(key, Kept())
        for level in range(first + len(kept.tensors), last + 1):
            kept.tensors.append(self._gather(at, level) if level else self.layers.stem(self._window[at]))
        return kept.tensors[: last + 1 - first]

    def _gather(self, at: int, level: int) -> Tensor:
        shares = []
        for offset in self._reach(level):
            neighbour = at - offset
            if 0 <= neighbour < WINDOW:
                share = self._share(neighbour, level)
                shares.append((share.tensors[0], share.offsets.index(offset)))
        return self.layers.gather(level - 1, shares)

    def _share(self, at: int, level: int) -> Kept:
        context = self._context(at, level - 1)
        key = ("share", level, context)
        found = self._find(key)
        if found is None:
            offsets = self._wanted(context, level)
            found = Kept(self.layers.spread(level - 1, self._pieces(at, level - 1), offsets), offsets=offsets)
            if len(self._reach(level)) > 1:  # else its one reader keeps what it makes of it
                self._keep(key, found)
        return found

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

    def _context(self, at: int, level: int) -> Context:
        reach = max(0, level - self.config.keeping) if self.config.streaming else level
        if (at, reach) not in self._contexts:
            around = range(at - reach, at + reach + 1)
            self._contexts[at, reach] = tuple(self._window[i] if 0 <= i < WINDOW else None for i in around)
        return self._contexts[at, reach]

    def _find(self, key: Key) -> Kept | None:
        found = self._kept.get(key)
        if found is not None:
            found.touched = self._call
        return found

    def _keep(self, key: Key, kept: Kept) -> Kept:
        self._kept[key] = kept
        kept.touched = self._call
        return kept

    def _drop_before(self, call: int) -> None:
        for key in [key for key, kept in self._kept.items() if kept.touched <= call]:
            del self._kept[key]
