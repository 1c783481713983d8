"""The network's arithmetic on the CPU: channels last, one pass where torch would take several.

Pixelwise layers run strip by strip, so that what one writes is still in the cache when the next reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.engine.cpu.dynamic_filter import dynamic_filter
from vsduf.engine.cpu.pixels import add, clamp
from vsduf.engine.cpu.winograd import SIDE, Convolution, convolve, prepare
from vsduf.engine.folded import Clamp, Folded
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import Tile
from vsduf.upscaler import Planes

STRIP, ROWS = 5120, 4  # pixels of a strip, which pixelwise layers take at a time, and its least rows


class CpuNetwork:
    """What all tiles of a picture part: the network as it is computed here, and working memory."""

    def __init__(self, folded: Folded) -> None:
        self.folded, self.config, self.scratch = folded, folded.config, Scratch()
        self.merge = prepare(folded.merge, folded.merge_bias, folded.clamp, relu=True)
        self._conv2: dict[tuple[int, tuple[int, ...]], Convolution] = {}

    def conv2(self, block: int, offsets: tuple[int, ...]) -> Convolution:
        """The pieces of a block's 3x3 kernel for those offsets; the bias goes with offset 0, or is left out."""
        if (block, offsets) not in self._conv2:
            layer = self.folded.blocks[block]
            pieces = layer.conv2.split(self.config.growth)
            first = -(len(pieces) // 2)
            kernel = torch.cat([pieces[o - first] for o in offsets])
            bias = torch.cat([layer.bias if o == 0 else torch.zeros_like(layer.bias) for o in offsets])
            floor = -layer.conv1_bias  # relu(x + b) = max(x, -b) + b, and the convolution is linear
            relu = Clamp(floor, torch.full_like(floor, torch.inf), floor)
            self._conv2[block, offsets] = prepare(kernel, bias - kernel.sum((2, 3)) @ floor, relu)
        return self._conv2[block, offsets]


class CpuTileNetwork:
    """`trunk.Layers` for one tile, and the heads behind the trunk.

    extension: LR pixels by which the frame was extended at every side before tiles were cut.
    """

    def __init__(self, network: CpuNetwork, tile: Tile, extension: int) -> None:
        self.network, self.folded, self.config = network, network.folded, network.config
        self.tile, self.extension = tile, extension
        self.height, self.width = tile.height, tile.width
        self.strips = self._cut_into_strips()

    def stem(self, samples: Planes) -> Tensor:
        """See `trunk.Layers`."""
        inner = planes_to_picture(samples, self.tile, self.extension)[None, :, 2:-2, 2:-2].contiguous(
            memory_format=torch.channels_last
        )
        return _pixels(F.conv2d(inner, self.folded.stem, self.folded.stem_bias, padding=1))

    def partial_sums(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `trunk.Layers`."""
        layer = self.folded.blocks[block]
        features, scratch = len(layer.conv1), self.network.scratch
        mixed = scratch.take("mixed", self.height, self.width, features)
        for rows in self.strips:
            here = slice(rows.start, rows.stop)
            clamped = scratch.take("clamped", len(rows) * self.width, features)
            clamp([piece[here] for piece in inputs], layer.clamp, clamped)
            torch.mm(clamped, layer.conv1, out=mixed[here].view(-1, features))
        by = self.network.conv2(block, tuple(offsets))
        result = torch.empty(self.height, self.width, len(by.bias))
        for rows in self.strips:
            convolve(by, [mixed], rows, result[rows.start : rows.stop], scratch)
        return result

    def accumulate(self, block: int, sums: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `trunk.Layers`."""
        growth = self.config.growth
        pieces = [part[..., k * growth : (k + 1) * growth] for part, k in sums]
        return add(pieces) if len(pieces) > 1 else pieces[0].contiguous()

    def finish(self, inputs: Sequence[Tensor], samples: Planes, picture: Planes) -> None:
        """See `backend.TileNetwork`; float16 pictures are computed in float32."""
        folded, scale = self.folded, self.config.scale
        source = planes_to_picture(samples, self.tile, self.extension)
        interior = self.tile.interior
        rows, columns = (
            slice(start * scale, (start + len(r)) * scale)
            for start, r in ((interior.top, interior.rows), (interior.left, interior.columns))
        )
        target = [plane[rows, columns] for plane in picture]
        out = [np.empty(p.shape, np.float32) for p in target] if target[0].dtype == np.float16 else target
        for strip in self.strips:
            rows_in = range(max(strip.start, interior.rows.start), min(strip.stop, interior.rows.stop))
            if len(rows_in) == 0:
                continue
            logits, residual = self._heads(inputs, rows_in)
            top = (rows_in.start - interior.rows.start) * scale
            lines = [plane[top : top + len(rows_in) * scale] for plane in out]
            around = source[:, rows_in.start : rows_in.stop + 4]
            dynamic_filter(lines, around, logits, residual, folded.bias, interior.columns)
        if out is not target:
            for plane, values in zip(target, out, strict=True):
                plane[...] = values

    def _heads(self, inputs: Sequence[Tensor], rows: range) -> tuple[Tensor, Tensor]:
        folded, scratch = self.folded, self.network.scratch
        count, middle = len(rows) * self.width, len(folded.filters)
        merged = scratch.take("merged", len(rows), self.width, len(folded.heads))
        convolve(self.network.merge, inputs, rows, merged, scratch)
        hidden = self._product("hidden", merged.view(count, -1), folded.heads)
        torch.maximum(hidden, folded.heads_low, out=hidden)
        logits = self._product("logits", hidden[:, :middle], folded.filters)
        residual = self._product("residual", hidden[:, middle:], folded.residual)
        shape = (len(rows), self.width, -1)
        return logits.view(shape), residual.view(shape)

    def _product(self, name: str, pixels: Tensor, by: Tensor) -> Tensor:
        return torch.mm(pixels, by, out=self.network.scratch.take(name, len(pixels), by.shape[1]))

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
