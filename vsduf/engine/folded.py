"""The network as inference runs it: batch norms folded into convolutions, 3x3x3 kernels split into three of 3x3.

Two identities are used. With s a batch norm's slope and b its offset,

    relu(s * x + b) = s * (clamp(x) - t),    t = -b / s,   clamp to [t, inf) if s > 0, to (-inf, t] if s < 0

so BN + ReLU is one clamp, while s and t go into the convolution behind it. And a kernel of three frames is three
kernels of one frame each, whose results are added: a frame's part of its neighbours' results is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vsduf.network.config import BN_EPS, DufConfig
from vsduf.network.weights import Weights

FLAT = 1e30  # an offset so many times its slope leaves no trace of the channel, and a clamp beyond float32
Array = NDArray[Any]
State = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Clamp[A]:
    """BN + ReLU as a clamp of each channel to low..high. padding_value: the clamped value that corresponds to 0."""

    low: A
    high: A
    padding_value: A

    def map[B](self, convert: Callable[[A], B]) -> Clamp[B]:
        """Returns the clamp with every array converted."""
        return Clamp(convert(self.low), convert(self.high), convert(self.padding_value))


@dataclass(frozen=True)
class Block[A]:
    """A dense block. conv1: [F, F], input channel first. conv2: [kt * G, F, 3, 3], the oldest frame's kernel last."""

    clamp: Clamp[A]
    conv1: A
    conv1_bias: A
    conv2: A
    bias: A

    def map[B](self, convert: Callable[[A], B]) -> Block[B]:
        """Returns the block with every array converted."""
        arrays = (convert(values) for values in (self.conv1, self.conv1_bias, self.conv2, self.bias))
        return Block(self.clamp.map(convert), *arrays)


@dataclass(frozen=True)
class Folded[A]:
    """A whole network; every matrix has its input channel first, every 3x3 kernel is torch's [out, in, 3, 3].

    A: the type of its arrays, numpy's of float32 or torch's tensors.
    """

    config: DufConfig
    stem: A
    stem_bias: A
    blocks: tuple[Block[A], ...]
    clamp: Clamp[A]
    merge: A
    merge_bias: A
    heads: A  # [256, 512 + 256]: both heads' first layers, the filters' first
    heads_low: A  # minus the first layers' biases: relu(x + b) = max(x, -b) + b, and b goes into `bias`
    filters: A  # [512, 25 * R * R]
    residual: A  # [256, 3 * R * R]
    bias: A  # [(25 + 3) * R * R]: of the filters' and the residual's channels

    def map[B](self, convert: Callable[[A], B]) -> Folded[B]:
        """Returns the network with every array converted."""
        return Folded(
            config=self.config,
            stem=convert(self.stem),
            stem_bias=convert(self.stem_bias),
            blocks=tuple(block.map(convert) for block in self.blocks),
            clamp=self.clamp.map(convert),
            merge=convert(self.merge),
            merge_bias=convert(self.merge_bias),
            heads=convert(self.heads),
            heads_low=convert(self.heads_low),
            filters=convert(self.filters),
            residual=convert(self.residual),
            bias=convert(self.bias),
        )


FoldedArrays = Folded[NDArray[np.float32]]


def fold(weights: Weights) -> FoldedArrays:
    """Folds a network; computed in double precision, so exact but for the rounding of the results."""
    state = {name: array.astype(np.float64) for name, array in weights.state.items()}
    clamp, merge, merge_bias = _fold_before(state, "norm", "merge")
    heads = ("filter_head", "residual_head")
    hidden = [state[f"{head}.0.bias"] for head in heads]
    filters, residual = (_matrix(state, f"{head}.2") for head in heads)
    folded = Folded(
        config=weights.config,
        stem=state["stem.weight"][:, :, 0],
        stem_bias=state["stem.bias"],
        blocks=tuple(_fold_block(state, k, weights.config) for k in range(weights.config.blocks)),
        clamp=clamp,
        merge=merge[:, :, 0],
        merge_bias=merge_bias,
        heads=np.concatenate([_matrix(state, f"{head}.0") for head in heads], 1),
        heads_low=-np.concatenate(hidden),
        filters=filters,
        residual=residual,
        bias=np.concatenate(
            [state[f"{h}.2.bias"] + b @ last for h, b, last in zip(heads, hidden, (filters, residual), strict=True)]
        ),
    )
    return folded.map(lambda values: np.array(values, np.float32, order="C"))


def _fold_block(state: State, k: int, config: DufConfig) -> Block[Array]:
    clamp, weight, bias = _fold_before(state, f"blocks.{k}.norm1", f"blocks.{k}.conv1")
    slope, offset = _affine(state, f"blocks.{k}.norm2")
    conv1 = (weight[:, :, 0, 0, 0] * slope[:, None]).T
    kernels = state[f"blocks.{k}.conv2.weight"][:, :, ::-1].transpose(2, 0, 1, 3, 4)  # [kt, G, F, 3, 3]: newest first
    conv2 = kernels.reshape(config.kernel_t(k) * config.growth, *kernels.shape[2:])
    return Block(clamp, conv1, bias * slope + offset, conv2, state[f"blocks.{k}.conv2.bias"])


def _fold_before(state: State, norm: str, conv: str) -> tuple[Clamp[Array], Array, Array]:
    """Returns the clamp that replaces BN + ReLU, and weight and bias of the convolution that reads its result."""
    slope, offset = _affine(state, norm)
    flat = np.abs(slope) * FLAT <= np.abs(offset)  # a dead channel is relu(offset): clamped to 1, weighed by it
    zero = np.where(flat, 0.0, -offset / np.where(flat, 1.0, slope))
    low = np.where(slope > 0, zero, np.where(flat, 1.0, -np.inf))
    high = np.where(slope < 0, zero, np.where(flat, 1.0, np.inf))
    gain = np.where(flat, offset.clip(min=0), slope)  # slope < 0 meets clamp(x) - t <= 0: the product is >= 0
    weight = state[f"{conv}.weight"] * gain[:, None, None, None]
    return Clamp(low, high, zero), weight, state[f"{conv}.bias"] - weight.sum((2, 3, 4)) @ zero


def _affine(state: State, norm: str) -> tuple[Array, Array]:
    slope = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + BN_EPS)
    return slope, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * slope


def _matrix(state: State, conv: str) -> Array:
    """Returns a 1x1 convolution as a matrix [in, out]."""
    return state[f"{conv}.weight"][:, :, 0, 0].T
