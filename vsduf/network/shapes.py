"""The tensors of a DUF network by name and shape, as `network.duf.Duf` makes them; works without torch."""

from __future__ import annotations

from vsduf.network.config import TAPS, DufConfig

Shapes = dict[str, tuple[int, ...]]


def shapes_of(config: DufConfig) -> Shapes:
    """Returns the shape of every floating-point tensor in the state of a network."""
    shapes = _conv("stem", config.stem, 3, 1, 3, 3)
    for k in range(config.blocks):
        features, kernel_t = config.stem + k * config.growth, config.kernel_t(k)
        shapes |= _norm(f"blocks.{k}.norm1", features) | _conv(f"blocks.{k}.conv1", features, features, 1, 1, 1)
        shapes |= _norm(f"blocks.{k}.norm2", features)
        shapes |= _conv(f"blocks.{k}.conv2", config.growth, features, kernel_t, 3, 3)
    shapes |= _norm("norm", config.features) | _conv("merge", config.merge, config.features, 1, 3, 3)
    for head, hidden, taps in (("filter", config.filter_hidden, TAPS), ("residual", config.residual_hidden, 3)):
        shapes |= _conv(f"{head}_head.0", hidden, config.merge, 1, 1)
        shapes |= _conv(f"{head}_head.2", taps * config.scale**2, hidden, 1, 1)
    return shapes


def _conv(name: str, *weight: int) -> Shapes:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


def _norm(name: str, channels: int) -> Shapes:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
