"""Runs VapourSynth scripts."""

from __future__ import annotations

import runpy
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import MediaError

SUFFIX = ".vpy"


def run_script(path: Path) -> vs.VideoNode:
    """Runs a script as vspipe does, and returns the clip that it sets as output 0. Raises MediaError."""
    if not path.is_file():
        raise MediaError(f"{path} does not exist")
    vs.clear_outputs()
    try:
        runpy.run_path(str(path), run_name="__vapoursynth__")
    except (Exception, SystemExit) as error:  # a script may raise anything
        raise MediaError(f"the script {path} fails: {type(error).__name__}: {error}") from error
    output = vs.get_outputs().get(0)
    if not isinstance(output, vs.VideoOutputTuple):
        raise MediaError(f"the script {path} has no clip as output 0; end it with clip.set_output()")
    return output.clip
