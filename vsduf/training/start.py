"""Begins a run from the weights of another network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.network import weights
from vsduf.network.duf import Duf, DufConfig
from vsduf.siting import Siting
from vsduf.training.narrow import narrowed


def begin_from(start: str, network: Duf, siting: Siting) -> dict[str, str]:
    """Copies the weights of a model into a network, and returns the metadata that the result takes over from the model.

    start: a bundled model's name or a weights file. From a model of another scale all but the last layers are taken,
    which depend on the scale; from a wider one the most important channels. Raises ArgumentError for a model of another
    siting, depth or form, WeightsError for a file that cannot be read.
    """
    loaded = weights.load(start)
    if loaded.siting != siting:
        raise ArgumentError(f'start is sited {loaded.siting}; set siting = "{loaded.siting}" in [samples]')
    state = _fitted(loaded.tensors(), loaded.config, network.config)
    if state is None:
        raise ArgumentError(f"start is {start!r}, {loaded.config}, but {network.config} is configured; make them alike")
    ours = network.state_dict()
    network.load_state_dict(ours | {name: tensor for name, tensor in state.items() if tensor.shape == ours[name].shape})
    owed = {str(key): loaded.metadata[key] for key in ("licence", "data") if key in loaded.metadata}
    return {"start": Path(start).name, **owed}


def _fitted(state: dict[str, Tensor], config: DufConfig, wanted: DufConfig) -> dict[str, Tensor] | None:
    """Returns a state of the wanted width, or None if the networks differ in more than width and scale."""
    wide = replace(config, scale=wanted.scale)
    if wide == wanted:
        return state
    widths = ("growth", "stem", "merge", "filter_hidden", "residual_hidden")
    narrower = all(getattr(wanted, name) <= getattr(wide, name) for name in widths)
    same = replace(wide, **{name: getattr(wanted, name) for name in widths}) == wanted
    return narrowed(state, config, wanted) if narrower and same else None
