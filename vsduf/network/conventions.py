"""The two published conventions of naming DUF's tensors, and the one permutation that the authors' residual needs."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsduf.errors import WeightsError
from vsduf.upscaler import RADIUS

# our name -> (the authors' scope, BasicSR's module)
ENDS = {
    "stem": ("conv1", "conv3d1"),
    "norm": ("fbn1", "bn3d2"),
    "merge": ("conv2", "conv3d2"),
    "residual_head.0": ("rconv1", "conv3d_r1"),
    "residual_head.2": ("rconv2", "conv3d_r2"),
    "filter_head.0": ("fconv1", "conv3d_f1"),
    "filter_head.2": ("fconv2", "conv3d_f2"),
}
# the parts of a dense block: our name -> (the authors' scope, BasicSR's place in its Sequential)
PARTS = {"norm1": ("Rbn{}a", 0), "conv1": ("Rconv{}a", 2), "norm2": ("Rbn{}b", 3), "conv2": ("Rconv{}b", 5)}
# our tensor of a batch norm -> the authors' variable; BasicSR's names are torch's, as ours are
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving__mean", "running_var": "moving__variance"}


def layer_names(blocks: int) -> Iterator[tuple[str, str, str]]:
    """(ours, the authors', BasicSR's) names of every layer of a network with so many blocks."""
    for ours, (authors, basicsr) in ENDS.items():
        yield ours, authors, basicsr
    for k in range(blocks):
        reducing = k - (blocks - RADIUS)
        place = f"dense_block1.dense_blocks.{k}" if reducing < 0 else f"dense_block2.temporal_reduce{reducing + 1}"
        for part, (authors, index) in PARTS.items():
            yield f"blocks.{k}.{part}", authors.format(k + 1), f"{place}.{index}"


def from_authors(arrays: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Our state dict from the authors' variables: W is [kt, kh, kw, in, out], residual channel = subpixel * 3 + colour.

    Raises WeightsError naming the first variable that is missing.
    """
    blocks = sum(bool(re.fullmatch(r"G_Rconv\d+a_W:0", name)) for name in arrays)
    state: dict[str, Tensor] = {}
    for ours, scope, _ in layer_names(blocks):
        if "norm" in ours:
            state |= {f"{ours}.{k}": _take(arrays, f"G_{scope}_{v}:0", path) for k, v in NORM.items()}
        else:
            kernel = _take(arrays, f"G_{scope}_W:0", path)
            state[f"{ours}.weight"] = kernel.permute(4, 3, 0, 1, 2).contiguous()
            state[f"{ours}.bias"] = _take(arrays, f"G_{scope}_b:0", path)
    for name in ("residual_head.2.weight", "residual_head.2.bias"):
        state[name] = state[name].unflatten(0, (-1, 3)).transpose(0, 1).flatten(0, 1).contiguous()
    return _flat_heads(state)


def from_basicsr(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Our state dict from BasicSR's, whose channels are in our order already. Raises WeightsError as `from_authors`."""
    blocks = RADIUS + len({m[1] for n in tensors if (m := re.match(r"dense_block1\.dense_blocks\.(\d+)\.", n))})
    state: dict[str, Tensor] = {}
    for ours, _, theirs in layer_names(blocks):
        for name in NORM if "norm" in ours else ("weight", "bias"):
            state[f"{ours}.{name}"] = _take(tensors, f"{theirs}.{name}", path)
    return _flat_heads(state)


def open_hdf5(path: Path) -> dict[str, Tensor]:
    """Every dataset of the group `params`; raises WeightsError for a damaged or foreign file, or without h5py."""
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(f"reading {path} takes h5py; pip install 'vsduf[hdf5]'") from error
    try:
        with h5py.File(path) as file:
            group = file["params"]
            return {name: torch.from_numpy(group[name][()]) for name in group}
    except (OSError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is damaged or not one of the DUF authors' files; get it again") from error


def open_pth(path: Path) -> dict[str, Tensor]:
    """The tensors of a torch file, below `params` if it has that; raises WeightsError for a damaged or foreign file."""
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
        loaded = loaded.get("params", loaded)
        return {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or no torch weights file; get it again") from error


def _take(tensors: Mapping[str, Tensor], name: str, path: Path) -> Tensor:
    if name not in tensors:
        raise WeightsError(f"{path} has no {name}, so it is not a DUF network; name another file")
    return tensors[name]


def _flat_heads(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The heads' 1x1x1 kernels as the 1x1 that they are."""
    return {k: v.flatten(2)[..., None] if "_head" in k and v.dim() == 5 else v for k, v in state.items()}
