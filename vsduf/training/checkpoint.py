"""Saves a run's whole state and restores it: on a CPU bit by bit as if the run had never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from vsduf.errors import ArgumentError
from vsduf.network.duf import Duf
from vsduf.training.config import RunConfig
from vsduf.training.history import Row
from vsduf.training.run_folder import read_checkpoint, write_atomically

FORMAT = 2  # of the checkpoint; raised when its content changes its meaning


class Run(Protocol):
    """The state of a run, as `trainer.Trainer` has it."""

    config: RunConfig
    network: Duf
    average: AveragedModel
    optimisers: list[torch.optim.Optimizer]
    rng: np.random.Generator
    step: int
    seconds: float
    loss_sum: Tensor
    losses: int
    history: list[Row]
    origin: dict[str, str]


def save(run: Run, path: Path) -> None:
    """Writes a run's state, whole or not at all; raises ArgumentError where that cannot be done."""
    state = {
        "format": FORMAT,
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in run.optimisers],
        "rng": json.dumps(run.rng.bit_generator.state),
        "step": run.step,
        "seconds": run.seconds,
        "loss": (float(run.loss_sum), run.losses),
        "history": [row.saved() for row in run.history],
        "origin": run.origin,
        "siting": str(run.config.samples.siting),
        "seed": run.config.seed,
    }
    write_atomically(path, lambda partial: torch.save(state, partial))


def restore(run: Run, path: Path) -> None:
    """Restores a run's state; raises ArgumentError for a damaged checkpoint, and one of another version or network."""
    state = read_checkpoint(path)
    if state.get("format") != FORMAT:
        what = f"has format {state.get('format', 1)}; this version of vsduf reads {FORMAT}"
        raise ArgumentError(f"{path} {what}; move it away, and set start to the weights beside it")
    try:
        _check(path, state, run)
        _restore(run, state)
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        what = "does not hold the network and optimiser that are configured"
        raise ArgumentError(f"{path} {what}; set another output, or move it away") from error


def _check(path: Path, state: dict[str, Any], run: Run) -> None:
    for word, now in (("siting", str(run.config.samples.siting)), ("seed", run.config.seed)):
        if state[word] != now:
            what = f"is of a run whose {word} is {state[word]}, not {now}"
            raise ArgumentError(f"{path} {what}; set another output, or move it away")


def _restore(run: Run, state: dict[str, Any]) -> None:
    run.network.load_state_dict(state["network"])
    run.average.load_state_dict(state["average"])
    for optimiser, saved in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    run.rng.bit_generator.state = json.loads(state["rng"])
    run.step, run.seconds, run.origin = state["step"], state["seconds"], state["origin"]
    run.history = [Row.loaded(row) for row in state["history"]]
    loss, run.losses = state["loss"]
    run.loss_sum.fill_(loss)
