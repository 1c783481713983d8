"""`vsduf show WHAT ... OUT.png`: pictures of what a network has learnt."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from vsduf.cli.terminal import check_output, say
from vsduf.errors import ArgumentError
from vsduf.system import keep_large_blocks

WHAT = {
    "motion": "a bar that moves left and right: the same filters, other activations",
    "kernels": "learnt 3x3 kernels",
    "activations": "what the layers make of a frame",
    "filters": "the dynamic filters at a flat place, an edge, a corner and a moving texture",
    "profile": "one row of pixels over time: ground truth, bicubic, DUF",
    "crops": "low resolution, bicubic, DUF and ground truth side by side",
}
LEAST = 32  # HR pixels each way


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command a picture; those that need a film take ground truth, and make it small themselves."""
    figures = parser.add_subparsers(dest="what", required=True, metavar="PICTURE")
    for name, words in WHAT.items():
        picture = figures.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        if name not in ("motion", "kernels"):
            picture.add_argument("clip", metavar="CLIP", type=Path, help="ground truth: a video or a folder of frames")
        if name in ("activations", "filters", "crops"):
            picture.add_argument("--frame", type=int, default=3, metavar="N", help="counted from 0 (default 3)")
        picture.add_argument("out", metavar="OUT.png", type=Path)
        picture.add_argument("--model", help="a bundled model's name or a weights file (default: best for x4)")
        if name == "kernels":
            picture.add_argument("--block", type=int, metavar="K", help="dense block, from 1 (default: the last)")
        if name == "filters":
            picture.add_argument("--at", type=_pair, action="append", metavar="X,Y", help="a place in LR pixels")
        if name == "profile":
            picture.add_argument("--row", type=int, metavar="Y", help="row of HR pixels (default: the middle)")
            picture.add_argument("--frames", type=int, default=40, metavar="N", help="from the first (default 40)")
        if name == "crops":
            picture.add_argument("--box", type=_box, metavar="X,Y,W,H", help="HR pixels (default: the middle, 160x120)")


def run(args: argparse.Namespace) -> int:
    """Draws the picture; raises DufError for what cannot be read or shown."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError("pictures need matplotlib; pip install 'vsduf[train]'")
    check_output(args.out)
    keep_large_blocks()
    from vsduf.evaluation import figures

    figures.save(_figure(args), args.out)
    say(f"wrote {args.out}")
    return 0


def _figure(args: argparse.Namespace) -> Any:
    from vsduf.evaluation import experiments, figures
    from vsduf.evaluation.protocol import Protocol, low_resolution
    from vsduf.network import catalogue, weights

    loaded = weights.load(args.model or catalogue.best(4))
    network, task = loaded.network(), Protocol(loaded.config.scale, loaded.siting)
    if args.what == "motion":
        return figures.motion(experiments.bar_motion(network, siting=loaded.siting))
    if args.what == "kernels":
        return figures.kernels(network, _between(args.block, 1, loaded.config.blocks, "--block"))
    clip = _clip(args, task.scale)
    if args.what == "profile":
        row = _between(args.row, 0, clip.shape[2] - 1, "--row", clip.shape[2] // 2)
        return figures.profile(experiments.profile(network, clip, row, min(args.frames, len(clip)), task), row)
    frame = _between(args.frame, 0, len(clip) - 1, "--frame")
    if args.what == "crops":
        return figures.crops(experiments.crop(network, clip, frame, _inside(args.box, clip.shape), task))
    small = [low_resolution(f, task) for f in clip]
    window = experiments.window_of(small, frame)
    seen = experiments.look(network, window)
    if args.what == "activations":
        return figures.activations(seen, window)
    return figures.filters(seen, window, _places(args.at, window) or experiments.interesting_places(window))


def _clip(args: argparse.Namespace, scale: int) -> Any:
    """The frames that the picture needs, and no more, cut to multiples of the scale."""
    from vsduf.film.arrays import read_clip
    from vsduf.upscaler import RADIUS

    if not args.clip.exists():
        raise ArgumentError(f"{args.clip} does not exist; name a video or a folder of frames")
    if args.what == "profile" and args.frames < 2:
        raise ArgumentError(f"--frames is {args.frames}; it must be 2 or more")
    last = args.frames - 1 if args.what == "profile" else max(0, args.frame)
    clip = read_clip(args.clip, last + RADIUS + 1)
    height, width = (side // scale * scale for side in clip.shape[2:])
    if min(height, width) < LEAST or (args.what == "profile" and len(clip) < 2):
        what = f"{len(clip)} frames of {clip.shape[3]}x{clip.shape[2]}"
        raise ArgumentError(f"{args.clip} holds {what}; at least {LEAST} pixels each way, and two frames, are needed")
    return clip[:, :, :height, :width]


def _places(at: list[tuple[int, ...]] | None, window: Any) -> list[Any]:
    from vsduf.evaluation.experiments import Place

    places = [Place("chosen", y, x) for x, y in at or []]
    for place in places:
        _between(place.x, 0, window.shape[3] - 1, "--at")
        _between(place.y, 0, window.shape[2] - 1, "--at")
    return places


def _inside(box: tuple[int, ...] | None, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    height, width = shape[2:]
    if box is None:
        wide, high = min(160, width), min(120, height)
        return (width - wide) // 2, (height - high) // 2, wide, high
    left, top, wide, high = box
    if min(left, top) < 0 or min(wide, high) < 11 or left + wide > width or top + high > height:
        raise ArgumentError(f"--box {left},{top},{wide},{high} is not 11x11 or more inside {width}x{height}")
    return left, top, wide, high


def _between(value: int | None, least: int, most: int, word: str, default: int | None = None) -> int:
    if value is None:
        return most if default is None else default
    if not least <= value <= most:
        raise ArgumentError(f"{word} is {value}; it must be {least} to {most}")
    return value


def _pair(text: str) -> tuple[int, ...]:
    return _numbers(text, 2)


def _box(text: str) -> tuple[int, ...]:
    return _numbers(text, 4)


def _numbers(text: str, count: int) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != count or not all(part.strip().lstrip("-").isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not {count} whole numbers with commas between")
    return tuple(int(part) for part in parts)
