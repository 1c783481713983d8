"""The training loop: steps, moving average, validation, checkpoints from which a run goes on as if never stopped."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.network import weights
from vsduf.network.duf import Duf
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.training import curves, run_folder
from vsduf.training.config import UNSTATED, RunConfig
from vsduf.training.footage import load, refuse_overlap
from vsduf.training.initialise import initialise
from vsduf.training.muon import optimisers
from vsduf.training.samples import Sampler
from vsduf.training.validation import Validation
from vsduf.upscaler import RADIUS

REPORT_SECONDS = 0.5  # reading the loss waits for the device, so it is not read at every step


@dataclass(frozen=True)
class State:
    """How far a run is. loss: mean since the last validation. row: what a validation has just found, else None.

    row: step, loss, rate, seconds of training so far, psnr, bicubic and temporal_gain in dB.
    """

    step: int
    loss: float
    row: dict[str, Any] | None = None


class Trainer:
    """A run's whole state: network, moving average, optimisers, random generators, history.

    Goes on from the checkpoint in the run's folder if there is one: on the CPU bit by bit as if never stopped. Raises
    ArgumentError, MediaError or WeightsError for a checkpoint or start of another network, and for unusable footage.
    """

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        run_folder.make_folder(config.output)
        self.checkpoint = config.output / run_folder.CHECKPOINT
        torch.manual_seed(config.seed)
        network = Duf(config.network)
        initialise(network)
        self.origin: dict[str, str] = {}
        if config.start and not self.checkpoint.exists():
            self.origin = _begin_from(config.start, network, config.samples.siting)
        _set_momentum(network, config.norm_momentum)
        self.network = _channels_last(network.to(device))
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimisers = optimisers(config.optimiser, self.network.parameters(), config.schedule.rate)
        self.rng = np.random.default_rng(config.seed)
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, Any]] = []
        self._loss, self._losses = torch.zeros((), dtype=torch.float64, device=device), 0
        if self.checkpoint.exists():
            self._resume()
        self.stopping = False
        self._open_footage()

    def _open_footage(self) -> None:
        config, cache = self.config, self.config.footage_cache
        refuse_overlap(config.footage, config.validation)
        self.validation = Validation(config.validation, cache, config.samples.scale, config.samples.siting)
        hint = ", or set a smaller patch"
        footage = load(config.footage, config.photos, cache, config.samples.size, hint).to(self.device)
        self.sampler = Sampler(footage, config.samples, config.camera, self.rng)

    def run(self, report: Callable[[State], None], minutes: float | None = None) -> None:
        """Trains until the configured step, for so many minutes, or until `stop`; the last step is always saved.

        report is called with every validation, and otherwise about twice a second. Raises ArgumentError where another
        training works in the same folder, or where the weights have left the numbers that there are.
        """
        with run_folder.alone(self.config.output):
            self._run(report, minutes)

    def _run(self, report: Callable[[State], None], minutes: float | None) -> None:
        started = saved = reported = time.monotonic()
        before = self.seconds
        while self.step < self.config.schedule.steps and not self.stopping:
            self._train_step()
            now = time.monotonic()
            self.seconds = before + now - started
            last = self.step == self.config.schedule.steps
            over = minutes is not None and now - started > 60 * minutes
            due = last or self.step % self.config.validate_every == 0 or (over and not self.history)
            if due:
                report(State(self.step, self._mean_loss(), self._validate()))
                curves.draw(self.history, self.config.output / run_folder.CURVES)
            elif now - reported > REPORT_SECONDS:
                report(State(self.step, self._mean_loss()))
                reported = now
            if due or over or self.stopping or now - saved > 60 * self.config.save_minutes:
                self.save()
                saved = time.monotonic()
            if over:
                return

    def stop(self) -> None:
        """Ends `run` after the step that it is at; for signal handlers."""
        self.stopping = True

    def _train_step(self) -> Tensor:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.config.schedule.at(self.step)
        window, hr = self.sampler.batch()
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits, residual = self.network(window)
        output = dynamic_upsample(window[:, :, RADIUS], logits.float(), residual.float())
        loss = F.huber_loss(output, hr, delta=self.config.huber)
        self.network.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._follow()
        self._loss += loss.detach()
        self._losses += 1
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the average towards the network, quickly at first."""
        keep = min(self.config.ema, (1 + self.step) / (10 + self.step))
        ours, theirs = self.average.state_dict(), self.network.state_dict()
        floats = [k for k, v in ours.items() if v.is_floating_point()]
        torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - keep)

    def _mean_loss(self) -> float:
        return float(self._loss) / max(1, self._losses)

    def _validate(self) -> dict[str, Any]:
        row = {"step": self.step, "loss": self._mean_loss(), "rate": self.config.schedule.at(self.step - 1)}
        row |= {"seconds": self.seconds, **asdict(self.validation(self.average))}
        self._loss.zero_()
        self._losses = 0
        self.history.append(row)
        return row

    def save(self) -> None:
        """Writes the checkpoint and the weights of the moving average, each whole or not at all.

        Raises ArgumentError, and leaves the files as they are, where training has left the numbers that there are.
        """
        if not all(tensor.isfinite().all() for tensor in self.average.state_dict().values()):
            what = "the files are those of the step saved before; lower schedule.rate and run again"
            raise ArgumentError(f"the network's weights are no numbers any more at step {self.step}; {what}")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "rng": json.dumps(self.rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
            "loss": (float(self._loss), self._losses),
            "history": self.history,
            "origin": self.origin,
            "siting": str(self.config.samples.siting),
            "seed": self.config.seed,
        }
        run_folder.write_atomically(self.checkpoint, lambda path: torch.save(state, path))
        exported, metadata = self.average.state_dict(), self.metadata()
        target = self.config.output / run_folder.WEIGHTS
        run_folder.write_atomically(target, lambda path: weights.save(path, exported, metadata))

    def metadata(self) -> dict[str, str]:
        """What the weights file says of itself: siting, border, licence, data, steps and validation.

        Licence and data are those of the start where the configuration does not state others.
        """
        config = self.config
        stated = {key: getattr(config, key) for key in ("licence", "data") if getattr(config, key) != UNSTATED}
        said = {"licence": UNSTATED, "data": UNSTATED, **self.origin, **stated}
        said |= {"siting": str(config.samples.siting), "border": "learned"}
        said["steps"] = str(self.step)
        if self.history:
            said |= {name: f"{self.history[-1][name]:.2f}" for name in ("psnr", "temporal_gain")}
        return said

    def _resume(self) -> None:
        state = run_folder.read_checkpoint(self.checkpoint)
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            self.origin, siting, seed = state["origin"], state["siting"], state["seed"]
        except (RuntimeError, KeyError, ValueError) as error:
            what = "does not hold the network and optimiser that are configured"
            raise ArgumentError(f"{self.checkpoint} {what}; set another output, or move it away") from error
        for word, was, now in (
            ("siting", siting, self.config.samples.siting),
            ("seed", seed, self.config.seed),
        ):
            if was != now:
                what = f"is of a run whose {word} is {was}, not {now}"
                raise ArgumentError(f"{self.checkpoint} {what}; set another output, or move it away")
        self.rng.bit_generator.state = json.loads(state["rng"])
        torch.set_rng_state(state["torch_rng"])
        self.step, self.history = state["step"], state["history"]
        self.seconds = state["seconds"]
        loss, self._losses = state["loss"]
        self._loss.fill_(loss)


def _begin_from(start: str, network: Duf, siting: str) -> dict[str, str]:
    """Takes the weights of `start`; of a network for another scale all but the last layers, which depend on it.

    Returns what the result owes to it: its licence and data, if it says so, and its name.
    """
    loaded = weights.load(start)
    if loaded.siting != siting:
        raise ArgumentError(f'start is sited {loaded.siting}; set siting = "{loaded.siting}" in [samples]')
    if replace(loaded.config, scale=network.config.scale) != network.config:
        raise ArgumentError(f"start is {start!r}, {loaded.config}, but {network.config} is configured; make them alike")
    ours, same = network.state_dict(), loaded.config == network.config
    taken = {name: t for name, t in loaded.state.items() if same or t.shape == ours[name].shape}
    network.load_state_dict(ours | taken)
    owed = {str(key): loaded.metadata[key] for key in ("licence", "data") if key in loaded.metadata}
    return {"start": Path(start).name, **owed}


def _set_momentum(network: Duf, momentum: float) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = momentum


def _channels_last(network: Duf) -> Duf:
    """The layout in which convolutions are fastest, on CPUs (2.1 s a step against 1.2 s) and on GPUs."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    return network
