"""The `vsduf` program. Each command is a module of this package, which is imported only if the command is used.

A command's module has `add_arguments(parser)` and `run(args) -> int`, the exit code: 0 done, 1 refused or failed,
2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from vsduf import __version__
from vsduf.cli import failures
from vsduf.cli.terminal import say

COMMANDS = {  # the name of the command and its module: its help
    "upscale": "make a film 2, 3 or 4 times as large, with its sound, subtitles, chapters and tags",
    "preview": "show a few frames before and after in a browser, and estimate the time of the whole film",
    "script": "examine a film, and write the VapourSynth script that its restoration begins with",
    "train": "train a network on your own footage, or resume a run",
    "eval": "score a model, or finished frames, against ground truth",
    "show": "draw a model's results, filters, activations and kernels",
    "bench": "measure frames per second on this machine, beside other filters",
    "weights": "list the bundled models, describe a weights file, convert published weights, export ONNX",
    "devices": "list what can compute on this machine: the CPU and the graphics cards that torch can use",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `argv` (default: the program's arguments) and returns the exit code; an error is one line on stderr."""
    words = (sys.argv[1:] if argv is None else list(argv)) or ["--help"]
    asked = next((word for word in words if not word.startswith("-")), "")
    try:
        args = _parser(asked).parse_args(words)
        args.words = words
        return int(importlib.import_module(f"vsduf.cli.{args.command}").run(args))
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except failures.expected() as error:
        say(failures.sentence(error, args.command))
    return 1


def _parser(asked: str) -> argparse.ArgumentParser:
    """Returns the parser, with arguments for the command that is used only: the others would cost their imports."""
    parser = argparse.ArgumentParser(prog="vsduf", description="Video super-resolution with DUF for VapourSynth.")
    parser.add_argument("--version", action="version", version=f"vsduf {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        if name == asked:
            importlib.import_module(f"vsduf.cli.{name}").add_arguments(command)
    return parser
