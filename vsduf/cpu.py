"""The network's arithmetic on the CPU: channels last, one pass where torch would take several.

Pixelwise layers run strip by strip, so that what one writes is still in the cache when the next reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.folded import Clamp, Folded
from vsduf.memory import ROWS, STRIP
from vsduf.native_filter import dynamic_filter
from vsduf.tiles import Tile
from vsduf.upscaler import Planes
from vsduf.winograd import SIDE, Convolution, Scratch, add, clamp, convolve, prepare


class CpuNetwork:
    """What all tiles of a picture share: the network as it is computed here, and working memory."""

    def __init__(self, folded: Folded) -> None:
        self.folded, self.config, self.scratch = folded, folded.config, Scratch()
        self.merge = prepare(folded.merge, folded.merge_bias, folded.clamp, relu=True)
        self._spreads: dict[tuple[int, tuple[int, ...]], Convolution] = {}

    def spread(self, block: int, offsets: tuple[int, ...]) -> Convolution:
        """The pieces of a block's 3x3 kernel for those offsets; the bias goes with offset 0, or is left out."""
        if (block, offsets) not in self._spreads:
            layer = self.folded.blocks[block]
            pieces = layer.spread.split(self.config.growth)
            first = -(len(pieces) // 2)
            kernel = torch.cat([pieces[o - first] for o in offsets])
            bias = torch.cat([layer.bias if o == 0 else torch.zeros_like(layer.bias) for o in offsets])
            rest = -layer.mix_bias  # relu(x + b) = max(x, -b) + b, and the convolution is linear
            relu = Clamp(rest, torch.full_like(rest, torch.inf), rest)
            self._spreads[block, offsets] = prepare(kernel, bias - kernel.sum((2, 3)) @ rest, relu)
        return self._spreads[block, offsets]


class CpuLayers:
    """`trunk.Layers` for one tile, and the heads behind the trunk.

    picture: gives a source frame's tile, [3, h + 4, w + 4], float32 RGB in 0..1, with two more pixels at every side.
    """

    def __init__(self, network: CpuNetwork, tile: Tile, picture: Callable[[int, Tile], Tensor]) -> None:
        self.network, self.folded, self.config = network, network.folded, network.config
        self.tile, self.picture = tile, picture
        self.height, self.width = tile.height, tile.width
        self.strips = self._cut_into_strips()

    def stem(self, frame: int) -> Tensor:
        """See `trunk.Layers`."""
        inner = self.picture(frame, self.tile)[None, :, 2:-2, 2:-2].contiguous(memory_format=torch.channels_last)
        return _pixels(F.conv2d(inner, self.folded.stem, self.folded.stem_bias, padding=1))

    def spread(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `trunk.Layers`."""
        layer = self.folded.blocks[block]
        features, scratch = len(layer.mix), self.network.scratch
        mixed = scratch.floats("mixed", self.height, self.width, features)
        for rows in self.strips:
            here = slice(rows.start, rows.stop)
            clamped = scratch.floats("clamped", len(rows) * self.width, features)
            clamp([piece[here] for piece in inputs], layer.clamp, clamped)
            torch.mm(clamped, layer.mix, out=mixed[here].view(-1, features))
        by = self.network.spread(block, tuple(offsets))
        result = torch.empty(self.height, self.width, len(by.bias))
        for rows in self.strips:
            convolve(by, [mixed], rows, result[rows.start : rows.stop], scratch)
        return result

    def gather(self, block: int, shares: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `trunk.Layers`."""
        growth = self.config.growth
        pieces = [share[..., k * growth : (k + 1) * growth] for share, k in shares]
        return add(pieces) if len(pieces) > 1 else pieces[0].contiguous()

    def finish(self, inputs: Sequence[Tensor], frame: int, out: Planes) -> None:
        """Merge, heads and dynamic filters; the tile's own pixels, R times as many each way, go into `out`."""
        folded, scale = self.folded, self.config.scale
        picture = self.picture(frame, self.tile)
        own = self.tile.own
        for rows in self.strips:
            rows = range(max(rows.start, own.rows.start), min(rows.stop, own.rows.stop))
            if len(rows) == 0:
                continue
            logits, residual = self._heads(inputs, rows)
            top = (rows.start - own.rows.start) * scale
            target = [plane[top : top + len(rows) * scale] for plane in out]
            around = picture[:, rows.start : rows.stop + 4]
            dynamic_filter(target, around, logits, residual, folded.bias, own.columns)

    def _heads(self, inputs: Sequence[Tensor], rows: range) -> tuple[Tensor, Tensor]:
        folded, scratch = self.folded, self.network.scratch
        count, middle = len(rows) * self.width, len(folded.filters)
        merged = scratch.floats("merged", len(rows), self.width, len(folded.hidden))
        convolve(self.network.merge, inputs, rows, merged, scratch)
        hidden = self._product("hidden", merged.view(count, -1), folded.hidden)
        torch.maximum(hidden, folded.hidden_rest, out=hidden)
        logits = self._product("logits", hidden[:, :middle], folded.filters)
        residual = self._product("residual", hidden[:, middle:], folded.residual)
        shape = (len(rows), self.width, -1)
        return logits.view(shape), residual.view(shape)

    def _product(self, name: str, pixels: Tensor, by: Tensor) -> Tensor:
        return torch.mm(pixels, by, out=self.network.scratch.floats(name, len(pixels), by.shape[1]))

    def _cut_into_strips(self) -> list[range]:
        step = max(ROWS, STRIP // self.width // SIDE * SIDE)
        return [range(y, min(y + step, self.height)) for y in range(0, self.height, step)]


def planes_to_picture(planes: Planes, tile: Tile, extension: int) -> Tensor:
    """A tile of a frame as [3, h + 4, w + 4] float32; pixels outside the frame read the nearest one inside.

    extension: how many pixels the frame had been extended by at every side before tiles were cut.
    """
    height, width = planes[0].shape
    rows, columns = (
        (np.arange(start - extension - 2, start - extension + length + 2)).clip(0, limit - 1)
        for start, length, limit in ((tile.top, tile.height, height), (tile.left, tile.width, width))
    )
    peak = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(planes[0].dtype, 1)
    picture = np.stack([plane[rows[:, None], columns] for plane in planes]).astype(np.float32)
    if peak != 1:
        picture *= np.float32(1 / peak)
    return torch.from_numpy(picture)


def _pixels(channels: Tensor) -> Tensor:
    """[1, C, H, W] in channels-last memory -> [H, W, C], contiguous."""
    return channels.permute(0, 2, 3, 1)[0].contiguous()
