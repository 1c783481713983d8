"""The network as inference runs it: batch norms folded into convolutions, 3x3x3 kernels split into three of 3x3.

Two identities are used. With s a batch norm's slope and b its offset,

    relu(s * x + b) = s * (clamp(x) - t),    t = -b / s,   clamp to [t, inf) if s > 0, to (-inf, t] if s < 0

so BN + ReLU is one clamp, while s and t go into the convolution behind it. And a kernel of three frames is three
kernels of one frame each, whose results are added: a frame's part of its neighbours' results is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vsduf.network.duf import BN_EPS, DenseBlock, Duf, DufConfig


@dataclass(frozen=True)
class Clamp:
    """BN + ReLU as a clamp of each channel to low..high. padding_value: the clamped value that corresponds to 0."""

    low: Tensor
    high: Tensor
    padding_value: Tensor


@dataclass(frozen=True)
class Block:
    """A dense block. conv1: [F, F], input channel first. conv2: [kt * G, F, 3, 3], the oldest frame's kernel last."""

    clamp: Clamp
    conv1: Tensor
    conv1_bias: Tensor
    conv2: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Folded:
    """A whole network; every matrix has its input channel first, every 3x3 kernel is torch's [out, in, 3, 3]."""

    config: DufConfig
    stem: Tensor
    stem_bias: Tensor
    blocks: tuple[Block, ...]
    clamp: Clamp
    merge: Tensor
    merge_bias: Tensor
    heads: Tensor  # [256, 512 + 256]: both heads' first layers, the filters' first
    heads_low: Tensor  # minus the first layers' biases: relu(x + b) = max(x, -b) + b, and b goes into `bias`
    filters: Tensor  # [512, 25 * R * R]
    residual: Tensor  # [256, 3 * R * R]
    bias: Tensor  # [(25 + 3) * R * R]: of the filters' and the residual's channels


@torch.no_grad()
def fold(network: Duf) -> Folded:
    """Folds a network in evaluation mode; exact but for rounding."""
    merge_clamp, merge, merge_bias = _fold_before(network.norm, network.merge.weight.data, network.merge.bias)
    first, last = zip(*((head[0], head[2]) for head in (network.filter_head, network.residual_head)), strict=True)
    return Folded(
        config=network.config,
        stem=network.stem.weight[:, :, 0].clone(),
        stem_bias=_bias(network.stem.bias),
        blocks=tuple(_fold_block(block) for block in network.blocks if isinstance(block, DenseBlock)),
        clamp=merge_clamp,
        merge=merge[:, :, 0].contiguous(memory_format=torch.channels_last),
        merge_bias=merge_bias,
        heads=torch.cat([_matrix(c) for c in first], 1),
        heads_low=-torch.cat([_bias(c.bias) for c in first]),
        filters=_matrix(last[0]),
        residual=_matrix(last[1]),
        bias=torch.cat([_bias(b.bias) + _bias(a.bias) @ _matrix(b) for a, b in zip(first, last, strict=True)]),
    )


def _fold_block(block: DenseBlock) -> Block:
    clamp, weight, bias = _fold_before(block.norm1, block.conv1.weight, block.conv1.bias)
    slope, offset = _affine(block.norm2)
    conv1 = (weight.flatten(1) * slope[:, None]).t().contiguous()
    kernels = block.conv2.weight.flip(2).permute(2, 0, 1, 3, 4)  # [kt, G, F, 3, 3]: the newest frame's result first
    return Block(clamp, conv1, bias * slope + offset, kernels.flatten(0, 1).contiguous(), _bias(block.conv2.bias))


def _fold_before(norm: nn.BatchNorm3d, weight: Tensor, bias: Tensor | None) -> tuple[Clamp, Tensor, Tensor]:
    """Returns the clamp that replaces BN + ReLU, and weight and bias of the convolution that reads its result."""
    slope, offset = _affine(norm)
    flat = slope == 0  # a dead channel is the constant relu(offset): clamped to 1, weighed by it
    zero = torch.where(flat, torch.zeros_like(slope), -offset / torch.where(flat, torch.ones_like(slope), slope))
    low = torch.where(slope > 0, zero, torch.where(flat, 1.0, -torch.inf))
    high = torch.where(slope < 0, zero, torch.where(flat, 1.0, torch.inf))
    gain = torch.where(flat, offset.clamp(min=0), slope)  # slope < 0 meets clamp(x) - t <= 0: the product is >= 0
    weight = weight * gain.view(1, -1, *[1] * (weight.dim() - 2))
    summed = weight.flatten(2).sum(2)
    return Clamp(low, high, zero), weight, _bias(bias) - summed @ zero


def _affine(norm: nn.BatchNorm3d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    slope = norm.weight / torch.sqrt(norm.running_var + BN_EPS)
    return slope, norm.bias - norm.running_mean * slope


def _matrix(conv: nn.Module) -> Tensor:
    assert isinstance(conv, nn.Conv2d)
    return conv.weight.flatten(1).t().contiguous()


def _bias(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias.detach().clone()
