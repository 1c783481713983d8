"""Opens the video of a file as it is stored, interlaced or not."""

from __future__ import annotations

import os
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import MediaError
from vsduf.film import probe
from vsduf.film.source import index_folder


def open_clip(path: Path) -> vs.VideoNode:
    """Returns the first video of a file; raises MediaError for one that cannot be decoded or that changes its size."""
    if not path.is_file():
        raise MediaError(f"{path} is a folder, not a video" if path.is_dir() else f"{path} does not exist")
    probe.media(path)  # says in a sentence what is no video
    folder = index_folder()
    cache = {"cachemode": 0} if folder is None else {"cachemode": 1, "cachepath": str(folder)}
    try:
        clip = vs.core.bs.VideoSource(os.fsencode(path.absolute()), **cache)
    except vs.Error as error:
        raise MediaError(f"{path} cannot be decoded ({str(error).removeprefix('VideoSource: ')})") from error
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or clip.width == 0:
        raise MediaError(f"{path} changes its size or format on the way; cut it into parts of one size first")
    return clip
