"""`vsduf script IN`: examines a film, and writes the VapourSynth script that a restorer would begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from vsduf.cli.auto import examined
from vsduf.cli.terminal import say
from vsduf.errors import ArgumentError
from vsduf.output import write_whole
from vsduf.upscaler import SCALES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the film, the script's name and the scale."""
    parser.add_argument("source", metavar="IN", type=Path, help="film to examine")
    parser.add_argument("-o", "--output", metavar="OUT.vpy", type=Path, help="script to write (default: IN.vpy)")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.vpy if it exists")
    parser.add_argument(
        "--scale", type=int, choices=SCALES, help="upscaling factor (default: the least that reaches 1080 lines)"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the script; raises MediaError for a film that cannot be read, ArgumentError for a name in use."""
    target = args.output or args.source.with_suffix(".vpy")
    if target.exists() and not args.overwrite:
        raise ArgumentError(f"{target} exists; give another name with -o, or --overwrite")
    text = examined(args.source, args.scale)
    write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))
    say(f"wrote {target}; look at it, then: vsduf upscale {target} OUT.mkv")
    return 0
