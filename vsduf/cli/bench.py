"""`vsduf bench`: frames per second on this machine, of vsduf and of other filters with the same weights."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsduf.cli.options import check_device, check_matplotlib, parse_size
from vsduf.cli.terminal import Counted, Progress, check_output, say
from vsduf.errors import ArgumentError
from vsduf.network.config import DEPTHS, WIDTHS, DufConfig
from vsduf.output import write_whole
from vsduf.upscaler import SCALES, WINDOW

if TYPE_CHECKING:
    import torch

    from vsduf.bench.contenders import Contender
    from vsduf.bench.report import Trial
    from vsduf.bench.rounds import Result
    from vsduf.engine.device import DeviceChoice

BATCH = 4  # frames that each filter makes in a round
FORMS = {"streaming": ["streaming"], "paper": ["paper"], "both": ["streaming", "paper"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds which networks and filters to measure, on which footage, and where to write the results."""
    parser.add_argument(
        "--peers", action="store_true", help="also measure core.ov.Model and core.ort.Model; needs vsduf[bench]"
    )
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[16], choices=sorted(DEPTHS), help="depths of the network (default 16)"
    )
    parser.add_argument("--width", choices=WIDTHS, default="full", help="width of the 16 layers (default full)")
    parser.add_argument("--form", choices=sorted(FORMS), default="both", help="form of the network (default both)")
    parser.add_argument("--scale", type=int, default=4, choices=SCALES, help="upscaling factor (default 4)")
    parser.add_argument(
        "--size", type=parse_size, nargs="+", default=[(160, 90)], metavar="WxH", help="source sizes (default 160x90)"
    )
    parser.add_argument(
        "--frames", type=int, default=24, metavar="N", help=f"frames per filter, in rounds of {BATCH} (default 24)"
    )
    parser.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all times and the machine to this JSON file")
    parser.add_argument("--png", type=Path, metavar="OUT", help="draw a chart into this PNG file; needs vsduf[train]")


def run(args: argparse.Namespace) -> int:
    """Prints a table for each depth and size.

    Returns 1 if a filter's frames differ from core.duf.Upscale's, which makes its times worthless. Raises DufError.
    """
    _check(args)
    say("loading torch and VapourSynth")
    from vsduf.bench import report, rounds
    from vsduf.bench.arithmetic import sgemm_rate
    from vsduf.engine.device import choose_device

    choice = choose_device(args.device_id, None)
    if args.peers:
        _check_peers(choice)
    machine = report.machine(_device(choice))
    print(f"{machine['device']}, {machine['processor']}, {machine['torch_threads']} threads, torch {machine['torch']}")
    trials: list[Trial] = []
    for layers, size in itertools.product(args.layers, args.size):
        results = _measure(args, layers, size, choice)
        rate = sgemm_rate() if choice.on_cpu else None
        trials.append(report.Trial(layers, args.width, size, args.scale, results, rate))
        print(f"{trials[-1].title}\n{report.table(results)}\n{report.limit(trials[-1])}".rstrip(), flush=True)
    _write(args, trials, machine)
    wrong = [result for trial in trials for result in rounds.unequal(trial.results)]
    for result in wrong:
        name = f"{result.contender.name}, {result.contender.form} form"
        say(f"{name}, makes other frames than core.duf.Upscale: {result.decibels:.1f} dB; its times do not count")
    return 1 if wrong else 0


def _check(args: argparse.Namespace) -> None:
    """Refuses before torch is loaded what would fail later."""
    if args.frames < 1:
        raise ArgumentError(f"--frames is {args.frames}; it must be 1 or more")
    if args.width != "full" and args.layers != [16]:
        raise ArgumentError(f"--width {args.width} is for 16 layers; leave --layers out")
    for path in (args.json, args.png):
        check_output(path)
    if args.png is not None:
        check_matplotlib()
    check_device(args.device_id)


def _check_peers(choice: DeviceChoice) -> None:
    from vsduf.bench import contenders

    if not choice.on_cpu:
        raise ArgumentError("--peers compares on the CPU; add --device-id -1")
    contenders.check_peers()


def _measure(args: argparse.Namespace, layers: int, size: tuple[int, int], choice: DeviceChoice) -> list[Result]:
    """Makes the footage and the filters, then times the filters."""
    from vsduf.bench import rounds
    from vsduf.bench.content import bench_footage

    count = math.ceil(args.frames / BATCH)
    frames = (count + 1) * BATCH + WINDOW - 1
    say(f"making {frames} test frames of {size[0]}x{size[1]}")
    source = bench_footage(frames, size[1], size[0])
    with tempfile.TemporaryDirectory(prefix="vsduf-") as folder:
        found = list(_contenders(args, layers, source, Path(folder), choice))
        with Progress(count, Counted("rounds", rate=""), transient=True) as progress:
            return rounds.measure(found, count, BATCH, progress.update)


def _contenders(
    args: argparse.Namespace, layers: int, source: Any, folder: Path, choice: DeviceChoice
) -> Iterator[Contender]:
    """Yields the filters to compare; says which one is opened, as some take seconds to compile the network."""
    import torch

    from vsduf.bench import contenders
    from vsduf.bench.content import bench_weights

    torch.backends.cudnn.benchmark = True
    clip = contenders.clip_of(source)
    for form in FORMS[args.form]:
        say(f"opening the filters with the network's {form} form")
        config = DufConfig.of_depth(layers, args.scale, streaming=form == "streaming", width=args.width)
        weights = bench_weights(config)
        yield contenders.upscale_filter(clip, weights, folder, choice.device_id, choice.fp16)
        yield contenders.plain_torch(source, weights, _device(choice))
        if choice.fp16:
            yield contenders.plain_torch(source, weights, _device(choice), half=True)
        if args.peers:
            yield from contenders.peers(clip, weights, folder)


def _device(choice: DeviceChoice) -> torch.device:
    import torch

    return torch.device("cpu") if choice.on_cpu else torch.device("cuda", choice.device_id)


def _write(args: argparse.Namespace, trials: list[Trial], machine: dict[str, Any]) -> None:
    from vsduf.bench import report

    if args.json is not None:
        names = ("peers", "layers", "width", "scale", "size", "form", "frames", "device_id")
        options = {name: getattr(args, name) for name in names}
        found = {"options": options, "machine": machine, "trials": [report.document(trial) for trial in trials]}
        write_whole(args.json, lambda part: part.write_text(json.dumps(found, indent=2) + "\n"))
    if args.png is not None:
        from vsduf.evaluation import figures

        figures.save(report.chart(trials, machine), args.png)
