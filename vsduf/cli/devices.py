"""`vsduf devices`: what can compute on this machine, and how the other commands and core.duf.Upscale name it."""

from __future__ import annotations

import argparse

from vsduf.cli.table import print_table
from vsduf.cli.terminal import say

NOTE = "--device takes these names; without it the first CUDA device that torch can use computes, else the CPU."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: the command has no arguments."""


def run(args: argparse.Namespace) -> int:
    """Prints a table of devices; on stderr, the card that is there but cannot be used, and what helps."""
    from vsduf import system
    from vsduf.bench.report import processor
    from vsduf.engine import device

    cpu = f"{processor()}, {system.usable_cores()} cores, {system.free_bytes() / 2**30:.1f} GiB free"
    rows = [("cpu", cpu)]
    rows += [(name, title) for name, _, title in (found.partition(" ") for found in device.names())]
    print_table(("device", "what it is"), rows, NOTE)
    unusable = device.unusable_gpu()
    if unusable:
        say(unusable)
    return 0
