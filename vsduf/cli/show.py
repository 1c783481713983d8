"""`vsduf show PICTURE ... OUT.png`: draws a model's results, and what the model has learnt."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsduf.cli.options import add_model, check_matplotlib
from vsduf.cli.terminal import check_output, say
from vsduf.errors import ArgumentError
from vsduf.network import catalogue
from vsduf.system import keep_large_blocks

if TYPE_CHECKING:
    from vsduf.evaluation.experiments import Box, Place
    from vsduf.evaluation.protocol import Protocol

PICTURES = {
    "crops": "a region as low resolution, bicubic, vsduf and ground truth, with PSNR and SSIM",
    "profile": "one row of pixels over time, where flicker shows as ragged lines",
    "filters": "the dynamic filters at a flat place, an edge, a corner and a moving texture",
    "motion": "filters, activations and output for a bar that moves left and one that moves right",
    "activations": "the activations of every stage for one frame",
    "kernels": "the learnt 3x3 kernels of the first layer and of one dense block",
}
WITHOUT_CLIP = ("motion", "kernels")
LEAST = 32  # HR pixels each way


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds one sub-command per picture; a clip is ground truth, from which the command makes the low resolution."""
    pictures = parser.add_subparsers(dest="what", required=True, metavar="PICTURE")
    for name, words in PICTURES.items():
        picture = pictures.add_parser(name, help=words, description=f"Draws {words}.")
        if name not in WITHOUT_CLIP:
            picture.add_argument(
                "clip", metavar="CLIP", type=_clip_path, help="ground truth: a video or a folder of frames"
            )
        picture.add_argument("out", metavar="OUT.png", type=Path, help="the picture to write")
        add_model(picture, "the best one for x4")
        if name in ("activations", "filters", "crops"):
            picture.add_argument("--frame", type=int, default=3, metavar="N", help="frame, counted from 0 (default 3)")
        if name == "kernels":
            picture.add_argument("--block", type=int, metavar="K", help="dense block, from 1 (default: the last)")
        if name == "filters":
            at_help = "an LR pixel to show instead; may be repeated"
            picture.add_argument("--at", type=_pair, action="append", metavar="X,Y", help=at_help)
        if name == "profile":
            picture.add_argument("--row", type=int, metavar="Y", help="row in HR pixels (default: the middle)")
            picture.add_argument("--frames", type=int, default=40, metavar="N", help="number of frames (default 40)")
        if name == "crops":
            box_help = "region in HR pixels (default: 160x120 in the middle)"
            picture.add_argument("--box", type=_box, metavar="X,Y,W,H", help=box_help)


def run(args: argparse.Namespace) -> int:
    """Draws the picture; raises DufError for what cannot be read or shown, OSError if the picture cannot be written."""
    model = args.model or catalogue.best(4)
    _check(args, model)
    keep_large_blocks()
    from vsduf.evaluation import figures

    figures.save(_figure(args, model), args.out)
    say(f"wrote {args.out}")
    return 0


def _check(args: argparse.Namespace, model: str) -> None:
    """Refuses before torch is loaded what would fail later."""
    check_matplotlib()
    if args.out.suffix.lower() != ".png":
        raise ArgumentError(f"{args.out} does not end in .png; the picture that vsduf show writes is a PNG")
    check_output(args.out)
    catalogue.find(model)
    if args.what not in WITHOUT_CLIP and not args.clip.exists():
        raise ArgumentError(f"{args.clip} does not exist; name a video or a folder of frames")
    if args.what == "profile" and args.frames < 2:
        raise ArgumentError(f"--frames is {args.frames}; it must be 2 or more")


def _figure(args: argparse.Namespace, model: str) -> Any:
    from vsduf.evaluation import experiments, figures
    from vsduf.evaluation.protocol import Protocol, low_resolution
    from vsduf.network import weights

    loaded = weights.load(model)
    network, protocol = loaded.network(), Protocol(loaded.config.scale, loaded.siting)
    name = f"model {Path(model).name} (x{protocol.scale})"
    if args.what == "motion":
        return figures.motion(experiments.bar_motion(network, siting=loaded.siting), name)
    if args.what == "kernels":
        return figures.kernels(network, _between(args.block, 1, loaded.config.blocks, "--block"), name)
    clip = _clip(args, protocol.scale)
    if args.what == "profile":
        return _profile(args, network, clip, protocol, name)
    frame = _between(args.frame, 0, len(clip) - 1, "--frame")
    caption = f"{args.clip.name}, frame {frame}; {name}"
    if args.what == "crops":
        box = _inside(args.box, clip.shape)
        comparison = experiments.crop(network, clip, frame, box, protocol)
        return figures.crops(comparison, "{}, x {}, y {}, {}x{} pixels".format(caption, *box))
    window = experiments.window_of([low_resolution(f, protocol) for f in clip], frame)
    outputs = experiments.layer_outputs(network, window)
    if args.what == "activations":
        return figures.activations(outputs, window, caption)
    return figures.filters(outputs, window, _places(args.at, window), caption)


def _profile(args: argparse.Namespace, network: Any, clip: Any, protocol: Protocol, name: str) -> Any:
    from vsduf.evaluation import experiments, figures

    row = _between(args.row, 0, clip.shape[2] - 1, "--row", clip.shape[2] // 2)
    frames = min(args.frames, len(clip))
    comparison = experiments.profile(network, clip, row, frames, protocol)
    return figures.profile(comparison, f"{args.clip.name}, row {row}, frames 0 to {frames - 1}; {name}")


def _clip(args: argparse.Namespace, scale: int) -> Any:
    """Reads the frames that the picture needs, and no more, cut to multiples of the scale."""
    from vsduf.film.arrays import read_clip
    from vsduf.upscaler import RADIUS

    last = args.frames - 1 if args.what == "profile" else max(0, args.frame)
    clip = read_clip(args.clip, last + RADIUS + 1)
    height, width = (side // scale * scale for side in clip.shape[2:])
    if min(height, width) < LEAST or (args.what == "profile" and len(clip) < 2):
        what = f"{len(clip)} frames of {clip.shape[3]}x{clip.shape[2]}"
        raise ArgumentError(f"{args.clip} holds {what}; at least {LEAST} pixels each way, and two frames, are needed")
    return clip[:, :, :height, :width]


def _places(at: list[tuple[int, ...]] | None, window: Any) -> list[Place]:
    """Returns the places of --at, or the interesting ones without it."""
    from vsduf.evaluation.experiments import Place, interesting_places

    for x, y in at or []:
        _between(x, 0, window.shape[3] - 1, "--at")
        _between(y, 0, window.shape[2] - 1, "--at")
    return [Place("chosen", y, x) for x, y in at] if at else interesting_places(window)


def _inside(box: tuple[int, ...] | None, shape: tuple[int, ...]) -> Box:
    """Returns --box, or without it a box in the middle; raises ArgumentError for a box that leaves the frame."""
    height, width = shape[2:]
    if box is None:
        wide, high = min(160, width), min(120, height)
        return (width - wide) // 2, (height - high) // 2, wide, high
    left, top, wide, high = box
    if min(left, top) < 0 or min(wide, high) < 11 or left + wide > width or top + high > height:
        raise ArgumentError(f"--box {left},{top},{wide},{high} is not 11x11 or more inside {width}x{height}")
    return left, top, wide, high


def _between(value: int | None, least: int, most: int, word: str, default: int | None = None) -> int:
    """Returns the value of an option, or the default (the highest value unless given); raises ArgumentError."""
    if value is None:
        return most if default is None else default
    if not least <= value <= most:
        raise ArgumentError(f"{word} is {value}; it must be {least} to {most}")
    return value


def _clip_path(text: str) -> Path:
    """Refuses a picture in the place of the clip: argparse would say that OUT.png is missing, but the clip is."""
    path = Path(text)
    if path.suffix.lower() == ".png" and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a picture; name a video or a folder of frames before OUT.png")
    return path


def _pair(text: str) -> tuple[int, ...]:
    return _numbers(text, 2)


def _box(text: str) -> tuple[int, ...]:
    return _numbers(text, 4)


def _numbers(text: str, count: int) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != count or not all(part.strip().removeprefix("-").isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not {count} whole numbers with commas between")
    return tuple(int(part) for part in parts)
