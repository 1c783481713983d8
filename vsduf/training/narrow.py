"""Takes a narrower network out of a wider one: the channels that later layers weigh most are kept."""

from __future__ import annotations

import torch
from torch import Tensor

from vsduf.network.duf import DufConfig

State = dict[str, Tensor]


def narrowed(state: State, wide: DufConfig, narrow: DufConfig) -> State:
    """Returns the state of a network of `narrow`'s widths, whose remaining channels compute as in the wide network.

    A channel's importance is the norm of the kernels that read it, times the weight of a batch norm before them. The
    last layers keep the wide network's scale.
    """
    kept = _features(state, wide, narrow)
    out = {f"stem.{name}": state[f"stem.{name}"][kept[: narrow.stem]] for name in ("weight", "bias")}
    for k in range(wide.blocks):
        block, inputs = f"blocks.{k}.", kept[: narrow.stem + k * narrow.growth]
        inner = _top(_read(state, f"{block}norm2", f"{block}conv2"), len(inputs))
        first = narrow.stem + k * narrow.growth
        outputs = kept[first : first + narrow.growth] - (wide.stem + k * wide.growth)
        out |= _norm(state, f"{block}norm1", inputs) | _conv(state, f"{block}conv1", inner, inputs)
        out |= _norm(state, f"{block}norm2", inner) | _conv(state, f"{block}conv2", outputs, inner)
    heads = ("filter_head", "residual_head")
    read = torch.cat([state[f"{head}.0.weight"] for head in heads])
    merged = _top(read.flatten(2).norm(dim=(0, 2)), narrow.merge)
    out |= _norm(state, "norm", kept) | _conv(state, "merge", merged, kept)
    for head, width in zip(heads, (narrow.filter_hidden, narrow.residual_hidden), strict=True):
        hidden = _top(state[f"{head}.2.weight"].flatten(2).norm(dim=(0, 2)), width)
        every = torch.arange(len(state[f"{head}.2.weight"]))
        out |= _conv(state, f"{head}.0", hidden, merged) | _conv(state, f"{head}.2", every, hidden)
    return out


def _features(state: State, wide: DufConfig, narrow: DufConfig) -> Tensor:
    """Returns which of the wide network's feature channels are kept: the stem's, then each block's, in order."""
    importance = _read(state, "norm", "merge")
    for k in range(wide.blocks):
        read = _read(state, f"blocks.{k}.norm1", f"blocks.{k}.conv1")
        importance[: len(read)] += read
    pieces = importance.split([wide.stem, *[wide.growth] * wide.blocks])
    starts = [0, *(wide.stem + k * wide.growth for k in range(wide.blocks))]
    counts = [narrow.stem, *[narrow.growth] * wide.blocks]
    return torch.cat([_top(p, n) + start for p, n, start in zip(pieces, counts, starts, strict=True)])


def _read(state: State, norm: str, conv: str) -> Tensor:
    """Returns each input channel's importance to a convolution behind a batch norm."""
    read: Tensor = state[f"{norm}.weight"].abs() * state[f"{conv}.weight"].flatten(2).norm(dim=(0, 2))
    return read


def _top(importance: Tensor, count: int) -> Tensor:
    """Returns the numbers of the most important channels, in ascending order."""
    kept: Tensor = importance.topk(count).indices.sort().values
    return kept


def _norm(state: State, name: str, kept: Tensor) -> State:
    tensors = {key: tensor for key, tensor in state.items() if key.startswith(f"{name}.")}
    return {key: tensor[kept] if tensor.dim() else tensor for key, tensor in tensors.items()}


def _conv(state: State, name: str, outputs: Tensor, inputs: Tensor) -> State:
    weight = state[f"{name}.weight"][outputs][:, inputs]
    return {f"{name}.weight": weight, f"{name}.bias": state[f"{name}.bias"][outputs]}
