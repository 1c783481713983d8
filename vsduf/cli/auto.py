"""Writes the script that `vsduf upscale --auto` encodes."""

from __future__ import annotations

import argparse
from pathlib import Path

from vsduf.analysis import examine, write_script
from vsduf.analysis.clip import open_clip
from vsduf.analysis.facts import GROUPS
from vsduf.cli.terminal import Counted, Progress, say
from vsduf.output import write_whole


def examined(source: Path, scale: int | None) -> str:
    """Examines a film, and returns the text of its script; raises MediaError for a film that cannot be read."""
    clip = open_clip(source)
    with Progress(GROUPS, Counted("parts"), "examining the film", transient=True) as progress:
        facts = examine(clip, progress.update)
    return write_script(facts, source, scale)


def script_for(args: argparse.Namespace) -> Path:
    """Returns the script beside the film to write: the one that is there, which may have been edited, or a new one."""
    path: Path = args.target.with_suffix(".vpy")
    if path.exists():
        say(f"{path} is there already and is used; delete it to have the film examined again")
        return path
    text = examined(args.source, args.scale)
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
    say(f"wrote {path}, which says what was found in the film and what is done about it")
    return path
