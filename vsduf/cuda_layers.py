"""The network's arithmetic on a CUDA device: channels last, half precision with sums in float, no pass for any bias.

The large products are cuBLAS's and cuDNN's; what lies between them is in kernels/. A convolution of torch's adds its
bias in a pass of its own, so the stem's and the blocks' biases are left out of the features and move to the reader:

    clamp(x + b, low, high) = clamp(x, low - b, high - b) + b

and what is left of b goes through the matrix behind the clamp into the bias there, which the product adds for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf import cuda
from vsduf.folded import Clamp, Folded
from vsduf.network import DufConfig
from vsduf.tiles import Tile

STRIP = 1 << 16  # pixels of a strip of the heads, which take 3 KB a pixel in half precision
TALLEST = 1 << 15  # rows of a strip
LARGEST = (1 << 31) - 1  # samples of a tensor
HEADS = 256 + 768 + 448  # channels of a strip's pixel, at most


@dataclass(frozen=True)
class Block:
    """bounds: [3, F] float: low, high and what the convolution sees as zero. Else `folded.Block`, on the device."""

    bounds: Tensor
    mix: Tensor
    mix_bias: Tensor
    spread: tuple[Tensor, ...]


@dataclass(frozen=True)
class DeviceNetwork:
    """A folded network as the device computes it: matrices and kernels in its precision, what is added in float."""

    config: DufConfig
    stem: Tensor  # [64, 8 or 4, 3, 3]
    blocks: tuple[Block, ...]
    bounds: Tensor
    merge: Tensor
    merge_bias: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    filters: Tensor
    residual: Tensor
    bias: Tensor
    _kernels: dict[tuple[int, tuple[int, ...]], Tensor] = field(default_factory=dict)

    def kernel(self, block: int, offsets: tuple[int, ...]) -> Tensor:
        """The pieces of a block's 3x3 kernel for those offsets in time."""
        if (block, offsets) not in self._kernels:
            pieces = self.blocks[block].spread
            chosen = torch.cat([pieces[o + len(pieces) // 2] for o in offsets])
            self._kernels[block, offsets] = chosen.contiguous(memory_format=torch.channels_last)
        return self._kernels[block, offsets]


def to_device(folded: Folded, device: torch.device, dtype: torch.dtype) -> DeviceNetwork:
    """dtype: float16 or float32. The sums that move biases are taken in double precision before."""
    biases = torch.cat([folded.stem_bias, *(block.bias for block in folded.blocks)]).double()
    blocks = []
    for block in folded.blocks:
        moved = biases[: len(block.mix)]
        mix_bias = block.mix_bias + moved @ block.mix.double()
        spread = tuple(_kernel(piece, device, dtype) for piece in block.spread.split(folded.config.growth))
        bounds = _bounds(block.clamp, moved).to(device)
        blocks.append(Block(bounds, block.mix.to(device, dtype), mix_bias.to(device, dtype), spread))
    middle = len(folded.filters)
    hidden_bias = -folded.hidden_rest.double()
    added = torch.cat([hidden_bias[:middle] @ folded.filters.double(), hidden_bias[middle:] @ folded.residual.double()])
    filler = cuda.VECTOR // dtype.itemsize - folded.stem.shape[1]
    return DeviceNetwork(
        config=folded.config,
        stem=_kernel(F.pad(folded.stem, (0, 0, 0, 0, 0, filler)), device, dtype),
        blocks=tuple(blocks),
        bounds=_bounds(folded.clamp, biases).to(device),
        merge=_kernel(folded.merge, device, dtype),
        merge_bias=(folded.merge_bias + folded.merge.double().sum((2, 3)) @ biases).to(device, torch.float32),
        hidden=folded.hidden.to(device, dtype),
        hidden_bias=hidden_bias.to(device, dtype),
        filters=folded.filters.to(device, dtype),
        residual=folded.residual.to(device, dtype),
        bias=(folded.bias - added).to(device, torch.float32),  # the heads' first layers keep theirs
    )


class Scratch:
    """Working memory that all tiles of one stream share: what a name stands for is overwritten by its next use."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Uninitialised. MemoryError for more samples than cuDNN can count."""
        size = torch.Size(shape).numel()
        if size > LARGEST:
            raise MemoryError(f"{size} samples are more than one tensor can have")
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers.pop(name, None)  # before the larger one is asked for
            self._buffers[name] = torch.empty(size, device=self.device, dtype=self.dtype)
        return self._buffers[name][:size].view(shape)

    def clear(self) -> None:
        """Gives everything back to torch's allocator."""
        self._buffers.clear()


class CudaLayers:
    """`trunk.Layers` for one tile, and the heads behind the trunk; everything is queued on torch's current stream.

    source: gives a source frame's samples on the device, [3, H, W] of any sample type; `extension`: how many pixels the
    frame had been extended by at every side before tiles were cut.
    """

    def __init__(
        self, network: DeviceNetwork, tile: Tile, extension: int, source: Callable[[int], Tensor], scratch: Scratch
    ) -> None:
        self.network, self.tile, self.source, self.scratch = network, tile, source, scratch
        self.config = network.config
        self.height, self.width = tile.height, tile.width
        self.corner = (tile.top - extension, tile.left - extension)

    def stem(self, frame: int) -> Tensor:
        """See `trunk.Layers`; without its bias, like all features here."""
        window = self.scratch.take("window", self.height, self.width, self.network.stem.shape[1])
        cuda.planes_to_window(window, self.source(frame), *self.corner)
        return cuda.convolve(window, self.network.stem, 1)

    def spread(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `trunk.Layers`."""
        layer = self.network.blocks[block]
        features = len(layer.mix)
        clamped = self.scratch.take("clamped", self.height, self.width, features)
        cuda.join(clamped, inputs, layer.bounds)
        mixed = self.scratch.take("mixed", self.height, self.width, features)
        flat = clamped.view(-1, features)
        torch._addmm_activation(layer.mix_bias, flat, layer.mix, out=mixed.view(-1, features))  # with ReLU, in one call
        return cuda.convolve(mixed, self.network.kernel(block, tuple(offsets)), 1)

    def gather(self, block: int, shares: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `trunk.Layers`."""
        growth = self.config.growth
        share, _ = shares[0]
        if len(shares) == 1 and share.shape[2] == growth:
            return share
        total = torch.empty(self.height, self.width, growth, dtype=share.dtype, device=share.device)
        cuda.gather(total, [share[..., k * growth : (k + 1) * growth] for share, k in shares])
        return total

    def finish(self, inputs: Sequence[Tensor], frame: int, out: Tensor) -> None:
        """Merge, heads and dynamic filters; the tile's own pixels, R times as many each way, go into the picture `out`.

        out: [3, R * H, R * W] for the whole frame, of the source's sample type, rows at a stride that R divides.
        """
        own, scale = self.tile.own, self.config.scale
        around = self.scratch.take("around", self.height + 2, self.width + 2, self.config.features)
        cuda.join(around, inputs, self.network.bounds)
        source = self.source(frame)
        columns = slice(own.left * scale, (own.left + len(own.columns)) * scale)
        for rows in self._strips():
            logits, residual = self._heads(around[rows.start : rows.stop + 2])
            top = (own.top + rows.start - own.rows.start) * scale
            target = out[:, top : top + len(rows) * scale, columns]
            corner = (self.corner[0] + rows.start, self.corner[1])
            cuda.dynamic_filter(target, source, logits, residual, self.network.bias, corner, own.columns)

    def _heads(self, around: Tensor) -> tuple[Tensor, Tensor]:
        """[h + 2, w + 2, F], clamped and padded -> logits [h, w, 25 * R * R] and residual [h, w, 3 * R * R]."""
        network = self.network
        merged = cuda.convolve(around, network.merge, 0)
        cuda.bias_relu(merged, network.merge_bias)
        shape, middle = merged.shape[:2], len(network.filters)
        hidden = self.scratch.take("hidden", shape.numel(), network.hidden.shape[1])
        torch._addmm_activation(network.hidden_bias, merged.flatten(0, 1), network.hidden, out=hidden)
        logits = self.scratch.take("logits", shape.numel(), network.filters.shape[1])
        torch.mm(hidden[:, :middle], network.filters, out=logits)
        residual = self.scratch.take("residual", shape.numel(), network.residual.shape[1])
        torch.mm(hidden[:, middle:], network.residual, out=residual)
        return logits.view(*shape, -1), residual.view(*shape, -1)

    def _strips(self) -> list[range]:
        rows, step = self.tile.own.rows, min(TALLEST, max(1, STRIP // self.width))
        return [range(y, min(y + step, rows.stop)) for y in range(rows.start, rows.stop, step)]


def _bounds(clamp: Clamp, moved: Tensor) -> Tensor:
    """[3, F] float; moved: the biases that the features come without."""
    return (torch.stack([clamp.low, clamp.high, clamp.rest]) - moved).float()


def _kernel(kernel: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return kernel.to(device, dtype).contiguous(memory_format=torch.channels_last)
