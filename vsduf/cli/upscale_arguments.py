"""The arguments of `vsduf upscale`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from vsduf.cli.batch import PATTERN
from vsduf.cli.options import add_device, add_model
from vsduf.cli.resume import Status
from vsduf.film.segments import SECONDS

USAGE = "vsduf upscale [options] IN OUT\n       vsduf upscale [options] IN... -o FOLDER"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments; those of the network have core.duf.Upscale's names."""
    parser.usage = USAGE
    parser.set_defaults(refuse=parser.error)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="IN OUT",
        type=Path,
        help="film to read, or a script (.vpy) to encode as it is, and film to write, whose ending chooses the "
        "container; with -o any number of films, folders of films and patterns such as 'tapes/*.avi'",
    )
    parser.add_argument("-o", "--output-folder", metavar="FOLDER", type=Path, help="write all films into FOLDER")
    parser.add_argument(
        "--name",
        default=PATTERN,
        metavar="PATTERN",
        help="names of the films in FOLDER; {stem}, {suffix}, {folder} and {number} stand for those of the film that "
        f"is read (default {PATTERN})",
    )
    parser.add_argument(
        "--auto",
        action="store_true",
        help="examine the film, write a script as `vsduf script` does beside OUT, unless it is there, and encode it",
    )
    parser.add_argument(
        "--script", metavar="FILE.vpy", type=Path, help="encode the script's clip as it is, with the sound of IN"
    )
    parser.add_argument(
        "--json", action="store_true", help="write the progress to stdout for programs, a line of JSON a second"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.add_argument(
        "--progressive", action="store_true", help="take IN as progressive even if it is marked as interlaced"
    )
    parser.add_argument(
        "--animation", action="store_true", help="upscale repeated frames once: faster, and sharper for drawn animation"
    )
    parser.add_argument(
        "--audio",
        default="auto",
        metavar="auto|copy|none|CODEC",
        help="sound: auto copies it and converts what OUT cannot hold, copy refuses that, none leaves sound out, "
        "CODEC converts all of it (default auto)",
    )
    parser.add_argument("--no-subtitles", dest="subtitles", action="store_false", help="leave out the subtitles of IN")
    network = parser.add_argument_group("network")
    network.add_argument("--scale", type=int, metavar="N", help="enlarge 2, 3 or 4 times (default 4, or by the size)")
    network.add_argument("--width", type=int, metavar="N", help="width of OUT in pixels (default: by --scale)")
    network.add_argument("--height", type=int, metavar="N", help="height of OUT in pixels (default: by --scale)")
    network.add_argument("--square", action="store_true", help="make the pixels of OUT square (default: as IN)")
    add_model(network)
    add_device(network)
    network.add_argument(
        "--tilesize", type=_sizes, metavar="W[xH]", help="largest tile in source pixels (default: as memory allows)"
    )
    network.add_argument(
        "--overlap",
        type=int,
        metavar="N",
        help="source pixels of a tile around its interior (default: so many that no seams are left)",
    )
    network.add_argument(
        "--num-streams",
        type=int,
        metavar="N",
        help="threads on the CPU (default: one a core), frames at a time on GPUs",
    )
    network.add_argument(
        "--no-scenecut", dest="scenecut", action="store_false", help="let windows of frames reach across scene cuts"
    )
    encoder = parser.add_argument_group("encoder")
    encoder.add_argument("--codec", default="", help="ffmpeg's video encoder (default libx264, for .webm libvpx-vp9)")
    encoder.add_argument("--crf", type=float, metavar="N", help="constant quality (default: visually lossless)")
    encoder.add_argument("--preset", default="", help="the encoder's speed preset")
    encoder.add_argument("--depth", type=int, choices=(8, 10, 12, 16), help="bits of a sample of OUT (default: as IN)")
    resume = parser.add_argument_group("resume")
    resume.add_argument(
        "--segment",
        type=_seconds,
        default=SECONDS,
        metavar="SECONDS",
        help="least length of the segments, at most one of which a stopped run loses (default 5)",
    )
    resume.add_argument(
        "--no-segments",
        dest="segments",
        action="store_false",
        help="encode in one pass; a run that is stopped begins again",
    )
    resume.add_argument("--restart", action="store_true", help="begin again, and delete what a stopped run has left")
    resume.add_argument("--status", action=Status, metavar="FOLDER", help="list unfinished films and exit (default: .)")
    workers = parser.add_argument_group("several devices and machines, by Ray (pip install 'vsduf[cluster]')")
    workers.add_argument(
        "--workers",
        type=_workers,
        metavar="auto|N",
        help="processes that encode segments at a time, each with a GPU or a share of the cores; auto: one a GPU, "
        "or one a machine without any",
    )
    workers.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="use the machines of a cluster that `ray start` has made, such as 192.168.0.2:6379 or auto; IN must have "
        "the same path on all of them",
    )
    encoder.add_argument(
        "--encoder-option",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one more option of the encoder; may be given several times",
    )


def _sizes(text: str) -> list[int]:
    """Reads 256 or 320x180."""
    sizes = text.split("x")
    if len(sizes) > 2 or not all(size.isdecimal() for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a size nor WxH")
    return [int(size) for size in sizes]


def _workers(text: str) -> int:
    """Reads a number of workers; 0 for auto."""
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of workers")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.lstrip("-"), value
