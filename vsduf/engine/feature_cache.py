"""Caches features of source frames, so that windows that overlap do not compute them again.

A feature is stored under its level (0: the stem, k: dense block k) and its context: the source frames that it depends
on, in window order. Two windows that see the same frames around a position share the feature. Clip ends, scene cuts and
random access need no case of their own: repeated frames only make other contexts.

Example: streaming DUF of 16 layers has blocks 1 to 3, each of one frame, and blocks 4 to 6, each of three. In the
window of frame 5, (2, 3, 4, 5, 6, 7, 8), level 3 at frame 4 has the context (4), level 4 at frame 4 the context
(3, 4, 5). The next window, of frame 6, finds both in the cache and computes level 3 at frame 9 and level 4 at frame 8.
The convolution of block 4 over three frames is the sum of three convolutions of one frame: frame 4's partial sums for
the outputs at frames 3, 4 and 5 are computed at once, from the context (4), and cached too.

The paper's form pads windows with zeros in time, so its features near a window's ends depend on where the window ends:
`None` stands for the padding in their contexts, and only the others are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsduf.engine.backend import Feature, Source, TileNetwork
from vsduf.upscaler import RADIUS, WINDOW

Context = tuple[int | None, ...]
"""Source frame numbers around a position of the window; None stands for the zero padding beyond its ends."""

Key = tuple[str, int, Context]


class Entry:
    """A cache entry: features or partial sums, and the number of the last call that used them.

    offsets: the time offsets that an entry of partial sums was computed for.
    """

    def __init__(self, *features: Feature, offsets: Sequence[int] = ()) -> None:
        self.features, self.offsets, self.touched = list(features), offsets, 0


@dataclass(frozen=True)
class Request:
    """One call's window and the source of its frames. padded: the window with a None for each block at both ends."""

    window: Sequence[int]
    source: Source
    padded: Context


class FeatureCache:
    """Computes all features up to the merge for one tile, and keeps those that later windows can use.

    An entry that the last `idle_frames` calls did not use is dropped: with windows in linear order every call uses
    every entry until no later window needs it.
    """

    def __init__(self, network: TileNetwork, idle_frames: int = 2) -> None:
        self.network, self.idle_frames = network, idle_frames
        self.config = network.config
        self._entries: dict[Key, Entry] = {}
        self._call = 0

    def __call__(self, window: Sequence[int], source: Source) -> list[Feature]:
        """Returns the features of the window's centre as the pieces whose concatenation the paper draws.

        window: seven source frame numbers. The first piece has the stem's channels, the others G each.
        """
        self._call += 1
        padding = (None,) * self.config.blocks
        pieces = self._pieces(Request(window, source, (*padding, *window, *padding)), RADIUS, self.config.blocks)
        self._drop_before(self._call - self.idle_frames)
        return pieces

    def clear(self) -> None:
        """Drops all entries."""
        self._entries.clear()

    def features(self) -> list[Feature]:
        """Returns all cached features."""
        return [feature for entry in self._entries.values() for feature in entry.features]

    def _pieces(self, request: Request, at: int, level: int) -> list[Feature]:
        """Returns the features of one position of the window, up to a level."""
        pieces, first = [], 0
        while first <= level:
            last = max(first, self.config.full_window_blocks) if self.config.streaming else first
            pieces += self._features(request, at, first, min(last, level))
            first = last + 1
        return pieces

    def _features(self, request: Request, at: int, first: int, last: int) -> list[Feature]:
        """Returns the features of levels `first` to `last`, which have one context and so one entry."""
        key = ("features", first, self._context(request, at, first))
        entry = self._find(key) or self._store(key, Entry())
        for level in range(first + len(entry.features), last + 1):
            made = self._accumulate(request, at, level) if level else self._stem(request, at)
            entry.features.append(made)
        return entry.features[: last + 1 - first]

    def _stem(self, request: Request, at: int) -> Feature:
        return self.network.stem(request.source(request.window[at]))

    def _accumulate(self, request: Request, at: int, level: int) -> Feature:
        sums = []
        for offset in self._reach(level):
            neighbour = at - offset
            if 0 <= neighbour < WINDOW:
                entry = self._partial_sums(request, neighbour, level)
                sums.append((entry.features[0], entry.offsets.index(offset)))
        return self.network.accumulate(level - 1, sums)

    def _partial_sums(self, request: Request, at: int, level: int) -> Entry:
        context = self._context(request, at, level - 1)
        key = ("partial sums", level, context)
        entry = self._find(key)
        if entry is None:
            offsets = self._needed_offsets(context, level)
            pieces = self._pieces(request, at, level - 1)
            entry = Entry(self.network.partial_sums(level - 1, pieces, offsets), offsets=offsets)
            if len(self._reach(level)) > 1:  # else the features that are made of it are cached in its place
                self._store(key, entry)
        return entry

    def _reach(self, level: int) -> Sequence[int]:
        """Returns the time offsets from a block's input to the outputs that it contributes to."""
        return (0,) if self.config.streaming and level <= self.config.full_window_blocks else (-1, 0, 1)

    def _needed_offsets(self, context: Context, level: int) -> list[int]:
        """Returns the time offsets at which a window can have an output that takes a partial sum of this context.

        If the context fixes the position in the window (it touches the padding, or spans the window), only offsets with
        an output there are needed; otherwise the feature may stand at any inner position, and all are.
        """
        offsets = list(self._reach(level))
        if len(context) >= WINDOW or None in context:
            reach, there = len(context) // 2, [i for i, frame in enumerate(context) if frame is not None]
            at = reach - there[0] if there[0] > 0 else WINDOW - 1 - (there[-1] - reach)
            cut = max(0, level - self.config.full_window_blocks)
            offsets = [o for o in offsets if cut <= at + o < WINDOW - cut]
        return offsets

    def _context(self, request: Request, at: int, level: int) -> Context:
        config = self.config
        reach = max(0, level - config.full_window_blocks) if config.streaming else level
        return request.padded[config.blocks + at - reach : config.blocks + at + reach + 1]

    def _find(self, key: Key) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            entry.touched = self._call
        return entry

    def _store(self, key: Key, entry: Entry) -> Entry:
        self._entries[key] = entry
        entry.touched = self._call
        return entry

    def _drop_before(self, call: int) -> None:
        for key in [key for key, entry in self._entries.items() if entry.touched <= call]:
            del self._entries[key]
