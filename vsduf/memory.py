"""How much memory a picture takes, and the tiles with which it fits."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from vsduf.network import RADIUS, WINDOW, DufConfig

SHARE = 0.6  # of free memory that an engine plans to use: the source, other filters and the encoder want some too
STRIP, ROWS = 5120, 4  # pixels of a strip, which pixelwise layers take at a time; a strip has so many rows at least
PER_PIXEL = 16 << 10  # bytes of a strip's working memory for each of its pixels: products, hidden channels, logits


@dataclass(frozen=True)
class Plan:
    """size: (width, height) of tiles in LR pixels with their overlap, None for the whole picture.

    retain: whether results are kept from one frame to the next; without, a frame is computed from its window alone.
    """

    size: tuple[int, int] | None
    retain: bool = True


def free_bytes() -> int:
    """Main memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def channels_kept(config: DufConfig, keep: int) -> int:
    """Channels of one LR pixel that a trunk holds at most between two calls in linear order.

    A level's features stay until the window's centre has passed their frame, its shares until both neighbours have.
    """
    stem, growth, held = 64, config.growth, RADIUS + 1 + keep
    if config.streaming:
        stays = (stem + config.keeping * growth) * held
        return stays + RADIUS * growth * 4 * (held + 1)  # three shares and one feature; a clip's ends have one more
    per_position = stem + config.blocks * growth + 3 * growth * config.blocks
    return (keep + 1) * WINDOW * per_position


def channels_working(config: DufConfig) -> int:
    """Channels of one LR pixel that computing a result takes besides: a block's middle, merge's input, one result."""
    return 2 * config.features + 3 * config.growth


def plan(
    config: DufConfig,
    height: int,
    width: int,
    budget: int,
    *,
    overlap: int,
    keep: int,
    sample_bytes: int = 4,
) -> Plan:
    """The largest tiles with which a picture of height x width LR pixels stays within `budget` bytes.

    Where even small tiles do not fit because of what all of them keep, nothing is kept (`retain` False) and each frame
    costs about twice the arithmetic. Tiles have one working memory between them. The network's own 16 to 104 MiB come
    on top of the budget.
    """
    least = 2 * overlap + max(16, overlap)
    for retain in (True, False):
        size = (width, height)
        while True:
            tiles = _tiles(size, (width, height), overlap)
            kept = channels_kept(config, keep) * (tiles if retain else 1)
            strip = max(STRIP, ROWS * size[0]) * PER_PIXEL
            if size[0] * size[1] * (kept + channels_working(config)) * sample_bytes + strip <= budget:
                return Plan(None if size == (width, height) else size, retain)
            smaller = halve(size, least)
            if smaller == size:
                break
            size = smaller
    return Plan(size, False)


def halve(size: tuple[int, int], least: int) -> tuple[int, int]:
    """The longer side halved, but not below `least`; the same size where nothing can be halved."""
    width, height = size
    if width >= height and width > least:
        return max(least, -(-width // 2)), height
    return width, max(min(height, least), -(-height // 2))


def _tiles(size: tuple[int, int], picture: tuple[int, int], overlap: int) -> int:
    """How many tiles of a size, with their overlap, cover a picture."""
    across, down = (1 if s >= w else -(-w // (s - 2 * overlap)) for s, w in zip(size, picture, strict=True))
    return across * down
