"""`vsduf bench`: frames a second on this machine, against the plain network and other filters with the same weights."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vsduf.bench import contenders, report, rounds
from vsduf.bench.content import footage, random_weights
from vsduf.cli.terminal import Counted, Progress, check_output, say
from vsduf.engine.cpu.worker import on_compute_thread
from vsduf.engine.device import CPU, choose_device
from vsduf.errors import ArgumentError
from vsduf.network.duf import DEPTHS, DufConfig
from vsduf.upscaler import WINDOW

BATCH = 4  # frames that everyone makes in a round
FORMS = {"streaming": ["streaming"], "paper": ["paper"], "both": ["streaming", "paper"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, against whom, and where to write it."""
    parser.add_argument(
        "--peers", action="store_true", help="also measure core.ov.Model and core.ort.Model; needs vsduf[bench]"
    )
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[16], choices=sorted(DEPTHS), help="one depth or several (default 16)"
    )
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default 4")
    parser.add_argument(
        "--size", type=_size, nargs="+", default=[(160, 90)], metavar="WxH", help="of the source (default 160x90)"
    )
    parser.add_argument("--form", choices=sorted(FORMS), default="both", help="of the network (default both)")
    parser.add_argument(
        "--frames", type=int, default=24, metavar="N", help=f"that everyone makes, {BATCH} in turn (default 24)"
    )
    parser.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all figures and the machine there")
    parser.add_argument("--png", type=Path, metavar="OUT", help="draw a chart; needs matplotlib")


def run(args: argparse.Namespace) -> int:
    """Prints a table for each depth and size; 1 if someone's frames are not ours, which makes the figures worthless.

    Raises DufError.
    """
    device_id, half = _check(args)
    device = torch.device("cpu") if device_id == CPU else torch.device("cuda", device_id)
    torch.backends.cudnn.benchmark = True
    machine, trials, wrong = report.machine(device), [], []
    print(f"{machine['device']}, {machine['processor']}, {machine['torch_threads']} threads, torch {machine['torch']}")
    for layers, size in itertools.product(args.layers, args.size):
        trial = report.Trial(layers, size, args.scale, _measure(args, layers, size, device, half))
        trials.append(trial)
        print(f"{trial.title}\n{report.table(trial.results)}", flush=True)
        wrong += rounds.unequal(trial.results)
    if args.json is not None:
        names = ("peers", "layers", "scale", "size", "form", "frames", "device_id")
        options = {name: getattr(args, name) for name in names}
        found = {"options": options, "machine": machine, "trials": [report.document(trial) for trial in trials]}
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    if args.png is not None:
        report.chart(trials, args.png)
    for result in wrong:
        say(f"{result.contender.name}, {result.contender.form}, does not give our frames: {result.decibels:.1f} dB")
    return 1 if wrong else 0


def _check(args: argparse.Namespace) -> tuple[int, bool]:
    """The device and whether it computes in half precision; refuses now what would only fail at the end."""
    if args.frames < 1:
        raise ArgumentError(f"--frames is {args.frames}; it must be 1 or more")
    for path in (args.json, args.png):
        check_output(path)
    if args.png is not None:
        report.check_chart()
    chosen = choose_device(args.device_id, None)
    if args.peers and chosen.device_id != CPU:
        raise ArgumentError("--peers compares on the CPU; add --device-id -1")
    return chosen.device_id, chosen.fp16


def _measure(
    args: argparse.Namespace, layers: int, size: tuple[int, int], device: torch.device, half: bool
) -> list[rounds.Result]:
    count = math.ceil(args.frames / BATCH)
    source = on_compute_thread(lambda: footage((count + 1) * BATCH + WINDOW - 1, size[1], size[0]))
    with (
        tempfile.TemporaryDirectory(prefix="vsduf-") as folder,
        Progress(count, Counted("rounds", rate=""), transient=True) as progress,
    ):
        everyone = on_compute_thread(lambda: list(_contenders(args, layers, source, Path(folder), device, half)))
        return rounds.measure(everyone, count, BATCH, progress.update)


def _contenders(
    args: argparse.Namespace,
    layers: int,
    source: NDArray[np.float32],
    folder: Path,
    device: torch.device,
    half: bool,
) -> Iterator[contenders.Contender]:
    clip = contenders.clip_of(source)
    for form in FORMS[args.form]:
        weights = random_weights(DufConfig.of_depth(layers, args.scale, streaming=form == "streaming"))
        yield contenders.ours(clip, weights, folder, CPU if device.type == "cpu" else device.index, half)
        yield contenders.plain(source, weights, device)
        if half:
            yield contenders.plain(source, weights, device, half=True)
        if args.peers:
            yield from contenders.peers(clip, weights, folder)


def _size(text: str) -> tuple[int, int]:
    """160x90."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 160x90")
    return int(width), int(height)
