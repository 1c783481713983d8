"""The network's arithmetic on a CUDA device: channels last, half precision with sums in float, no separate bias kernel.

cuBLAS and cuDNN compute the products and convolutions; the kernels of kernels/ compute the rest. A convolution of
torch's adds its bias in a pass of its own, so the biases of the stem and the blocks are left out of the features and
move into the clamp that reads them:

    clamp(x + b, low, high) = clamp(x, low - b, high - b) + b

The remaining b goes through the matrix behind the clamp into the bias there, which the product adds at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.engine.cuda import launchers
from vsduf.engine.folded import Clamp, FoldedArrays
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import Tile
from vsduf.network.config import TAPS, DufConfig

STRIP, LONG_STRIP = 1 << 16, 1 << 17  # pixels of a strip of the heads, which take 3 KB a pixel in half precision
LARGE = 32 << 30  # bytes; devices with more have many processors: long strips are 1 to 2 % faster there, computed
TALLEST = 1 << 15  # rows of a strip
NARROW = 16  # output channels up to which a 3x3 convolution is computed as a product and shift_add
NARROW_INPUT = 128  # input channels below which shift_add moves more bytes than it saves; both computed, not measured


def strip_pixels(memory: int) -> int:
    """Returns the pixels of a strip on a device of `memory` bytes."""
    return LONG_STRIP if memory >= LARGE else STRIP


def strip_bytes(dtype: torch.dtype, strip: int, config: DufConfig, width: int) -> int:
    """Returns the bytes of a strip for tiles of that width: merge, hidden layers, logits and residual."""
    channels = config.merge + config.filter_hidden + config.residual_hidden + (TAPS + 3) * config.scale**2
    return max(strip, width) * channels * dtype.itemsize


@dataclass(frozen=True)
class Block:
    """bounds: [3, F] float: low, high and padding value of the clamp. Other fields as in `folded.Block`."""

    bounds: Tensor
    conv1: Tensor
    conv1_bias: Tensor
    conv2: tuple[Tensor, ...]


@dataclass(frozen=True)
class DeviceNetwork:
    """A folded network on the device: matrices and kernels in its precision, biases of the own kernels in float."""

    config: DufConfig
    stem: Tensor  # [stem, 8 or 4, 3, 3]
    blocks: tuple[Block, ...]
    bounds: Tensor
    merge: Tensor
    merge_bias: Tensor
    heads: Tensor
    heads_bias: Tensor
    filters: Tensor
    residual: Tensor
    bias: Tensor
    strip: int  # pixels of a strip of merge and heads
    _kernels: dict[tuple[int, tuple[int, ...]], Tensor] = field(default_factory=dict)
    _taps: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def kernel(self, block: int, offsets: tuple[int, ...]) -> Tensor:
        """Returns the rows of a block's 3x3 kernel for those time offsets, [len(offsets) * G, F, 3, 3]."""
        if (block, offsets) not in self._kernels:
            pieces = self.blocks[block].conv2
            chosen = torch.cat([pieces[o + len(pieces) // 2] for o in offsets])
            self._kernels[block, offsets] = chosen.contiguous(memory_format=torch.channels_last)
        return self._kernels[block, offsets]

    def taps(self, block: int, offset: int) -> Tensor:
        """Returns the same kernel for one time offset as a matrix [F, 9 * G], column = tap * G + channel."""
        if (block, offset) not in self._taps:
            kernel = self.kernel(block, (offset,))
            self._taps[block, offset] = kernel.permute(1, 2, 3, 0).flatten(1).contiguous()
        return self._taps[block, offset]


def to_device(arrays: FoldedArrays, device: torch.device, dtype: torch.dtype, strip: int = STRIP) -> DeviceNetwork:
    """Copies a folded network to the device. dtype: float16 or float32; moved biases are summed in double precision."""
    folded = arrays.map(torch.from_numpy)
    biases = torch.cat([folded.stem_bias, *(block.bias for block in folded.blocks)]).double()
    blocks = []
    for block in folded.blocks:
        moved = biases[: len(block.conv1)]
        conv1_bias = block.conv1_bias + moved @ block.conv1.double()
        conv2 = tuple(_kernel(piece, device, dtype) for piece in block.conv2.split(folded.config.growth))
        bounds = _bounds(block.clamp, moved).to(device)
        blocks.append(Block(bounds, block.conv1.to(device, dtype), conv1_bias.to(device, dtype), conv2))
    middle = len(folded.filters)
    heads_bias = -folded.heads_low.double()
    added = torch.cat([heads_bias[:middle] @ folded.filters.double(), heads_bias[middle:] @ folded.residual.double()])
    filler = launchers.VECTOR // dtype.itemsize - folded.stem.shape[1]
    return DeviceNetwork(
        config=folded.config,
        stem=_kernel(F.pad(folded.stem, (0, 0, 0, 0, 0, filler)), device, dtype),
        blocks=tuple(blocks),
        bounds=_bounds(folded.clamp, biases).to(device),
        merge=_kernel(folded.merge, device, dtype),
        merge_bias=(folded.merge_bias + folded.merge.double().sum((2, 3)) @ biases).to(device, torch.float32),
        heads=folded.heads.to(device, dtype),
        heads_bias=heads_bias.to(device, dtype),
        filters=folded.filters.to(device, dtype),
        residual=folded.residual.to(device, dtype),
        strip=strip,
        bias=(folded.bias - added).to(
            device, torch.float32
        ),  # the hidden layers add their bias themselves, so it is removed
    )


class CudaTileNetwork:
    """See `backend.TileNetwork`; all work is queued on torch's current stream.

    extension: LR pixels by which the frame was extended at every side before tiles were cut. Features come without
    their bias.
    """

    def __init__(self, network: DeviceNetwork, tile: Tile, extension: int, scratch: Scratch) -> None:
        self.network, self.tile, self.scratch = network, tile, scratch
        self.config = network.config
        self.height, self.width = tile.height, tile.width
        self.corner = (tile.top - extension, tile.left - extension)

    def stem(self, samples: Tensor) -> Tensor:
        """See `backend.TileNetwork`. samples: [3, H, W] of any sample type."""
        window = self.scratch.take("window", self.height, self.width, self.network.stem.shape[1])
        launchers.planes_to_window(window, samples, *self.corner)
        return launchers.convolve(window, self.network.stem, 1)

    def partial_sums(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `backend.TileNetwork`."""
        layer = self.network.blocks[block]
        features = len(layer.conv1)
        clamped = self.scratch.take("clamped", self.height, self.width, features)
        launchers.join(clamped, inputs, layer.bounds)
        hidden = self.scratch.take("hidden", self.height, self.width, features)
        launchers.matmul_relu(hidden.view(-1, features), layer.conv1_bias, clamped.view(-1, features), layer.conv1)
        if len(offsets) > 1 or features < NARROW_INPUT or self.config.growth > NARROW:
            return launchers.convolve(hidden, self.network.kernel(block, tuple(offsets)), 1)
        taps = self.network.taps(block, offsets[0])
        product = self.scratch.take("around", self.height, self.width, taps.shape[1])
        launchers.matmul(product.view(-1, taps.shape[1]), hidden.view(-1, features), taps)
        sums = torch.empty(self.height, self.width, self.config.growth, dtype=product.dtype, device=product.device)
        launchers.shift_add(sums, product)
        return sums

    def accumulate(self, block: int, sums: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `backend.TileNetwork`."""
        growth = self.config.growth
        part, _ = sums[0]
        if len(sums) == 1 and part.shape[2] == growth:
            return part
        total = torch.empty(self.height, self.width, growth, dtype=part.dtype, device=part.device)
        launchers.accumulate(total, sums)
        return total

    def finish(self, inputs: Sequence[Tensor], samples: Tensor, picture: Tensor) -> None:
        """See `backend.TileNetwork`. picture: of the source's sample type, rows at a stride that R divides."""
        interior, scale = self.tile.interior, self.config.scale
        around = self.scratch.take("around", self.height + 2, self.width + 2, self.config.features)
        launchers.join(around, inputs, self.network.bounds)
        columns = slice(interior.left * scale, (interior.left + len(interior.columns)) * scale)
        for rows in self._strips():
            logits, residual = self._heads(around[rows.start : rows.stop + 2])
            top = (interior.top + rows.start - interior.rows.start) * scale
            target = picture[:, top : top + len(rows) * scale, columns]
            corner = (self.corner[0] + rows.start, self.corner[1])
            launchers.dynamic_filter(target, samples, logits, residual, self.network.bias, corner, interior.columns)

    def _heads(self, around: Tensor) -> tuple[Tensor, Tensor]:
        """[h + 2, w + 2, F], clamped and padded -> logits [h, w, 25 * R * R] and residual [h, w, 3 * R * R]."""
        network = self.network
        merged = launchers.convolve(around, network.merge, 0)
        launchers.bias_relu(merged, network.merge_bias)
        shape, middle = merged.shape[:2], len(network.filters)
        hidden = self.scratch.take("heads", shape.numel(), network.heads.shape[1])
        launchers.matmul_relu(hidden, network.heads_bias, merged.flatten(0, 1), network.heads)
        logits = self.scratch.take("logits", shape.numel(), network.filters.shape[1])
        launchers.matmul(logits, hidden[:, :middle], network.filters)
        residual = self.scratch.take("residual", shape.numel(), network.residual.shape[1])
        launchers.matmul(residual, hidden[:, middle:], network.residual)
        return logits.view(*shape, -1), residual.view(*shape, -1)

    def _strips(self) -> list[range]:
        rows, step = self.tile.interior.rows, min(TALLEST, max(1, self.network.strip // self.width))
        return [range(y, min(y + step, rows.stop)) for y in range(rows.start, rows.stop, step)]


def _bounds(clamp: Clamp[Tensor], moved: Tensor) -> Tensor:
    """Returns a clamp as [3, F] float. moved: the biases that the features come without."""
    return (torch.stack([clamp.low, clamp.high, clamp.padding_value]) - moved).float()


def _kernel(kernel: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return kernel.to(device, dtype).contiguous(memory_format=torch.channels_last)
