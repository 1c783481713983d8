"""`vsduf train CONFIG.toml`: trains a network, or goes on with a run that was stopped."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
import time
from pathlib import Path

import torch

from vsduf.cli.terminal import WIDTH, clock_time, say
from vsduf.engine.device import CPU, choose_device
from vsduf.errors import ArgumentError
from vsduf.system import keep_large_blocks
from vsduf.training import config, run_folder
from vsduf.training.trainer import State, Trainer

PLAIN_SECONDS = 60.0  # between lines where stderr is no terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration file, where to compute, and for how long."""
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help="what to train, on what, how long")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long; run again to go on")
    parser.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )


def run(args: argparse.Namespace) -> int:
    """Trains to the last step, for --minutes, or until Ctrl-C; each leaves a checkpoint. Raises DufError."""
    started = time.monotonic()
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError("training needs matplotlib and Pillow; pip install 'vsduf[train]'")
    if args.minutes is not None and not args.minutes > 0:
        raise ArgumentError(f"--minutes is {args.minutes}; it must be above 0")
    keep_large_blocks()
    torch.backends.cudnn.benchmark = True  # every step has the same shapes
    chosen = config.read(args.config)
    trainer = Trainer(chosen, device(args.device_id))
    progress = TrainingProgress(chosen.schedule.steps, chosen.samples.batch, trainer.step)
    ends = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: trainer.stop()) for number in ends}
    minutes = None if args.minutes is None else max(0.0, args.minutes - (time.monotonic() - started) / 60)
    try:
        trainer.run(progress.update, minutes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        progress.close()
    done = trainer.step >= chosen.schedule.steps
    say(f"{'trained' if done else 'stopped'} at step {trainer.step}; {chosen.output / run_folder.WEIGHTS}")
    return 130 if trainer.stopping else 0


def device(device_id: int | None) -> torch.device:
    """The torch device of that number; None is the first CUDA device, or the CPU. Raises DeviceError."""
    chosen = choose_device(device_id, None).device_id
    return torch.device("cpu") if chosen == CPU else torch.device("cuda", chosen)


class TrainingProgress:
    """Step, loss, validation PSNR, samples a second and time left, on stderr; each validation on a line of its own."""

    def __init__(self, steps: int, batch: int, first: int) -> None:
        self.steps, self.batch = steps, batch
        self.bar = sys.stderr.isatty()
        self.began = self.shown = time.monotonic()
        self.first, self.found = first, ""

    def update(self, state: State) -> None:
        """Shows the state, or leaves it where the last line is not old enough."""
        if state.row is not None:
            self.found = f", {state.row['psnr']:.2f} dB"
            words = (
                "step {step}: loss {loss:.5f}, {psnr:.2f} dB (bicubic {bicubic:.2f}), temporal gain {temporal_gain:.3f}"
            )
            self._write(words.format(**state.row) + "\n")
        if self.bar or time.monotonic() - self.shown > PLAIN_SECONDS:
            self.shown = time.monotonic()
            self._write(self.line(state) + ("" if self.bar else "\n"))

    def line(self, state: State) -> str:
        """One line: how far, how good, how fast, how long."""
        speed = (state.step - self.first) / max(1e-9, time.monotonic() - self.began)
        left = clock_time((self.steps - state.step) / speed) if speed else "-:--"
        filled = WIDTH * state.step // self.steps
        bar = f"[{'#' * filled}{'.' * (WIDTH - filled)}] " if self.bar else ""
        counts = f"{state.step}/{self.steps}, loss {state.loss:.5f}{self.found}"
        return f"{bar}{counts}, {speed * self.batch:.1f} samples/s, {left} left"

    def close(self) -> None:
        """Leaves the last line standing."""
        if self.bar:
            sys.stderr.write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(("\r\x1b[K" if self.bar else "") + text)
        sys.stderr.flush()
