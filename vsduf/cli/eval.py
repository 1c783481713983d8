"""`vsduf eval DIR`: scores a model, or finished frames, against ground truth, with bicubic as the baseline."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsduf.cli.options import add_device, add_model, check_device
from vsduf.cli.terminal import Progress, check_output, say
from vsduf.degradations.recipe import HELD_OUT
from vsduf.errors import ArgumentError, MediaError
from vsduf.network import catalogue
from vsduf.network.header import Header, read_header
from vsduf.output import write_whole
from vsduf.siting import Siting
from vsduf.system import keep_large_blocks
from vsduf.upscaler import SCALES

if TYPE_CHECKING:
    from vsduf.evaluation.protocol import Lower, Opener, Protocol, Score
    from vsduf.network.weights import Weights

HEAD = (
    f"{'':16} {'frames':>6} {'PSNR':>7} {'SSIM':>7} {'flicker':>7}   {'bicubic':>7} {'SSIM':>7} {'flicker':>7}   gain"
)
UNITS = "PSNR, bicubic: dB of luma; flicker: 8-bit levels; gain: dB of PSNR that the neighbouring frames bring"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is scored, against what, and where the scores go."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="ground truth: videos, or one folder of frames a clip")
    scored = parser.add_mutually_exclusive_group()
    add_model(scored)
    scored.add_argument("--frames", type=Path, metavar="DIR", help="score these finished frames: DIR/CLIP/*.png")
    parser.add_argument("--scale", type=int, choices=SCALES, help="upscaling factor (default: the model's, or 4)")
    parser.add_argument(
        "--siting", type=Siting, choices=tuple(Siting), help="where LR samples lie (default: the model's, or center)"
    )
    parser.add_argument(
        "--degrade",
        choices=tuple(HELD_OUT),
        help="degrade the clips as such a source is, by real encoders (default: blur alone)",
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="score each N-th frame only (default 1)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all scores to this JSON file too")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Prints a table; returns 1 if a clip was left out, with the reason on stderr. Raises DufError for all else."""
    model = None if args.frames else args.model or catalogue.best(args.scale or 4)
    _check(args, model)
    from vsduf.engine.engine import open_engine
    from vsduf.evaluation.protocol import folders_for, mean
    from vsduf.film.arrays import by_name, read_clip

    keep_large_blocks()
    clips = by_name(args.folder)
    protocol = _protocol(args, model)
    finished = folders_for(clips, args.frames) if args.frames else {}
    where = {"device_id": args.device_id, "device": args.device, "fp16": args.fp16}
    opener = functools.partial(open_engine, model, protocol.scale, **where, warn=say)
    scores: dict[str, Score] = {}
    left_out: dict[str, str] = {}
    print(HEAD)
    for name, source in clips.items():
        try:
            scores[name] = _score(read_clip(source), finished.get(name), opener, protocol, args.degrade)
        except (ArgumentError, MediaError) as error:  # the hours spent on other clips must not be lost
            left_out[name] = str(error)
            say(f"{name} is left out: {error}")
        else:
            print(row(name, scores[name]), flush=True)
    if scores:
        print(row("mean", mean(scores.values())))
        print(UNITS)
    if scores and args.json:
        text = json.dumps(report(scores, left_out, protocol, str(args.frames or model), args.degrade), indent=2) + "\n"
        write_whole(args.json, lambda part: part.write_text(text))
    return 1 if left_out else 0


def _check(args: argparse.Namespace, model: str | None) -> None:
    """Refuses before torch is loaded what would fail later."""
    if args.every < 1:
        raise ArgumentError(f"--every is {args.every}; it must be 1 or more")
    if args.frames and args.degrade:
        raise ArgumentError("--degrade is of what a model is given; leave it out with --frames")
    check_output(args.json)
    check_device(args.device_id, args.fp16, args.device)
    if model is not None:
        path = catalogue.find(model)
        if path.suffix.lower() == catalogue.SUFFIX:
            _check_model(args, model, read_header(path))


def _check_model(args: argparse.Namespace, model: str, stated: Header | Weights) -> None:
    found = {"scale": stated.config.scale, "siting": stated.siting}
    for word, value in found.items():
        given = getattr(args, word)
        if given is not None and given != value:
            raise ArgumentError(f"--{word} is {given}, but the model {model!r} was trained for {value}; leave it out")


def _protocol(args: argparse.Namespace, model: str | None) -> Protocol:
    from vsduf.evaluation.protocol import Protocol
    from vsduf.network import weights

    if model is None:
        return Protocol(args.scale or 4, args.siting or Siting.CENTER, args.every)
    loaded = weights.load(model)
    _check_model(args, model, loaded)
    return Protocol(loaded.config.scale, loaded.siting, args.every)


def _score(truth: Any, frames: Path | None, opener: Opener, protocol: Protocol, kind: str | None) -> Score:
    """Scores a clip upscaled by the model, or finished frames. kind: of the degradation, a key of HELD_OUT."""
    from vsduf.evaluation.protocol import frames_scored, score_frames, score_upscaler
    from vsduf.film.arrays import read_clip

    with Progress(frames_scored(len(truth), protocol.every)) as progress:
        if frames is not None:
            return score_frames(truth, read_clip(frames), protocol, progress.update)
        return score_upscaler(truth, opener, protocol, progress.update, _lower(kind, protocol))


def _lower(kind: str | None, protocol: Protocol) -> Lower | None:
    """Returns what degrades clips as a kind of source is degraded; the same noise for every model."""
    if kind is None:
        return None
    import numpy as np

    from vsduf.degradations.history import degraded

    return lambda clip: degraded(clip, protocol.scale, protocol.siting, HELD_OUT[kind], np.random.default_rng(0))


def row(name: str, score: Score) -> str:
    """Returns a line of the table."""

    def cell(value: float | None, form: str) -> str:
        return format(value, form) if value is not None else "-".rjust(int(form.split(".")[0]))

    scores = f"{score.psnr:7.2f} {score.ssim:7.4f} {cell(score.flicker, '7.3f')}"
    cubic = f"{score.bicubic_psnr:7.2f} {score.bicubic_ssim:7.4f} {cell(score.bicubic_flicker, '7.3f')}"
    return f"{name:16} {score.frames:6} {scores}   {cubic}   {cell(score.temporal_gain, '5.3f')}"


def report(
    scores: Mapping[str, Score], left_out: Mapping[str, str], protocol: Protocol, scored: str, degraded: str | None
) -> dict[str, object]:
    """Returns all scores as JSON's types: what was scored and how, each clip, why others were left out, the mean."""
    from vsduf.evaluation.protocol import mean

    clips = {name: asdict(score) for name, score in scores.items()}
    means = asdict(mean(scores.values()))
    how = {"scored": scored, "degraded": degraded, **asdict(protocol)}
    return {**how, "clips": clips, "left_out": dict(left_out), "mean": means}
