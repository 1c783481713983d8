"""The network's arithmetic in ordinary torch operations, on any device that torch has.

Features are [1, channels, H, W]; where the device prefers channels-last memory, convolutions keep that layout. Dynamic
filters are computed in float32 in every precision: a half has eleven bits, an eight-bit picture needs nine.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.engine.folded import Clamp, FoldedArrays
from vsduf.engine.tiles import Tile
from vsduf.network.config import TAPS, DufConfig

STRIP = 1 << 15  # pixels of a strip of merge, heads and filters
PEAKS = {torch.uint8: 255, torch.int32: 65535}


def strip_bytes(config: DufConfig, sample_bytes: int) -> int:
    """Returns the bytes of a strip's pixel: merge and hidden layers, then logits, twice as float32, and the filters."""
    subpixels = config.scale**2
    hidden = 2 * (config.features + config.merge + config.filter_hidden + config.residual_hidden)
    return hidden * sample_bytes + 4 * (3 * TAPS * subpixels + 3 * TAPS + 9 * subpixels)


class TorchNetwork:
    """A folded network on a device: convolutions as kernels [out, in, k, k] with a bias."""

    def __init__(self, arrays: FoldedArrays, device: torch.device, dtype: torch.dtype) -> None:
        folded = arrays.map(torch.from_numpy)
        self.config, self.device, self.dtype = folded.config, device, dtype
        self._kernels: dict[tuple[int, tuple[int, ...]], Tensor] = {}
        self.stem = self._convolution(folded.stem, folded.stem_bias)
        self.clamps = [self._bounds(block.clamp) for block in folded.blocks]
        self.conv1 = [self._convolution(_kernel(b.conv1), b.conv1_bias) for b in folded.blocks]
        self.conv2 = [self._to(b.conv2).split(self.config.growth) for b in folded.blocks]
        self.biases = [self._to(b.bias.view(1, -1, 1, 1)) for b in folded.blocks]
        self.clamp = self._bounds(folded.clamp)
        self.padding_value = self._to(folded.clamp.padding_value.view(1, -1, 1, 1))
        padded = folded.merge_bias + folded.merge.sum((2, 3)) @ folded.clamp.padding_value
        self.merge = self._convolution(folded.merge, padded)
        self.heads = self._convolution(_kernel(folded.heads), -folded.heads_low)
        count = len(folded.filters)
        moved = (folded.heads_low[:count] @ folded.filters, folded.heads_low[count:] @ folded.residual)
        filters_bias, residual_bias = (folded.bias + torch.cat(moved)).split([m.numel() for m in moved])
        self.filters = self._convolution(_kernel(folded.filters), filters_bias)
        self.residual = self._convolution(_kernel(folded.residual), residual_bias)

    def kernel(self, block: int, offsets: tuple[int, ...]) -> Tensor:
        """Returns the rows of a block's 3x3 kernel for those time offsets, [len(offsets) * G, F, 3, 3]."""
        if (block, offsets) not in self._kernels:
            pieces = self.conv2[block]
            chosen = torch.cat([pieces[offset + len(pieces) // 2] for offset in offsets])
            self._kernels[block, offsets] = chosen.contiguous(memory_format=torch.channels_last)
        return self._kernels[block, offsets]

    def _convolution(self, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return self._to(kernel), self._to(bias)

    def _bounds(self, clamp: Clamp[Tensor]) -> tuple[Tensor, Tensor]:
        return self._to(clamp.low.view(1, -1, 1, 1)), self._to(clamp.high.view(1, -1, 1, 1))

    def _to(self, tensor: Tensor) -> Tensor:
        form = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
        return tensor.to(self.device, self.dtype).contiguous(memory_format=form)


class TorchTileNetwork:
    """See `backend.TileNetwork`. Features are [1, channels, H, W].

    extension: LR pixels by which the frame was extended at every side before tiles were cut.
    """

    def __init__(self, network: TorchNetwork, tile: Tile, extension: int) -> None:
        self.network, self.config, self.tile = network, network.config, tile
        self.corner = (tile.top - extension, tile.left - extension)

    def stem(self, samples: Tensor) -> Tensor:
        """See `backend.TileNetwork`."""
        picture = self._around(samples, 0)[None].to(self.network.dtype)
        return F.conv2d(picture.contiguous(memory_format=torch.channels_last), *self.network.stem, padding=1)

    def partial_sums(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `backend.TileNetwork`; the block's bias is added by `accumulate`."""
        hidden = F.conv2d(torch.cat(list(inputs), 1).clamp_(*self.network.clamps[block]), *self.network.conv1[block])
        return F.conv2d(hidden.relu_(), self.network.kernel(block, tuple(offsets)), padding=1)

    def accumulate(self, block: int, sums: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `backend.TileNetwork`."""
        growth, total = self.config.growth, self.network.biases[block]
        for part, k in sums:
            total = total + part[:, k * growth : (k + 1) * growth]
        return total

    def finish(self, inputs: Sequence[Tensor], samples: Tensor, picture: Tensor) -> None:
        """See `backend.TileNetwork`. picture: float32, [3, R * H, R * W]."""
        interior, scale = self.tile.interior, self.config.scale
        features = torch.cat(list(inputs), 1).clamp_(*self.network.clamp).sub_(self.network.padding_value)
        features = F.pad(features, (1, 1, 1, 1))
        around = self._around(samples, 2)
        left, width = interior.left * scale, len(interior.columns) * scale
        for rows in self._strips():
            logits, residual = self._heads(features[:, :, rows.start : rows.stop + 2])
            strip = filtered(around[:, rows.start : rows.stop + 4], logits, residual)
            top = (interior.top + rows.start - interior.rows.start) * scale
            columns = slice(interior.columns.start * scale, interior.columns.stop * scale)
            picture[:, top : top + len(rows) * scale, left : left + width] = strip[:, :, columns]

    def _heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits [25 * R * R, h, w] and residual [3 * R * R, h, w] for features [1, F, h + 2, w + 2]."""
        network = self.network
        merged = F.conv2d(features, *network.merge).relu_()
        hidden = F.conv2d(merged, *network.heads).relu_()
        middle = network.filters[0].shape[1]
        return F.conv2d(hidden[:, :middle], *network.filters)[0], F.conv2d(hidden[:, middle:], *network.residual)[0]

    def _around(self, samples: Tensor, margin: int) -> Tensor:
        """Returns the tile with `margin` pixels at each side, in 0..1; pixels outside the frame read the nearest."""
        rows, columns = (
            torch.arange(start - margin, start + length + margin, device=samples.device).clamp(0, limit - 1)
            for start, length, limit in zip(
                self.corner, (self.tile.height, self.tile.width), samples.shape[1:], strict=True
            )
        )
        return samples[:, rows[:, None], columns].float() / PEAKS.get(samples.dtype, 1)

    def _strips(self) -> list[range]:
        rows, step = self.tile.interior.rows, max(1, STRIP // self.tile.width)
        return [range(y, min(y + step, rows.stop)) for y in range(rows.start, rows.stop, step)]


def filtered(around: Tensor, logits: Tensor, residual: Tensor) -> Tensor:
    """Applies equation 1 of the paper as one batched product: a pixel's filters times its neighbourhood.

    around: [3, h + 4, w + 4]. logits: [25 * R * R, h, w] and residual: [3 * R * R, h, w], channels as
    `dynamic_upsample` takes them. Returns [3, R * h, R * w], float32.
    """
    height, width = logits.shape[1:]
    subpixels = len(residual) // 3
    filters = logits.float().view(TAPS, subpixels, -1).softmax(0)
    neighbourhood = F.unfold(around[None], 5)[0].view(3, TAPS, -1)
    values = torch.bmm(filters.permute(2, 1, 0), neighbourhood.permute(2, 1, 0))  # [h * w, R * R, 3]
    values = values.permute(2, 1, 0).reshape(-1, height, width) + residual.float()
    return F.pixel_shuffle(values, round(subpixels**0.5))


def _kernel(matrix: Tensor) -> Tensor:
    """Returns a matrix [in, out] as the kernel of a 1x1 convolution."""
    return matrix.t()[:, :, None, None]
