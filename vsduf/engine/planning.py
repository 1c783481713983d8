"""Plans tiles: the largest with which a picture's features fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vsduf.engine import tiles
from vsduf.engine.tiles import count
from vsduf.network.config import DufConfig
from vsduf.upscaler import RADIUS, WINDOW

SHARE = 0.6  # of free memory that an engine plans to use: the source, other filters and the encoder need memory too


@dataclass(frozen=True)
class DeviceMemory:
    """A device's memory. budget: bytes for all. working_bytes: of working memory, by a tile's width.

    more_frames: how many further frames are computed at the same time, and hold features.
    """

    budget: int
    working_bytes: Callable[[int], int]
    more_frames: int = 0


@dataclass(frozen=True)
class TilePlan:
    """How a picture is cut. size: (width, height) of tiles in LR pixels with overlap, None for the whole picture.

    cache_features: whether features are kept from one frame to the next; without, a frame is computed from its window
    alone. planned: bytes that the plan takes, 0 if the user chose the tiles.
    """

    size: tuple[int, int] | None
    cache_features: bool = True
    planned: int = field(default=0, compare=False)


def cached_channels(config: DufConfig, idle_frames: int) -> int:
    """Returns the channels of one LR pixel that a feature cache holds at most between two calls in linear order.

    The features of a frame stay until the window's centre has passed it; its partial sums, until the centre has passed
    its neighbours too.
    """
    stem, growth, held = config.stem, config.growth, RADIUS + 1 + idle_frames
    if config.streaming:
        stays = (stem + config.full_window_blocks * growth) * held
        return stays + RADIUS * growth * 4 * (held + 1)  # three sums, one feature; one more at a clip's ends
    per_position = stem + config.blocks * growth + 3 * growth * config.blocks
    return (idle_frames + 1) * WINDOW * per_position


def working_channels(config: DufConfig) -> int:
    """Returns the channels of a pixel that computing takes besides: a block's middle, merge's input, one result."""
    return 2 * config.features + 3 * config.growth


def plan_tiles(
    config: DufConfig,
    height: int,
    width: int,
    budget: int,
    *,
    overlap: int,
    idle_frames: int,
    sample_bytes: int = 4,
    working_bytes: Callable[[int], int] = lambda width: 0,
) -> TilePlan:
    """Returns the largest tiles with which a picture of height x width LR pixels stays within `budget` bytes.

    Where even small tiles do not fit because of the features that all of them cache, none are cached and each frame
    costs about twice the arithmetic. Tiles share one working memory. The network's own 16 to 104 MiB come
    on top of the budget.
    """
    for cache_features in (True, False):
        size = (width, height)
        while True:
            tiles_kept = count(size, (width, height), overlap) if cache_features else 1
            channels = cached_channels(config, idle_frames) * tiles_kept + working_channels(config)
            planned = size[0] * size[1] * channels * sample_bytes + working_bytes(size[0])
            if planned <= budget:
                return TilePlan(None if size == (width, height) else size, cache_features, planned)
            smaller = halve(size, tiles.smallest(overlap))
            if smaller == size:
                break
            size = smaller
    return TilePlan(size, False, planned)


def halve(size: tuple[int, int], least: int) -> tuple[int, int]:
    """Returns a size with its longer side halved, but not below `least`; the same one where nothing can be halved."""
    width, height = size
    if width >= height and width > least:
        return max(least, -(-width // 2)), height
    return width, max(min(height, least), -(-height // 2))
