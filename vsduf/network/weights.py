"""Weights files: ours (.safetensors), the authors' (.h5) and BasicSR's (.pth). The file says what the network is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from vsduf.errors import WeightsError
from vsduf.network import conventions
from vsduf.network.duf import Duf, DufConfig
from vsduf.network.dynamic_upsample import TAPS
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS

FORMAT = "vsduf 1"


@dataclass(frozen=True)
class Weights:
    """A network's tensors, float32, under the names that `Duf` gives them, and what the file says about itself.

    metadata: siting ("center" or "top-left"), border ("learned": the picture's edge is known from training; absent:
    the frame has to be extended first), licence, data, steps and whatever else was written.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> DufConfig:
        """What the shapes of the tensors say; raises WeightsError where they say nothing that exists."""
        return config_of(self.state)

    @property
    def siting(self) -> Siting:
        """Where LR samples lie; raises WeightsError for a word that is no siting."""
        stated = self.metadata.get("siting", Siting.CENTER)
        try:
            return Siting(stated)
        except ValueError as error:
            raise WeightsError(f"the weights state siting {stated!r}; known are {', '.join(Siting)}") from error

    def network(self) -> Duf:
        """The network with these weights, in evaluation mode."""
        network = Duf(self.config)
        network.load_state_dict(self.state)
        return network.eval()


def bundled() -> list[str]:
    """Names of the models that come with the package, sorted."""
    return sorted(p.name.removesuffix(".safetensors") for p in _models() if p.name.endswith(".safetensors"))


def best(scale: int) -> str:
    """Name of the bundled model with the highest validation PSNR at that scale; WeightsError if there is none."""
    fitting = {name: w for name in bundled() if (w := load(name)).config.scale == scale}
    if not fitting:
        raise WeightsError(f"no model for scale {scale} comes with vsduf; name a weights file with model=")
    return max(fitting, key=lambda name: float(fitting[name].metadata.get("psnr", 0)))


def load(model: str | Path) -> Weights:
    """Reads a bundled model by its name, or a weights file by its path (.safetensors, .h5, .hdf5, .pth, .pt).

    Raises WeightsError, in one sentence, for a file that is missing, damaged, or not a DUF network.
    """
    path = Path(model)
    readers = {
        ".safetensors": _read_safetensors,
        ".h5": _read_hdf5,
        ".hdf5": _read_hdf5,
        ".pth": _read_pth,
        ".pt": _read_pth,
    }
    if str(model) in bundled():
        path = Path(str(_directory() / f"{model}.safetensors"))
    elif path.suffix not in readers:
        raise WeightsError(
            f"there is no model {str(model)!r}; bundled are {', '.join(bundled()) or 'none'}, or name a file"
        )
    if not path.is_file():
        raise WeightsError(f"the weights file {path} does not exist; check its path")
    weights = readers[path.suffix](path)
    try:
        weights.network()
    except (RuntimeError, KeyError) as error:
        raise WeightsError(
            f"{path} does not hold a whole DUF network; get it again or convert it from its source"
        ) from error
    return weights


def save(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype = torch.float16
) -> None:
    """Writes a .safetensors file; float16 halves its size and costs less than 80 dB PSNR against float32."""
    from safetensors.torch import save as to_bytes

    tensors = {k: v.to(dtype).contiguous() for k, v in state.items() if v.is_floating_point()}
    path.write_bytes(to_bytes(tensors, {"format": FORMAT, **metadata}))  # save_file() hides the file from other users


def config_of(state: Mapping[str, Tensor]) -> DufConfig:
    """The configuration that tensor shapes tell; raises WeightsError if they are not those of a DUF network."""
    try:
        blocks = sum(name.startswith("blocks.") and name.endswith(".conv2.weight") for name in state)
        growth, stem, kernel_t = state["blocks.0.conv2.weight"].shape[:3]
        merge = state["merge.weight"].shape[0]
        filter_hidden, residual_hidden = (state[f"{head}_head.0.weight"].shape[0] for head in ("filter", "residual"))
        scale = math.isqrt(state["filter_head.2.weight"].shape[0] // TAPS)
    except (KeyError, ValueError) as error:
        raise WeightsError("the weights are not those of a DUF network; name another file") from error
    if scale not in (2, 3, 4) or blocks <= RADIUS:
        raise WeightsError(
            f"the weights have scale {scale} and {blocks} blocks; DUF has scale 2, 3 or 4 and over 3 blocks"
        )
    return DufConfig(scale, blocks, growth, kernel_t == 1, stem, merge, filter_hidden, residual_hidden)


def _directory() -> resources.abc.Traversable:
    return resources.files("vsduf") / "models"


def _models() -> list[resources.abc.Traversable]:
    return list(_directory().iterdir()) if _directory().is_dir() else []


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() for k, v in state.items() if not k.endswith("num_batches_tracked")} | {
        k.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for k in state if k.endswith("running_mean")
    }


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file ({error}); get it again") from error
    if not metadata.get("format", "").startswith("vsduf"):
        raise WeightsError(f"{path} was not written by vsduf; convert its source with 'vsduf weights convert IN OUT'")
    return Weights(_floats(state), {k: v for k, v in metadata.items() if k != "format"})


def _read_hdf5(path: Path) -> Weights:
    state = conventions.from_authors(conventions.open_hdf5(path), path)
    return Weights(_floats(state), _published(path))


def _read_pth(path: Path) -> Weights:
    state = conventions.from_basicsr(conventions.open_pth(path), path)
    return Weights(_floats(state), _published(path))


def _published(path: Path) -> dict[str, str]:
    """Returns what is known of a published weights file, which says nothing about itself."""
    return {"siting": Siting.TOP_LEFT.value, "source": path.name, "licence": "unstated by its authors"}
