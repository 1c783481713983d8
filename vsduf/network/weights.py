"""Weights: vsduf's own files (.safetensors), the DUF authors' (.h5) and BasicSR's (.pth)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vsduf.errors import WeightsError
from vsduf.network import catalogue, conventions
from vsduf.network.duf import Duf, DufConfig
from vsduf.network.header import FORMAT, config_of, read_safetensors, siting_of
from vsduf.output import write_whole
from vsduf.siting import Siting

LARGEST = 1e8  # magnitude of a weight; above any trained network's, and small enough for finite pictures


@dataclass(frozen=True)
class Weights:
    """A network's tensors, float32, under the names that `Duf` gives them, and the file's metadata.

    metadata: siting ("center" or "top-left"), border ("learned": the picture's edge is known from training; absent:
    the frame has to be extended first), licence, data, steps and whatever else was written.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> DufConfig:
        """The configuration that the tensor shapes show; raises WeightsError for shapes of anything but DUF."""
        return config_of({name: tensor.shape for name, tensor in self.state.items()})

    @property
    def siting(self) -> Siting:
        """Where the network's LR samples lie; raises WeightsError for an unknown word."""
        return siting_of(self.metadata)

    def network(self) -> Duf:
        """Returns a new network with these weights, in evaluation mode."""
        network = Duf(self.config)
        network.load_state_dict(self.state)
        return network.eval()


def load(model: str | Path) -> Weights:
    """Reads a bundled model by its name, or a weights file by its path (.safetensors, .h5, .hdf5, .pth, .pt).

    Sizes are checked against the file's own size before memory is taken for them. Raises WeightsError, in one sentence,
    for a file that is missing, damaged, not a whole DUF network, or holds values that are NaN or above LARGEST.
    """
    path = catalogue.find(model)
    readers = {".safetensors": _read_safetensors, ".h5": _read_hdf5, ".hdf5": _read_hdf5}
    weights = readers.get(path.suffix.lower(), _read_pth)(path)
    _check_values(weights.state, path)
    return weights


def save(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype = torch.float16
) -> None:
    """Writes a .safetensors file; an existing file stays as it was until the new one is complete.

    dtype: float16 halves the file, and the pictures stay within 70 dB PSNR of float32. Raises WeightsError for values
    that `dtype` cannot hold, OSError if the file cannot be written.
    """
    from safetensors.torch import save as to_bytes

    tensors = {k: v.to(dtype).contiguous() for k, v in state.items() if v.is_floating_point()}
    _check_values(tensors, path)
    content = to_bytes(tensors, {"format": FORMAT, **metadata})  # save_file() hides the file from other users
    write_whole(path, lambda part: part.write_bytes(content))


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes  # safe_open for torch refuses names that are not UTF-8

    shapes, metadata = read_safetensors(path)
    _check_shapes(shapes, path)
    try:
        return Weights(_floats(from_bytes(path.read_bytes())), metadata)
    except (SafetensorError, OSError) as error:  # the file changed meanwhile
        raise WeightsError(f"{path} changed while it was read; load it again") from error


def _read_hdf5(path: Path) -> Weights:
    return _published(conventions.from_authors(conventions.open_hdf5(path), path), path)


def _read_pth(path: Path) -> Weights:
    return _published(conventions.from_basicsr(conventions.open_pth(path), path), path)


def _published(state: Mapping[str, Tensor], path: Path) -> Weights:
    """Returns the weights of a published file, with the metadata that the file itself does not state."""
    _check_shapes({name: tensor.shape for name, tensor in state.items()}, path)
    metadata = {"siting": Siting.TOP_LEFT.value, "source": path.name, "licence": "unstated by its authors"}
    return Weights(_floats(state), metadata)


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors as float32, and a `num_batches_tracked` for each batch norm, as `Duf` has it."""
    counts = {k.replace("running_mean", "num_batches_tracked") for k in state if k.endswith("running_mean")}
    floats = {k: v.float() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    return floats | {name: torch.tensor(0) for name in counts}


def _check_shapes(shapes: Mapping[str, list[int] | torch.Size], path: Path) -> None:
    """Compares names and shapes with those of the network that they describe, built without memory (meta device)."""
    with torch.device("meta"):
        expected = {name: list(tensor.shape) for name, tensor in Duf(config_of(shapes, path)).state_dict().items()}
    found = {name: list(shape) for name, shape in shapes.items()}
    for name in sorted(expected.keys() | found.keys()):
        if name.endswith("num_batches_tracked"):
            continue
        fault = _difference(found.get(name), expected.get(name))
        if fault:
            raise WeightsError(
                f"{path} does not hold a whole DUF network: {name} {fault}; get it again or convert it from its source"
            )


def _difference(found: list[int] | None, expected: list[int] | None) -> str:
    if found is None:
        return "is missing"
    if expected is None:
        return "does not belong there"
    return "" if found == expected else f"has the shape {found} instead of {expected}"


def _check_values(state: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in state.items():
        if not (tensor.float().abs() <= LARGEST).all():  # NaN fails this too
            raise WeightsError(f"{path}: {name} holds values that are NaN or above {LARGEST:.0e}; use other weights")
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise WeightsError(f"{path}: {name} holds a negative variance; use other weights")
