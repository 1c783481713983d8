"""Weights: vsduf's own files (.safetensors), the DUF authors' (.h5) and BasicSR's (.pth).

Reading and writing work without torch, whose import takes seconds, except for .pth files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vsduf.errors import WeightsError
from vsduf.network import catalogue, conventions
from vsduf.network.config import DufConfig
from vsduf.network.header import FORMAT, config_of, read_safetensors, siting_of
from vsduf.network.shapes import shapes_of
from vsduf.output import write_whole
from vsduf.siting import Siting

if TYPE_CHECKING:
    from torch import Tensor

    from vsduf.network.duf import Duf

LARGEST = 1e8  # magnitude of a weight; above any trained network's, and small enough for finite pictures
COUNTER = "num_batches_tracked"  # of torch's batch norms: integers that no file needs


@dataclass(frozen=True)
class Weights:
    """A network's tensors as float32 arrays, under the names that `Duf` gives them, and the file's metadata.

    metadata: siting ("center" or "top-left"), border ("learned": the picture's edge is known from training; absent:
    the frame has to be extended first), licence, data, steps and whatever else was written.
    """

    state: dict[str, NDArray[np.float32]]
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> DufConfig:
        """The configuration that the tensor shapes show; raises WeightsError for shapes of anything but DUF."""
        return config_of({name: array.shape for name, array in self.state.items()})

    @property
    def siting(self) -> Siting:
        """Where the network's LR samples lie; raises WeightsError for an unknown word."""
        return siting_of(self.metadata)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the state as torch's tensors, which share the arrays' memory."""
        import torch

        return {name: torch.from_numpy(array) for name, array in self.state.items()}

    def network(self) -> Duf:
        """Returns a new network with these weights, in evaluation mode."""
        from vsduf.network.duf import Duf

        network = Duf(self.config)
        counters = {name: count for name, count in network.state_dict().items() if name.endswith(COUNTER)}
        network.load_state_dict(counters | self.tensors())
        return network.eval()


def arrays(state: Mapping[str, Tensor] | Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Returns a network's state, tensors or arrays, as float32 arrays; counters of batch norms are left out."""
    with np.errstate(over="ignore"):  # infinite values are refused, by `load` and `save`
        return {name: _array(values) for name, values in state.items() if not name.endswith(COUNTER)}


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
    path: Path,
    state: Mapping[str, Tensor] | Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str],
    dtype: type[np.floating[Any]] = np.float16,
) -> None:
    """Writes a .safetensors file; an existing file stays as it was until the new one is complete.

    state: as for `arrays`. dtype: float16 halves the file, and the pictures stay within 70 dB PSNR of float32. Raises
    WeightsError for values that `dtype` cannot hold, OSError if the file cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    with np.errstate(over="ignore"):
        rounded = {name: array.astype(dtype) for name, array in arrays(state).items()}
    _check_values(rounded, path)
    content = to_bytes(rounded, {"format": FORMAT, **metadata})  # save_file() hides the file from other users
    write_whole(path, lambda part: part.write_bytes(content))


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes  # safe_open refuses names that are not UTF-8

    shapes, metadata = read_safetensors(path)
    _check_shapes(shapes, path)
    try:
        return Weights(arrays(from_bytes(path.read_bytes())), metadata)
    except (SafetensorError, OSError) as error:  # the file changed meanwhile
        raise WeightsError(f"{path} changed while it was read; load it again") from error
    except KeyError as error:
        raise WeightsError(
            f"{path} holds numbers of the type {error}, which vsduf does not write; get it again"
        ) from error


def _read_hdf5(path: Path) -> Weights:
    return _published(conventions.from_authors(conventions.open_hdf5(path), path), path)


def _read_pth(path: Path) -> Weights:
    return _published(conventions.from_basicsr(conventions.open_pth(path), path), path)


def _published(state: Mapping[str, NDArray[np.float32]], path: Path) -> Weights:
    """Returns the weights of a published file, with the metadata that the file itself does not state."""
    _check_shapes({name: array.shape for name, array in state.items()}, path)
    metadata = {"siting": Siting.TOP_LEFT.value, "source": path.name, "licence": "unstated by its authors"}
    return Weights(arrays(state), metadata)


def _array(values: Tensor | NDArray[Any]) -> NDArray[np.float32]:
    array: NDArray[Any] = values if isinstance(values, np.ndarray) else values.detach().float().cpu().numpy()
    return np.array(array, np.float32, order="C")


def _check_shapes(shapes: Mapping[str, Sequence[int]], path: Path) -> None:
    """Compares names and shapes with those of the network that they describe."""
    expected = {name: list(shape) for name, shape in shapes_of(config_of(shapes, path)).items()}
    found = {name: list(shape) for name, shape in shapes.items() if not name.endswith(COUNTER)}
    for name in sorted(expected.keys() | found.keys()):
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


def _check_values(state: Mapping[str, NDArray[Any]], path: Path) -> None:
    for name, array in state.items():
        if not (np.abs(array, dtype=np.float32) <= LARGEST).all():  # NaN fails this too
            raise WeightsError(f"{path}: {name} holds values that are NaN or above {LARGEST:.0e}; use other weights")
        if name.endswith("running_var") and bool((array < 0).any()):
            raise WeightsError(f"{path}: {name} holds a negative variance; use other weights")
