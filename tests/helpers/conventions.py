"""Names tensors in the two published conventions: the inverse of `vsduf.network.conventions`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vsduf.network.conventions import NORM, layer_names


def to_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the authors' variables of a state dict: the inverse of `from_authors`."""
    state = dict(state)
    for name in ("residual_head.2.weight", "residual_head.2.bias"):
        state[name] = state[name].unflatten(0, (3, -1)).transpose(0, 1).flatten(0, 1)
    arrays: dict[str, Tensor] = {}
    for ours, scope, _ in layer_names(_blocks(state)):
        if "norm" in ours:
            arrays |= {f"G_{scope}_{v}:0": state[f"{ours}.{k}"] for k, v in NORM.items()}
        else:
            arrays[f"G_{scope}_W:0"] = _five(state[f"{ours}.weight"]).permute(2, 3, 4, 1, 0).contiguous()
            arrays[f"G_{scope}_b:0"] = state[f"{ours}.bias"]
    return arrays


def to_basicsr(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns BasicSR's tensors of a state dict: the inverse of `from_basicsr`."""
    tensors: dict[str, Tensor] = {}
    for ours, _, theirs in layer_names(_blocks(state)):
        for name in NORM if "norm" in ours else ("weight", "bias"):
            tensor = state[f"{ours}.{name}"]
            tensors[f"{theirs}.{name}"] = _five(tensor) if name == "weight" and "norm" not in ours else tensor
    return tensors


def _five(weight: Tensor) -> Tensor:
    return weight.unsqueeze(2) if weight.dim() == 4 else weight


def _blocks(state: Mapping[str, Tensor]) -> int:
    return sum(name.endswith(".conv2.weight") for name in state)
