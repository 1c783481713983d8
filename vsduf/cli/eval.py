"""`vsduf eval DIR`: scores a model, or finished frames, against ground truth, beside bicubic."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsduf.cli.terminal import Progress, check_output, say
from vsduf.engine.engine import open_engine
from vsduf.errors import ArgumentError, MediaError
from vsduf.evaluation import protocol
from vsduf.evaluation.protocol import Protocol, Score
from vsduf.film.arrays import by_name, read_clip
from vsduf.network import catalogue, weights
from vsduf.siting import Siting
from vsduf.system import keep_large_blocks

HEAD = (
    f"{'':16} {'frames':>6} {'PSNR':>7} {'SSIM':>7} {'flicker':>7}   {'bicubic':>7} {'SSIM':>7} {'flicker':>7}   gain"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is judged, against what, and where the figures go."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="ground truth: videos, or a folder of frames a clip")
    judged = parser.add_mutually_exclusive_group()
    judged.add_argument("--model", help="a bundled model's name or a weights file (default: best for the scale)")
    judged.add_argument("--frames", type=Path, metavar="DIR", help="score these finished frames, DIR/<clip>/*.png")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="default: the model's, or 4")
    parser.add_argument(
        "--siting", type=Siting, choices=tuple(Siting), help="where LR samples lie (default: as the model says)"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="score each N-th frame only")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there too")
    parser.add_argument("--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU")
    parser.add_argument("--device", metavar="NAME", help="cuda:0, rocm (AMD), xpu (Intel), mps (Apple) or cpu")
    parser.add_argument("--fp16", action=argparse.BooleanOptionalAction, default=None, help="half precision")


def run(args: argparse.Namespace) -> int:
    """Prints the table; 1 if a clip was left out, each with its reason on stderr. Raises DufError for all else."""
    keep_large_blocks()
    if args.every < 1:
        raise ArgumentError(f"--every is {args.every}; it must be 1 or more")
    check_output(args.json)
    clips = by_name(args.folder)
    model = None if args.frames else args.model or catalogue.best(args.scale or 4)
    task = _task(args, model)
    others = protocol.folders_for(clips, args.frames) if args.frames else {}
    where = {"device_id": args.device_id, "device": args.device, "fp16": args.fp16}
    opener = functools.partial(open_engine, model, task.scale, **where, warn=_warn)
    scores: dict[str, Score] = {}
    left_out: dict[str, str] = {}
    print(HEAD)
    for name, source in clips.items():
        try:
            scores[name] = _score(read_clip(source), others.get(name), opener, task)
        except (ArgumentError, MediaError) as error:  # the others' hours are not to be lost for it
            left_out[name] = str(error)
            say(f"{name} is left out: {error}")
        else:
            print(row(name, scores[name]), flush=True)
    if scores:
        print(row("mean", protocol.mean(scores.values())))
    if scores and args.json:
        found = report(scores, left_out, task, str(args.frames or model))
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if left_out else 0


def _score(truth: NDArray[np.uint8], frames: Path | None, opener: protocol.Opener, task: Protocol) -> Score:
    """What a clip comes to by an upscaler, or by finished frames if there are any."""
    with Progress(protocol.frames_scored(len(truth), task.every)) as progress:
        if frames is not None:
            return protocol.score_frames(truth, read_clip(frames), task, progress.update)
        return protocol.score_upscaler(truth, opener, task, progress.update)


def row(name: str, score: Score) -> str:
    """A line of the table."""

    def cell(value: float | None, form: str) -> str:
        return format(value, form) if value is not None else "-".rjust(int(form.split(".")[0]))

    ours = f"{score.psnr:7.2f} {score.ssim:7.4f} {cell(score.flicker, '7.3f')}"
    cubic = f"{score.bicubic_psnr:7.2f} {score.bicubic_ssim:7.4f} {cell(score.bicubic_flicker, '7.3f')}"
    return f"{name:16} {score.frames:6} {ours}   {cubic}   {cell(score.temporal_gain, '5.3f')}"


def report(scores: Mapping[str, Score], left_out: Mapping[str, str], task: Protocol, what: str) -> dict[str, object]:
    """The JSON: what was judged and how, each clip, why others were left out, the mean."""
    clips = {name: asdict(score) for name, score in scores.items()}
    means = asdict(protocol.mean(scores.values()))
    return {"judged": what, **asdict(task), "clips": clips, "left_out": dict(left_out), "mean": means}


def _task(args: argparse.Namespace, model: str | None) -> Protocol:
    if model is None:
        return Protocol(args.scale or 4, args.siting or Siting.CENTER, args.every)
    loaded = weights.load(model)
    for given, said, word in ((args.scale, loaded.config.scale, "scale"), (args.siting, loaded.siting, "siting")):
        if given is not None and given != said:
            raise ArgumentError(f"--{word} is {given}, but the model {model!r} was trained for {said}; leave it out")
    return Protocol(loaded.config.scale, loaded.siting, args.every)


def _warn(text: str) -> None:
    say(text)
