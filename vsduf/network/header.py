"""What a weights file states before its values are read: tensor shapes and metadata; works without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsduf.errors import WeightsError
from vsduf.network.config import DufConfig, scale_of
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, SCALES

FORMAT = "vsduf 1"
MOST_BLOCKS, MOST_CHANNELS = 100, 4096  # far above any published network: 24 blocks, 512 channels


@dataclass(frozen=True)
class Header:
    """What a .safetensors file states of its network.

    config: as the tensor shapes show. metadata: as in `vsduf.network.weights.Weights`.
    """

    config: DufConfig
    metadata: dict[str, str]

    @property
    def siting(self) -> Siting:
        """Where the network's LR samples lie; raises WeightsError for an unknown word."""
        return siting_of(self.metadata)


def read_header(path: Path) -> Header:
    """Reads the header of a .safetensors file and none of its values; raises WeightsError."""
    shapes, metadata = read_safetensors(path)
    return Header(config_of(shapes, path), metadata)


def read_safetensors(path: Path) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Returns the tensor shapes and the metadata of a file of vsduf's own; raises WeightsError for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or not a safetensors file ({error}); get it again") from error
    if not metadata.get("format", "").startswith("vsduf"):
        raise WeightsError(f"{path} was not written by vsduf; convert its source with 'vsduf weights convert IN OUT'")
    return shapes, {k: v for k, v in metadata.items() if k != "format"}


def config_of(shapes: Mapping[str, Sequence[int]], source: object = "the weights") -> DufConfig:
    """Returns the configuration that tensor shapes show.

    shapes: by the names that `Duf` gives its tensors. source: whose shapes, for the message. Raises WeightsError if
    they are not those of a DUF network, or far from any published one.
    """
    try:
        blocks = sum(name.startswith("blocks.") and name.endswith(".conv2.weight") for name in shapes)
        growth, stem, kernel_t = shapes["blocks.0.conv2.weight"][:3]
        widths = (shapes[f"{name}.weight"][0] for name in ("merge", "filter_head.0", "residual_head.0"))
        config = DufConfig(scale_of(shapes["residual_head.2.weight"][0]), blocks, growth, kernel_t == 1, stem, *widths)
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{source} does not hold a DUF network; name another file") from error
    _check(config, source)
    return config


def siting_of(metadata: Mapping[str, str]) -> Siting:
    """Returns where LR samples lie, the centre unless stated; raises WeightsError for an unknown word."""
    stated = metadata.get("siting", Siting.CENTER)
    try:
        return Siting(stated)
    except ValueError as error:
        raise WeightsError(f"the weights state siting {stated!r}; known are {', '.join(Siting)}") from error


def _check(config: DufConfig, source: object) -> None:
    if config.scale not in SCALES or not RADIUS < config.blocks <= MOST_BLOCKS:
        found = f"scale {config.scale} and {config.blocks} blocks"
        raise WeightsError(f"{source} has {found}; DUF has scale 2, 3 or 4 and {RADIUS + 1} to {MOST_BLOCKS} blocks")
    widths = (config.growth, config.stem, config.merge, config.filter_hidden, config.residual_hidden)
    if not all(1 <= width <= MOST_CHANNELS for width in widths):
        raise WeightsError(
            f"{source} has layers of {', '.join(map(str, widths))} channels; 1 to {MOST_CHANNELS} are possible"
        )
