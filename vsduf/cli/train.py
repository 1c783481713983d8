"""`vsduf train CONFIG.toml`: trains a network, or continues a run that was stopped."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch

from vsduf.cli.options import check_matplotlib
from vsduf.cli.terminal import Counted, Progress, say
from vsduf.engine.device import CPU, choose_device
from vsduf.errors import ArgumentError
from vsduf.system import keep_large_blocks
from vsduf.training import config, run_folder
from vsduf.training.history import Row
from vsduf.training.trainer import State, Trainer
from vsduf.upscaler import WINDOW


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the configuration file, the time and the device."""
    what, when = "configuration of the run: network, footage, schedule", "stop after M minutes; run again to continue"
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help=what)
    parser.add_argument("--minutes", type=float, metavar="M", help=when)
    parser.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )


def run(args: argparse.Namespace) -> int:
    """Trains until the last step, --minutes or Ctrl-C, and saves a checkpoint. Raises DufError."""
    started = time.monotonic()
    check_matplotlib()
    if args.minutes is not None and not args.minutes > 0:
        raise ArgumentError(f"--minutes is {args.minutes}; it must be above 0")
    keep_large_blocks()
    torch.backends.cudnn.benchmark = True  # every step has the same shapes
    chosen = config.read(args.config)
    where = device(args.device_id)
    if where.type == "cpu":
        torch.set_num_threads(1)  # the trainer's own threads share the work, not those of single operations
    trainer = Trainer(chosen, where)
    counted = Counted("steps", "outputs/s", chosen.samples.batch * (chosen.samples.frames - WINDOW + 1))
    ends = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: trainer.stop()) for number in ends}
    minutes = None if args.minutes is None else max(0.0, args.minutes - (time.monotonic() - started) / 60)
    try:
        with Progress(chosen.schedule.steps, counted, start=trainer.step) as progress:
            trainer.run(shown_by(progress), minutes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    done = trainer.step >= chosen.schedule.steps
    say(f"{'trained' if done else 'stopped'} at step {trainer.step}; {chosen.output / run_folder.WEIGHTS}")
    return 130 if trainer.stopping else 0


def device(device_id: int | None) -> torch.device:
    """Returns the torch device of that number; None is the first CUDA device, or the CPU. Raises DeviceError."""
    chosen = choose_device(device_id, None).device_id
    return torch.device("cpu") if chosen == CPU else torch.device("cuda", chosen)


def sentence(row: Row) -> str:
    """Returns a sentence with the scores of a validation."""
    scores = f"{row.psnr:.2f} dB (bicubic {row.bicubic:.2f}), temporal gain {row.temporal_gain:.3f} dB"
    return f"step {row.step}: loss {row.loss:.5f}, {scores}, {row.drawing:.0%} of the time for samples"


def shown_by(progress: Progress) -> Callable[[State], None]:
    """Returns a callback that shows step, loss and validation PSNR, and prints each validation on a line of its own."""
    found = ""

    def show(state: State) -> None:
        nonlocal found
        if state.row is not None:
            found = f", {state.row.psnr:.2f} dB"
            say(sentence(state.row))
        progress.update(state.step, f"loss {state.loss:.5f}{found}")

    return show
