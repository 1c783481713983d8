"""`vsduf preview IN`: shows a few frames of a film before and after on a page, and estimates the film's time."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path
from typing import Any

import vapoursynth as vs

import vsduf
from vsduf.analysis.clip import open_clip
from vsduf.cli.options import add_device, check_device
from vsduf.cli.terminal import FRAMES, Progress, clock_time, say
from vsduf.errors import ArgumentError
from vsduf.preview import page
from vsduf.preview.frames import render, seconds_a_frame, spread
from vsduf.upscaler import SCALES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the film or scripts, the frames, the models and the folder."""
    parser.add_argument("source", metavar="IN", type=Path, nargs="?", help="film to preview")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder to write (default: IN.preview)")
    parser.add_argument("--frames", type=int, default=4, metavar="N", help="frames spread over the film (default 4)")
    parser.add_argument("--at", type=int, action="append", metavar="N", help="a frame by its number; may be repeated")
    parser.add_argument("--scale", type=int, default=4, choices=SCALES, help="upscaling factor (default 4)")
    parser.add_argument(
        "--model", action="append", metavar="MODEL", help="bundled model or weights file; may be repeated to compare"
    )
    parser.add_argument(
        "--compare", nargs="+", type=Path, metavar="A.vpy", help="compare the outputs of these scripts instead of IN"
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Writes the pictures and the page; raises DufError or vs.Error for what cannot be shown."""
    _check(args)
    names, clips = _scripts(args.compare) if args.compare else _upscaled(args)
    numbers = _numbers(args, clips[0].num_frames)
    first = args.source or args.compare[0]
    folder = args.output or first.with_name(f"{first.name}.preview")
    say(f"timing {clips[-1].width}x{clips[-1].height} frames of {names[-1]}")
    took = seconds_a_frame(clips[-1], numbers[0])
    length = clips[-1].num_frames
    estimate = (
        f"{length} frames will take {clock_time(took * length)} at {1 / took:.2f} frames a second, before encoding"
    )
    say(f"the whole film's {estimate}")
    with Progress(len(numbers), FRAMES, "preview") as progress:
        shown = render(clips, numbers, progress.update)
    sizes = f"{clips[0].width}x{clips[0].height} to {clips[-1].width}x{clips[-1].height}"
    written = page.write(folder, first.name, names, shown, [sizes, f"The whole film: {estimate}."])
    say(f"wrote {written}; open it in a browser")
    return 0


def _check(args: argparse.Namespace) -> None:
    if (args.source is None) == (args.compare is None):
        raise ArgumentError("name a film to preview, or scripts with --compare, not both")
    if args.frames < 1:
        raise ArgumentError(f"--frames is {args.frames}; it must be 1 or more")
    check_device(args.device_id, args.fp16, args.device)


def _upscaled(args: argparse.Namespace) -> tuple[list[str], list[vs.VideoNode]]:
    """Returns the film, which the page shows enlarged by bicubic, and the film upscaled by each model."""
    clip = open_clip(args.source)
    marked = vsduf.mark_cuts(clip)
    where = {"device_id": args.device_id, "device": args.device, "fp16": args.fp16}
    models = args.model or [None]
    names = ["source, bicubic", *(f"vsduf {model}" if model else "vsduf" for model in models)]
    return names, [clip, *(vsduf.upscale(marked, args.scale, model=model, **where) for model in models)]


def _scripts(paths: list[Path]) -> tuple[list[str], list[vs.VideoNode]]:
    """Returns the outputs of scripts; raises ArgumentError for a script without one, or of another length."""
    clips: list[vs.VideoNode] = []
    for path in paths:
        if not path.is_file():
            raise ArgumentError(f"{path} is not a script; name a .vpy file")
        vs.clear_outputs()
        runpy.run_path(str(path))
        output: Any = vs.get_outputs().get(0)
        if output is None:
            raise ArgumentError(f"{path} has no output; end it with clip.set_output()")
        clips.append(output.clip)
    vs.clear_outputs()
    if len({clip.num_frames for clip in clips}) > 1:
        lengths = ", ".join(f"{path} has {clip.num_frames}" for path, clip in zip(paths, clips, strict=True))
        raise ArgumentError(f"the scripts give different numbers of frames: {lengths}")
    return [path.stem for path in paths], clips


def _numbers(args: argparse.Namespace, length: int) -> list[int]:
    for number in args.at or []:
        if not 0 <= number < length:
            raise ArgumentError(f"--at is {number}; the film's frames are 0 to {length - 1}")
    return sorted(set(args.at)) if args.at else spread(length, args.frames)
