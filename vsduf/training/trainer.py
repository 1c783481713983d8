"""The training loop: steps, moving average, validation, saving."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vsduf.errors import ArgumentError
from vsduf.network import weights
from vsduf.network.duf import Duf
from vsduf.training import checkpoint, curves, histories, run_folder
from vsduf.training.config import UNSTATED, RunConfig
from vsduf.training.footage import load, refuse_overlap
from vsduf.training.gradients import Gradients, Loss
from vsduf.training.history import Row
from vsduf.training.initialise import initialise
from vsduf.training.muon import optimisers
from vsduf.training.samples import Sampler
from vsduf.training.start import begin_from
from vsduf.training.validation import SMALLEST, Validation

SETTLED = 5  # time constants of the running statistics, after which batch norms may be frozen
REPORT_SECONDS = 0.5  # reading the loss synchronises with the device, so it is not read at every step


@dataclass(frozen=True)
class State:
    """How far a run is. loss: mean since the last validation. row: of the validation at this step, else None."""

    step: int
    loss: float
    row: Row | None = None


class Trainer:
    """A run's whole state: network, moving average, optimisers, random generator, history.

    Continues from the checkpoint in the run's folder if there is one. Raises ArgumentError, MediaError or WeightsError
    for a checkpoint or start of another network, and for footage that cannot be used.
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
            self.origin = begin_from(config.start, network, config.samples.siting)
        _set_momentum(network, config.norm_momentum)
        self.network = _channels_last(network.to(device))
        self.average = AveragedModel(self.network, multi_avg_fn=self._average, use_buffers=True)
        self.average.eval().requires_grad_(False)
        self.optimisers = optimisers(config.optimiser, self.network.parameters(), config.schedule.rate)
        self.rng = np.random.default_rng(config.seed)
        self.step, self.seconds = 0, 0.0
        self.history: list[Row] = []
        self.loss_sum, self.losses = torch.zeros((), dtype=torch.float64, device=device), 0
        if self.checkpoint.exists():
            checkpoint.restore(self, self.checkpoint)
        self.gradients = Gradients(self.network, _threads(config, device), _precision(config, device))
        self.stopping = False
        self._open_footage()

    def _open_footage(self) -> None:
        config, cache = self.config, self.config.footage_cache
        refuse_overlap(config.footage, config.validation)
        held_back = load(config.validation, [], cache, SMALLEST)
        late = config.samples.with_patch(config.finish.patch) if config.finish.patch else config.samples
        smallest = max(config.samples.size, late.size)
        footage = load(config.footage, config.photos, cache, smallest, ", or set a smaller patch")
        if config.degradation.families:
            footage = histories.add(footage, config.degradation, late, config.camera, cache)
            held_back = histories.add(held_back, config.degradation, late, config.camera, cache)
        self.validation = Validation(held_back, config.samples.scale, config.samples.siting)
        footage, share = footage.to(self.device), config.degradation.share
        self.samplers = [Sampler(footage, samples, config.camera, share) for samples in (config.samples, late)]

    def run(self, report: Callable[[State], None], minutes: float | None = None) -> None:
        """Trains until the configured step, for so many minutes, or until `stop`; the last step is always saved.

        report: called with every validation, and otherwise about twice a second. Raises ArgumentError where another
        training runs in the same folder, or if the weights become NaN or infinite.
        """
        with run_folder.alone(self.config.output):
            self._run(report, minutes)

    def _run(self, report: Callable[[State], None], minutes: float | None) -> None:
        started = saved = reported = time.monotonic()
        before = self.seconds
        while self.step < self.config.schedule.steps and not self.stopping:
            self.train_step()
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
        """Ends `run` after its current step; may be called by a signal handler."""
        self.stopping = True

    def train_step(self) -> Tensor:
        """Changes the network once; returns the loss of the step's batch."""
        config = self.config
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = config.schedule.at(self.step)
        late = self.step >= config.finish.begins(config.schedule.steps)
        sampler = self.samplers[late]
        seeds = [int(seed) for seed in self.rng.integers(2**63, size=sampler.config.batch)]
        settled = self.step * config.norm_momentum >= SETTLED
        judge = Loss(
            config.finish.loss if late else "huber", config.huber, late and settled and config.finish.freeze_norm
        )
        loss = self.gradients.step(sampler, judge, seeds)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self.average.update_parameters(self.network)
        self.loss_sum += loss
        self.losses += 1
        return loss

    def _average(self, averages: Any, current: Any, updates: Any) -> None:
        """Updates the exponential moving average, with warm-up."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        get_ema_multi_avg_fn(decay)(averages, current, updates)

    def _mean_loss(self) -> float:
        return float(self.loss_sum) / max(1, self.losses)

    def _validate(self) -> Row:
        score = self.validation(self.averaged(), self.gradients.spread)
        drawing = self.gradients.drawing / max(1e-9, self.gradients.working)
        rate = self.config.schedule.at(self.step - 1)
        row = Row(self.step, self._mean_loss(), rate, self.seconds, **asdict(score), drawing=drawing)
        self.loss_sum.zero_()
        self.losses = 0
        self.history.append(row)
        return row

    def averaged(self) -> Duf:
        """Returns the moving average of the network."""
        network = self.average.module
        assert isinstance(network, Duf)
        return network

    def save(self) -> None:
        """Writes the checkpoint and the weights of the moving average, each whole or not at all.

        Raises ArgumentError, and leaves the files as they are, if the weights became NaN or infinite.
        """
        state = self.averaged().state_dict()
        if not all(tensor.isfinite().all() for tensor in state.values()):
            what = "the files are those of the step saved before; lower schedule.rate and run again"
            raise ArgumentError(f"the weights became NaN or infinite by step {self.step}; {what}")
        checkpoint.save(self, self.checkpoint)
        metadata = self.metadata()
        target = self.config.output / run_folder.WEIGHTS
        run_folder.write_atomically(target, lambda path: weights.save(path, state, metadata))

    def metadata(self) -> dict[str, str]:
        """Returns what the weights file states: siting, border, licence, data, steps and validation.

        Licence and data are those of `start` where the configuration does not state others.
        """
        config = self.config
        stated = {key: getattr(config, key) for key in ("licence", "data") if getattr(config, key) != UNSTATED}
        said = {"licence": UNSTATED, "data": UNSTATED, **self.origin, **stated}
        said |= {"siting": str(config.samples.siting), "border": "learned"}
        said["steps"] = str(self.step)
        if self.history:
            last = self.history[-1]
            said |= {"psnr": f"{last.psnr:.2f}", "temporal_gain": f"{last.temporal_gain:.2f}"}
        return said


def _threads(config: RunConfig, device: torch.device) -> int:
    """Returns how many threads compute shares of a batch: one on a CUDA device."""
    if device.type != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(config.threads or cores, config.samples.batch)


def _precision(config: RunConfig, device: torch.device) -> torch.dtype:
    """Returns the type of the convolutions: bfloat16 by default where the processor has an instruction for it."""
    fast = device.type != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    half = config.precision == "bfloat16" or (config.precision == "auto" and fast)
    return torch.bfloat16 if half else torch.float32


def _set_momentum(network: Duf, momentum: float) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = momentum


def _channels_last(network: Duf) -> Duf:
    """Puts kernels into the layout in which convolutions are fastest, on CPUs (2.1 s a step against 1.2 s) and GPUs."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    return network
