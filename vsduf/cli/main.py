"""The `vsduf` program: one module of this package per command, imported only when that command is asked for.

A command's module has `add_arguments(parser)` and `run(args) -> int`, the exit code: 0 done, 1 refused or failed,
2 usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from vsduf import __version__
from vsduf.cli.terminal import say
from vsduf.errors import DufError

COMMANDS = {  # name, which is that of the module, and what `vsduf --help` says of it
    "upscale": "make a film 2, 3 or 4 times as large; sound, subtitles and all else stay",
    "train": "train a network on your own footage, or go on with a run that was stopped",
    "eval": "score a model, or finished frames, against ground truth",
    "show": "draw what a network has learnt, and what comes out of it",
    "bench": "frames a second on this machine, next to the plain network and to other filters",
    "weights": "list the models, show what a weights file is, convert published weights",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `argv` (default: the program's own arguments) and returns the exit code; a refusal is one line on stderr."""
    words = sys.argv[1:] if argv is None else list(argv)
    asked = next((word for word in words if not word.startswith("-")), "")
    try:
        args = _parser(asked).parse_args(words)
        return int(importlib.import_module(f"vsduf.cli.{args.command}").run(args))
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except _refusals() as error:
        say(str(error))
    except OSError as error:  # a full disk, a folder without permission, a file that went away
        say(f"{error.filename or args.command}: {error.strerror or error}")
    return 1


def _parser(asked: str) -> argparse.ArgumentParser:
    """The parser, which knows the arguments of the command that is asked for; the others would cost their imports."""
    parser = argparse.ArgumentParser(prog="vsduf", description="Video super-resolution with DUF for VapourSynth.")
    parser.add_argument("--version", action="version", version=f"vsduf {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        if name == asked:
            importlib.import_module(f"vsduf.cli.{name}").add_arguments(command)
    return parser


def _refusals() -> tuple[type[Exception], ...]:
    """What commands refuse with: our own errors, and VapourSynth's if one has imported it."""
    vapoursynth = sys.modules.get("vapoursynth")
    return (DufError,) if vapoursynth is None else (DufError, vapoursynth.Error)
