"""Cuts a picture into tiles: rectangles that overlap, each with the interior that goes into the output."""

from __future__ import annotations

from dataclasses import dataclass

from vsduf.errors import ArgumentError

SMALLEST = 16  # LR pixels; below that nearly all of a tile is overlap


def smallest(overlap: int) -> int:
    """Returns the least side of a tile that is worth computing, in LR pixels: at least a third of it is interior."""
    return 2 * overlap + max(SMALLEST, overlap)


@dataclass(frozen=True)
class Interior:
    """The pixels of a tile that go into the output. rows, columns: in the tile. top, left: in the picture."""

    rows: range
    columns: range
    top: int
    left: int


@dataclass(frozen=True)
class Tile:
    """A rectangle of the extended LR picture that is computed as if it were a picture of its own."""

    top: int
    left: int
    height: int
    width: int
    interior: Interior


def cut(height: int, width: int, size: tuple[int, int] | None, overlap: int, extension: int = 0) -> list[Tile]:
    """Returns the tiles, row by row, of a picture of height x width LR pixels that is extended at every side.

    size: (width, height) of the tiles with their overlap, None for one tile. overlap: LR pixels of a tile
    around its interior, except at the picture's edges; with at least the network's receptive radius the seams vanish.
    Raises ArgumentError for tiles that are too small, or all overlap.
    """
    across = _spans(width, size[0] if size else None, overlap, extension)
    down = _spans(height, size[1] if size else None, overlap, extension)
    return [
        Tile(
            y0,
            x0,
            y1 - y0,
            x1 - x0,
            Interior(range(oy0 - y0, oy1 - y0), range(ox0 - x0, ox1 - x0), oy0 - extension, ox0 - extension),
        )
        for y0, y1, oy0, oy1 in down
        for x0, x1, ox0, ox1 in across
    ]


def check(size: tuple[int, int], overlap: int) -> None:
    """Raises ArgumentError for tiles that are too small, or all overlap."""
    if min(size) < SMALLEST:
        raise ArgumentError(f"tilesize is {size[0]}x{size[1]}; tiles must be at least {SMALLEST} pixels each way")
    if overlap < 0:
        raise ArgumentError(f"overlap is {overlap}; it must be 0 or more")
    if 2 * overlap >= min(size):
        raise ArgumentError(
            f"overlap is {overlap} on each side of {size[0]}x{size[1]} tiles; enlarge tilesize or lower overlap"
        )


def count(size: tuple[int, int], picture: tuple[int, int], overlap: int) -> int:
    """Returns how many tiles of a size, with their overlap, cover a picture; both as (width, height) in LR pixels."""
    across, down = (_along(whole, side, overlap) for side, whole in zip(size, picture, strict=True))
    return across * down


def _along(length: int, size: int, overlap: int, extension: int = 0) -> int:
    return 1 if size >= length + 2 * extension else -(-length // (size - 2 * overlap))


def _spans(length: int, size: int | None, overlap: int, extension: int) -> list[tuple[int, int, int, int]]:
    """Returns (start, stop, interior's start, interior's stop) of every tile along one axis of the extended picture."""
    whole = length + 2 * extension
    if size is None or size >= whole:
        return [(0, whole, extension, extension + length)]
    number = _along(length, size, overlap, extension)
    spans = []
    for k in range(number):
        own_start, own_stop = extension + length * k // number, extension + length * (k + 1) // number
        start = 0 if k == 0 else max(0, own_start - overlap)
        stop = whole if k == number - 1 else min(whole, own_stop + overlap)
        spans.append((start, stop, own_start, own_stop))
    return spans
