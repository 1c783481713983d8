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
from vsduf.native_filter import dynamic_filter
from vsduf.tiles import Tile
from vsduf.upscaler import Planes

STRIP = 4800  # pixels of a strip: its 768 hidden channels are 15 MB, its 400 logits 8 MB


class CpuLayers:
    """`trunk.Layers` for one tile, and the heads behind the trunk.

    picture: gives a source frame's tile, [3, h + 4, w + 4], float32 RGB in 0..1, with two more pixels at every side.
    """

    def __init__(self, folded: Folded, tile: Tile, picture: Callable[[int, Tile], Tensor]) -> None:
        self.folded, self.tile, self.picture = folded, tile, picture
        self.config = folded.config
        self.height, self.width = tile.height, tile.width
        self.strips = self._cut_into_strips()
        widest, longest = folded.config.features, max(map(len, self.strips)) * self.width
        self._clamped = torch.empty(longest, widest)
        self._mixed = torch.empty(self.height * self.width * (widest - folded.config.growth))
        self._padded = folded.clamp.rest.expand(self.height + 2, self.width + 2, widest).clone()
        self._hidden, self._logits, self._residual = (
            torch.empty(longest, m.shape[1]) for m in (folded.hidden, folded.filters, folded.residual)
        )
        self._kernels: dict[tuple[int, tuple[int, ...]], tuple[Tensor, Tensor]] = {}

    def stem(self, frame: int) -> Tensor:
        """See `trunk.Layers`."""
        inner = self.picture(frame, self.tile)[None, :, 2:-2, 2:-2].contiguous(memory_format=torch.channels_last)
        return _pixels(F.conv2d(inner, self.folded.stem, self.folded.stem_bias, padding=1))

    def spread(self, block: int, inputs: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """See `trunk.Layers`."""
        layer = self.folded.blocks[block]
        features = len(layer.mix)
        mixed = self._mixed[: self.height * self.width * features].view(self.height, self.width, features)
        for rows in self.strips:
            here = slice(rows.start, rows.stop)
            clamped = self._clamped[: len(rows) * self.width, :features]
            _clamp(inputs, here, layer.clamp, clamped.unflatten(0, (-1, self.width)))
            torch.addmm(layer.mix_bias, clamped, layer.mix, out=mixed[here].view(-1, features)).relu_()
        kernel, bias = self._kernel(block, tuple(offsets))
        return _pixels(F.conv2d(_channels(mixed), kernel, bias, padding=1))

    def gather(self, block: int, shares: Sequence[tuple[Tensor, int]]) -> Tensor:
        """See `trunk.Layers`."""
        growth = self.config.growth
        pieces = [share[..., k * growth : (k + 1) * growth] for share, k in shares]
        if len(pieces) == 1:
            return pieces[0]
        total = pieces[0] + pieces[1]
        for piece in pieces[2:]:
            total += piece
        return total

    def finish(self, inputs: Sequence[Tensor], frame: int, out: Planes) -> None:
        """Merge, heads and dynamic filters; the tile's own pixels, R times as many each way, go into `out`."""
        folded, scale = self.folded, self.config.scale
        picture = self.picture(frame, self.tile)
        _clamp(inputs, slice(None), folded.clamp, self._padded[1:-1, 1:-1])
        own = self.tile.own
        for rows in self.strips:
            rows = range(max(rows.start, own.rows.start), min(rows.stop, own.rows.stop))
            if len(rows) == 0:
                continue
            logits, residual = self._heads(rows)
            top = (rows.start - own.rows.start) * scale
            target = [plane[top : top + len(rows) * scale] for plane in out]
            around = picture[:, rows.start : rows.stop + 4]
            dynamic_filter(target, around, logits, residual, folded.bias, own.columns)

    def _heads(self, rows: range) -> tuple[Tensor, Tensor]:
        folded = self.folded
        count, middle = len(rows) * self.width, len(folded.filters)
        around = _channels(self._padded[rows.start : rows.stop + 2])
        merged = _pixels(F.conv2d(around, folded.merge, folded.merge_bias).relu_())
        hidden = torch.mm(merged.flatten(0, 1), folded.hidden, out=self._hidden[:count])
        torch.maximum(hidden, folded.hidden_rest, out=hidden)
        logits = torch.mm(hidden[:, :middle], folded.filters, out=self._logits[:count])
        residual = torch.mm(hidden[:, middle:], folded.residual, out=self._residual[:count])
        shape = (len(rows), self.width, -1)
        return logits.view(shape), residual.view(shape)

    def _kernel(self, block: int, offsets: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The pieces of a block's 3x3 kernel for those offsets; the bias goes with offset 0, or is left out."""
        if (block, offsets) not in self._kernels:
            layer = self.folded.blocks[block]
            pieces = layer.spread.split(self.config.growth)
            first = -(len(pieces) // 2)
            kernel = torch.cat([pieces[o - first] for o in offsets])
            bias = torch.cat([layer.bias if o == 0 else torch.zeros_like(layer.bias) for o in offsets])
            self._kernels[block, offsets] = kernel.contiguous(memory_format=torch.channels_last), bias
        return self._kernels[block, offsets]

    def _cut_into_strips(self) -> list[range]:
        step = max(1, STRIP // self.width)
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


def _clamp(inputs: Sequence[Tensor], rows: slice, clamp: Clamp, out: Tensor) -> None:
    """BN + ReLU of the pieces of a block's input, which are joined on the way."""
    start = 0
    for piece in inputs:
        stop = start + piece.shape[-1]
        torch.clamp(piece[rows], clamp.low[start:stop], clamp.high[start:stop], out=out[..., start:stop])
        start = stop


def _channels(pixels: Tensor) -> Tensor:
    """[H, W, C] -> [1, C, H, W] in channels-last memory, without a copy."""
    return pixels[None].permute(0, 3, 1, 2)


def _pixels(channels: Tensor) -> Tensor:
    """[1, C, H, W] in channels-last memory -> [H, W, C], contiguous."""
    return channels.permute(0, 2, 3, 1)[0].contiguous()
