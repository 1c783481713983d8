"""The two published conventions of naming DUF's tensors, and the permutation that the authors' residual needs."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vsduf.errors import WeightsError
from vsduf.upscaler import RADIUS

if TYPE_CHECKING:
    from torch import Tensor

Arrays = dict[str, NDArray[np.float32]]

# vsduf's name: (the authors' scope, BasicSR's module)
ENDS = {
    "stem": ("conv1", "conv3d1"),
    "norm": ("fbn1", "bn3d2"),
    "merge": ("conv2", "conv3d2"),
    "residual_head.0": ("rconv1", "conv3d_r1"),
    "residual_head.2": ("rconv2", "conv3d_r2"),
    "filter_head.0": ("fconv1", "conv3d_f1"),
    "filter_head.2": ("fconv2", "conv3d_f2"),
}
# of a dense block, vsduf's name: (the authors' scope, BasicSR's index in its Sequential)
PARTS = {"norm1": ("Rbn{}a", 0), "conv1": ("Rconv{}a", 2), "norm2": ("Rbn{}b", 3), "conv2": ("Rconv{}b", 5)}
# of a batch norm, vsduf's name and BasicSR's, which are torch's: the authors' variable
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving__mean", "running_var": "moving__variance"}
COMPRESSION = 8  # a file's tensors are at most so many times as large as the file; weights hardly shrink when packed


def layer_names(blocks: int) -> Iterator[tuple[str, str, str]]:
    """Yields vsduf's, the authors' and BasicSR's name of every layer of a network with that many dense blocks."""
    for ours, (authors, basicsr) in ENDS.items():
        yield ours, authors, basicsr
    for k in range(blocks):
        reducing = k - (blocks - RADIUS)
        place = f"dense_block1.dense_blocks.{k}" if reducing < 0 else f"dense_block2.temporal_reduce{reducing + 1}"
        for part, (authors, index) in PARTS.items():
            yield f"blocks.{k}.{part}", authors.format(k + 1), f"{place}.{index}"


def from_authors(arrays: Arrays, path: Path) -> Arrays:
    """Returns vsduf's state from the authors' variables.

    arrays: W is [kt, kh, kw, in, out], a residual channel is subpixel * 3 + colour. path: of the file, for the message.
    Raises WeightsError naming the first variable that is missing or has another number of axes.
    """
    blocks = sum(bool(re.fullmatch(r"G_Rconv\d+a_W:0", name)) for name in arrays)
    state: Arrays = {}
    for ours, scope, _ in layer_names(blocks):
        if "norm" in ours:
            state |= {f"{ours}.{k}": _take(arrays, f"G_{scope}_{v}:0", 1, path) for k, v in NORM.items()}
        else:
            kernel = _take(arrays, f"G_{scope}_W:0", 5, path)
            state[f"{ours}.weight"] = kernel.transpose(4, 3, 0, 1, 2)
            state[f"{ours}.bias"] = _take(arrays, f"G_{scope}_b:0", 1, path)
    for name in ("residual_head.2.weight", "residual_head.2.bias"):
        if len(state[name]) == 0 or len(state[name]) % 3:
            raise WeightsError(f"{path} has {len(state[name])} residual channels, which are not three colours")
        state[name] = _colours_first(state[name])
    return _flat_heads(state)


def from_basicsr(tensors: Mapping[str, NDArray[np.float32] | None], path: Path) -> Arrays:
    """Returns vsduf's state from BasicSR's, whose channels have vsduf's order; raises as `from_authors`."""
    blocks = RADIUS + len({m[1] for n in tensors if (m := re.match(r"dense_block1\.dense_blocks\.(\d+)\.", n))})
    state: Arrays = {}
    for ours, _, theirs in layer_names(blocks):
        for name in NORM if "norm" in ours else ("weight", "bias"):
            axes = 5 if name == "weight" and "norm" not in ours else 1
            state[f"{ours}.{name}"] = _take(tensors, f"{theirs}.{name}", axes, path)
    return _flat_heads(state)


def open_hdf5(path: Path) -> Arrays:
    """Reads every dataset of the group `params`, as float32; raises WeightsError for a damaged or foreign file.

    Raises WeightsError, too, where the package h5py is missing.
    """
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(f"reading {path} needs the package h5py; pip install 'vsduf[hdf5]'") from error
    try:
        with h5py.File(path) as file:
            items = file["params"].items()
            datasets = {str(name): item for name, item in items if isinstance(item, h5py.Dataset)}
            _check_size(sum(item.size * item.dtype.itemsize for item in datasets.values()), path)
            return {name: np.asarray(item.astype(np.float32)[()]) for name, item in datasets.items()}
    except WeightsError:
        raise
    except Exception as error:  # damaged files raise OSError, KeyError, RuntimeError, TypeError, ValueError and others
        raise WeightsError(f"{path} is damaged or not one of the DUF authors' files; get it again") from error


def open_pth(path: Path) -> dict[str, NDArray[np.float32] | None]:
    """Reads the tensors of a torch file, or those of its entry `params`; raises WeightsError for any other file.

    None stands for a tensor that is not dense or not of floating-point numbers.
    """
    import torch

    _check_size(_unpacked(path), path)
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
        loaded = loaded.get("params", loaded)
        tensors = {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    except Exception as error:  # damaged files raise RuntimeError, UnpicklingError, EOFError, KeyError and many others
        raise WeightsError(f"{path} is damaged or not a torch weights file; get it again") from error
    _check_size(sum(math.prod(v.shape) * v.element_size() for v in tensors.values()), path)
    return {name: _array(tensor) for name, tensor in tensors.items()}


def _array(tensor: Tensor) -> NDArray[np.float32] | None:
    import torch

    if tensor.layout != torch.strided or not tensor.is_floating_point() or tensor.is_quantized:
        return None
    array: NDArray[np.float32] = tensor.detach().float().numpy()
    return array


def _unpacked(path: Path) -> int:
    """Returns the bytes that a ZIP file states for its entries, 0 for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0


def _check_size(stated: int, path: Path) -> None:
    """Refuses a file whose tensors cannot come from its bytes, before memory is taken for them."""
    size = path.stat().st_size
    if stated > COMPRESSION * size:
        raise WeightsError(f"{path} states {stated} bytes of weights, but has {size} bytes; get it again")


def _take(arrays: Mapping[str, NDArray[np.float32] | None], name: str, axes: int, path: Path) -> NDArray[np.float32]:
    if name not in arrays:
        raise WeightsError(f"{path} has no {name}, so it is not a DUF network; name another file")
    array = arrays[name]
    if array is None:
        raise WeightsError(f"{path}: {name} is not a dense floating-point tensor; name another file")
    if array.ndim != axes:
        raise WeightsError(f"{path}: {name} has {array.ndim} axes instead of {axes}; name another file")
    return array


def _flat_heads(state: Arrays) -> Arrays:
    """Returns the state with the heads' 1x1x1 kernels as 1x1 kernels."""
    return {
        k: v.reshape(*v.shape[:2], math.prod(v.shape[2:]), 1) if "_head" in k and v.ndim == 5 else v
        for k, v in state.items()
    }


def _colours_first(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns values whose first axis was subpixel * 3 + colour in the order colour * R * R + subpixel."""
    return values.reshape(len(values) // 3, 3, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)
