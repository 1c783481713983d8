"""The networks of DUF: the paper's (Jo et al., CVPR 2018, table 1) and the streaming form, in one class.

Symbols: T = 7 frames of a window, R = scale, F = feature channels, G = growth, M = merge channels, H x W = the
low-resolution size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsduf.network.config import BN_EPS, DEPTHS, WIDTHS, DufConfig
from vsduf.network.dynamic_upsample import TAPS

__all__ = ["BN_EPS", "DEPTHS", "WIDTHS", "DenseBlock", "Duf", "DufConfig"]


class DenseBlock(nn.Module):
    """Adds G channels to its input: BN, ReLU, 1x1x1 F -> F, BN, ReLU, 3x3x3 (or 1x3x3) F -> G, concatenation."""

    def __init__(self, features: int, growth: int, kernel_t: int, pad_t: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm3d(features, BN_EPS, momentum=1e-3)
        self.conv1 = nn.Conv3d(features, features, 1)
        self.norm2 = nn.BatchNorm3d(features, BN_EPS, momentum=1e-3)
        self.conv2 = nn.Conv3d(features, growth, (kernel_t, 3, 3), padding=(pad_t, 1, 1))
        self.shrinks = kernel_t == 3 and pad_t == 0

    def forward(self, x: Tensor) -> Tensor:
        """Returns [B, F + G, T or T - 2, H, W] for features [B, F, T, H, W]."""
        new = self.conv1(F.relu_(self.norm1(x)))
        new = self.conv2(F.relu_(self.norm2(new)))
        return torch.cat([x[:, :, 1:-1] if self.shrinks else x, new], 1)


class Duf(nn.Module):
    """A DUF network: from a window of frames to the filters and the residual of its centre frame."""

    def __init__(self, config: DufConfig) -> None:
        super().__init__()
        self.config = config
        subpixels = config.scale**2
        self.stem = nn.Conv3d(3, config.stem, (1, 3, 3), padding=(0, 1, 1))
        self.blocks = nn.Sequential()
        for k in range(config.blocks):
            kernel_t = config.kernel_t(k)
            pad_t = kernel_t // 2 if k < config.full_window_blocks else 0
            self.blocks.append(DenseBlock(config.stem + k * config.growth, config.growth, kernel_t, pad_t))
        self.norm = nn.BatchNorm3d(config.features, BN_EPS, momentum=1e-3)
        self.merge = nn.Conv3d(config.features, config.merge, (1, 3, 3), padding=(0, 1, 1))
        self.filter_head = _head(config.merge, config.filter_hidden, TAPS * subpixels)
        self.residual_head = _head(config.merge, config.residual_hidden, 3 * subpixels)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the filters, before their softmax, and the residual of the centre frame.

        window: [B, 3, 7, H, W], RGB in 0..1. Returns logits [B, 25 * R * R, H, W], channel = tap * R * R + subpixel,
        and residual [B, 3 * R * R, H, W], channel = colour * R * R + subpixel; `dynamic_upsample` applies both.

        The streaming form takes sequences of more frames too, [B, 3, T, H, W]: the results are those of its T - 6
        windows, along the first dimension, [B * (T - 6), ...], and features that windows share are computed once.
        """
        x = self.blocks(self.stem(window))
        x = F.relu_(self.merge(F.relu_(self.norm(x)))).transpose(1, 2).flatten(0, 1)
        return self.filter_head(x), self.residual_head(x)


def _head(features: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(features, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, out, 1))
