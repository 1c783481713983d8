"""Packs a folded network's weights for the native library: channels in strips of 16, filled up with zeros.

Every piece of a layer's input (the stem's channels, a block's new ones) begins a strip of its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vsduf.engine.cpu.library import library
from vsduf.engine.folded import FoldedArrays
from vsduf.network.config import TAPS, DufConfig

Array = NDArray[np.float32]
STRIP = 16  # channels, kStrip of vsduf/native/kernels.h


def strips(*pieces: int) -> int:
    """Returns the number of strips of a concatenation of pieces, given each piece's channels."""
    return sum(-(-channels // STRIP) for channels in pieces)


def widths(config: DufConfig) -> tuple[int, int, int, int, int]:
    """Returns the strips of a network's widest layers, as `vsduf_working_bytes` takes them."""
    subpixels = config.scale**2
    inputs = strips(config.stem, *[config.growth] * config.blocks)
    hidden = strips(config.filter_hidden, config.residual_hidden)
    return inputs, 3 * strips(config.growth), strips(config.merge), hidden, strips(TAPS * subpixels, 3 * subpixels)


def pack(engine: int, folded: FoldedArrays) -> None:
    """Passes the weights to an engine of the library. Raises MemoryError."""
    config = folded.config
    stem = np.zeros((2 * STRIP, strips(config.stem) * STRIP), np.float32)
    stem[:27, : config.stem] = folded.stem.reshape(config.stem, 27).T
    stem[27, : config.stem] = folded.stem_bias
    _call("vsduf_set_stem", engine, stem, strips(config.stem))
    for k in range(config.blocks):
        _pack_block(engine, folded, k)
    inputs, merge, scale = (config.stem, *[config.growth] * config.blocks), (config.merge,), config.scale**2
    clamp = [_spread(t, [(0, inputs)]) for t in (folded.clamp.low, folded.clamp.high, folded.clamp.padding_value)]
    kernel, bias = _spread(folded.merge, [(0, merge), (1, inputs)]), _spread(folded.merge_bias, [(0, merge)])
    _call("vsduf_set_merge", engine, strips(*inputs), strips(*merge), *clamp, kernel, bias)
    hidden, outputs = (config.filter_hidden, config.residual_hidden), (TAPS * scale, 3 * scale)
    _call(
        "vsduf_set_heads", engine, *map(strips, hidden), *map(strips, outputs),
        _spread(folded.heads, [(0, merge), (1, hidden)]), _spread(folded.heads_low, [(0, hidden)]),
        _spread(folded.filters, [(0, hidden[:1]), (1, outputs[:1])]),
        _spread(folded.residual, [(0, hidden[1:]), (1, outputs[1:])]), folded.bias,
    )  # fmt: skip


def _pack_block(engine: int, folded: FoldedArrays, k: int) -> None:
    config, block = folded.config, folded.blocks[k]
    inputs, count = (config.stem, *[config.growth] * k), len(block.conv2) // config.growth
    outputs = (config.growth,) * count
    floor = -block.conv1_bias  # relu(x + b) = max(x, -b) + b, and the convolution is linear
    bias = -(block.conv2.sum((2, 3)) @ floor)
    bias[count // 2 * config.growth :][: config.growth] += block.bias  # the middle one is of the frame itself
    _call(
        "vsduf_add_block", engine, strips(*inputs), strips(*outputs), _spread(block.clamp.low, [(0, inputs)]),
        _spread(block.clamp.high, [(0, inputs)]), _spread(block.conv1, [(0, inputs), (1, inputs)]),
        _spread(floor, [(0, inputs)]), _spread(block.conv2, [(0, outputs), (1, inputs)]), _spread(bias, [(0, outputs)]),
    )  # fmt: skip


def _spread(values: Array, pieces: Sequence[tuple[int, Sequence[int]]]) -> Array:
    """Returns the values with each piece filled up to whole strips. pieces: a dimension, and its pieces' sizes."""
    positions = [np.arange(size) for size in values.shape]
    shape = list(values.shape)
    for dimension, sizes in pieces:
        starts = np.cumsum([0, *(strips(size) * STRIP for size in sizes)])
        positions[dimension] = np.concatenate([start + np.arange(n) for start, n in zip(starts, sizes, strict=False)])
        shape[dimension] = int(starts[-1])
    if shape == list(values.shape):
        return np.ascontiguousarray(values)
    spread = np.zeros(shape, np.float32)
    spread[np.ix_(*positions)] = values
    return spread


def _call(name: str, engine: int, *arguments: Array | int) -> None:
    given = [a if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data) for a in arguments]
    if not getattr(library(), name)(engine, *given):
        raise MemoryError
