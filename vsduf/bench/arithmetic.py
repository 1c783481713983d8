"""Compares the CPU engine with the machine's limit: the network's multiply-adds, and the rate of torch's products."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch

from vsduf.engine.feature_cache import FeatureCache
from vsduf.network.config import DufConfig
from vsduf.network.dynamic_upsample import TAPS
from vsduf.upscaler import clamped_window

PLAIN, WINOGRAD = 9.0, 36 / 16  # multiply-adds of a 3x3 kernel for one pixel: written out, and by F(4x4, 3x3)
ROWS, CHANNELS = 4800, 256  # of the matrices, as large as a step of the network's merge


@dataclass
class CountingNetwork:
    """A TileNetwork that counts multiply-adds for one pixel; its features are their numbers of channels.

    kernel: multiply-adds of a 3x3 kernel for one pixel.
    """

    config: DufConfig
    kernel: float = PLAIN
    total: float = 0

    def stem(self, samples: object) -> int:
        """See `TileNetwork`; the stem is never computed by Winograd's algorithm."""
        self.total += 27 * self.config.stem
        return self.config.stem

    def partial_sums(self, block: int, inputs: Sequence[int], offsets: Sequence[int]) -> int:
        """See `TileNetwork`."""
        outputs = self.config.growth * len(offsets)
        self.total += sum(inputs) ** 2 + self.kernel * sum(inputs) * outputs
        return outputs

    def accumulate(self, block: int, sums: Sequence[tuple[int, int]]) -> int:
        """See `TileNetwork`; additions alone."""
        return self.config.growth

    def finish(self, inputs: Sequence[int], samples: object, picture: object) -> None:
        """See `TileNetwork`; without the dynamic filters, which are no layers."""
        c, subpixels = self.config, self.config.scale**2
        self.total += self.kernel * sum(inputs) * c.merge + c.merge * (c.filter_hidden + c.residual_hidden)
        self.total += subpixels * (TAPS * c.filter_hidden + 3 * c.residual_hidden)


def multiply_adds(config: DufConfig, kernel: float = WINOGRAD, frames: int = 30) -> float:
    """Returns the multiply-adds for an LR pixel of a frame: the mean over a clip whose frames are made in order."""
    network = CountingNetwork(config, kernel)
    cache = FeatureCache(network)
    for n in range(frames):
        network.finish(cache(clamped_window(n, frames), lambda frame: frame), None, None)
    return network.total / frames


def sgemm_rate(tries: int = 15) -> float:
    """Returns the multiply-adds per second of torch's float32 matrix products on all its threads: the median try."""
    a, b = torch.rand(ROWS, CHANNELS), torch.rand(CHANNELS, CHANNELS)
    out, seconds = torch.empty(ROWS, CHANNELS), []
    for _ in range(tries):
        started = time.perf_counter()
        for _ in range(4):
            torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - started)
    return 4 * ROWS * CHANNELS**2 / median(seconds)
