"""The numbers that describe a DUF network; this module works without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vsduf.upscaler import RADIUS, WINDOW

BN_EPS = 1e-3  # added to the variances of batch norms
TAPS = 25  # of a dynamic filter: 5x5, tap = 5 * (j + 2) + (i + 2)

DEPTHS = {16: (6, 32), 28: (12, 16), 52: (24, 16)}  # layers: (dense blocks, growth) of the paper
WIDTHS = {  # of the 16 layers: the paper's, and two of fewer multiply-adds; growth, stem, merge, heads' hidden layers
    "full": (32, 64, 256, 512, 256),
    "medium": (32, 64, 96, 192, 96),
    "light": (16, 32, 64, 128, 64),
}


def scale_of(residual_channels: int) -> int:
    """Returns R for the 3 * R * R channels of a residual; raises ValueError for any other number of channels."""
    scale = math.isqrt(residual_channels // 3)
    if 3 * scale**2 != residual_channels:
        raise ValueError(f"a residual has 3 * R * R channels, not {residual_channels}")
    return scale


@dataclass(frozen=True)
class DufConfig:
    """The numbers that distinguish one DUF network from another; the shapes of its tensors show all of them.

    scale: 2, 3 or 4. blocks: dense blocks, the last three of which reduce time. growth: channels that each adds.
    streaming: the blocks that keep time do not mix frames, so each of their results depends on one source frame.
    stem, merge: channels of these layers. filter_hidden, residual_hidden: channels of the heads' first layers.
    """

    scale: int = 4
    blocks: int = 6
    growth: int = 32
    streaming: bool = False
    stem: int = 64
    merge: int = 256
    filter_hidden: int = 512
    residual_hidden: int = 256

    @classmethod
    def of_depth(cls, layers: int, scale: int = 4, *, streaming: bool = False, width: str = "full") -> DufConfig:
        """Returns the published network of 16, 28 or 52 layers, or a narrower one of 16.

        width: a key of WIDTHS; "medium" and "light" take 0.61 and 0.19 of the multiply-adds of "full".
        """
        blocks, growth = DEPTHS[layers]
        if width == "full":
            return cls(scale, blocks, growth, streaming)
        growth, *others = WIDTHS[width]
        return cls(scale, blocks, growth, streaming, *others)

    @property
    def layers(self) -> int:
        """Depth as the paper counts it: stem, two convolutions per block, merge, two convolutions of a head."""
        return 2 * self.blocks + 4

    @property
    def full_window_blocks(self) -> int:
        """Number of dense blocks that keep all frames of the window."""
        return self.blocks - RADIUS

    def kernel_t(self, block: int) -> int:
        """Returns over how many frames a dense block's second convolution reaches: 1 or 3."""
        return 1 if self.streaming and block < self.full_window_blocks else 3

    @property
    def features(self) -> int:
        """Channels after the last dense block."""
        return self.stem + self.blocks * self.growth

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one output frame per LR pixel; the streaming form computes every feature once per frame."""
        total, frames = 0, WINDOW
        for k in range(self.blocks):
            features, left = self.stem + k * self.growth, frames if k < self.full_window_blocks else frames - 2
            kernel = 9 if self.streaming and left == frames else 27
            before, after = (1, 1) if self.streaming else (frames, left)
            total += before * features**2 + after * features * self.growth * kernel
            frames = left
        stem = 27 * self.stem * (1 if self.streaming else WINDOW)
        heads = self.merge * (self.filter_hidden + self.residual_hidden)
        results = (TAPS * self.filter_hidden + 3 * self.residual_hidden) * self.scale**2
        return stem + total + 9 * self.features * self.merge + heads + results

    @property
    def receptive_radius(self) -> int:
        """LR pixels on each side that a result depends on: the 3x3 convolutions of stem, blocks and merge."""
        return self.blocks + 2
