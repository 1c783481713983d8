"""Finds videos, folders of frames and pictures on disk, and reads them as arrays."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsduf.errors import ArgumentError, MediaError
from vsduf.matrix import assumed_matrix
from vsduf.system import free_bytes
from vsduf.upscaler import WINDOW

VIDEOS = {".mkv", ".mp4", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".m4v", ".y4m"}
IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}


def clips_in(folders: Iterable[Path], least: int = WINDOW) -> list[Path]:
    """Returns the videos and the folders of `least` pictures or more, at or below each of the folders, sorted by path.

    Raises ArgumentError for a folder that is missing or holds neither.
    """
    found: list[Path] = []
    for folder in folders:
        fitting = [p for p in _below(folder) if _is_clip(p, least)]
        if not fitting:
            raise ArgumentError(f"{folder} holds no video and no folder of {least} frames or more; put clips there")
        found += fitting
    return found


def photos_in(folders: Iterable[Path]) -> list[Path]:
    """Returns the pictures at or below each of the folders, sorted by path; raises ArgumentError as `clips_in` does."""
    found: list[Path] = []
    for folder in folders:
        fitting = [p for p in _below(folder) if p.suffix.lower() in IMAGES]
        if not fitting:
            raise ArgumentError(f"{folder} holds no picture; put some there")
        found += fitting
    return found


def by_name(folder: Path) -> dict[str, Path]:
    """Returns the clips of one folder by name, those of two frames included.

    A video's name has no ending, except where two names would be equal without.
    """
    sources = clips_in([folder], 2)
    full = [folder.name if source == folder else source.relative_to(folder).as_posix() for source in sources]
    short = [n if s.is_dir() else n.removesuffix(s.suffix) for n, s in zip(full, sources, strict=True)]
    return {s if short.count(s) == 1 else f: source for s, f, source in zip(short, full, sources, strict=True)}


def pictures_of(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, by name; none if it is not a folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES) if folder.is_dir() else []


def read_clip(source: Path, frames: int | None = None) -> NDArray[np.uint8]:
    """Reads a video file or a folder of frames as [frames, 3, H, W] RGB. frames: how many from the first, default all.

    Raises MediaError for what cannot be decoded, is interlaced, changes its size or would fill the memory.
    """
    if not source.is_dir():
        return _decode(source, frames)
    pictures = [read_image(path) for path in pictures_of(source)[:frames]]
    if len({picture.shape for picture in pictures}) != 1:
        what = "holds no pictures, or pictures of several sizes"
        raise MediaError(f"{source} {what}; give each clip a folder of its own")
    return np.stack(pictures)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a picture file as [3, H, W] RGB; raises MediaError if it is not a picture."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow's own conversion would clip at 255
                grey = np.asarray(image).astype(np.float64) / 257
                return np.repeat(grey.round().clip(0, 255).astype(np.uint8)[None], 3, 0)
            return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    except Exception as error:  # Pillow raises nearly anything for a damaged file
        raise MediaError(f"{path} cannot be read as a picture ({error}); remove it or save it as PNG") from error


def _is_clip(path: Path, least: int) -> bool:
    return len(pictures_of(path)) >= least if path.is_dir() else path.suffix.lower() in VIDEOS


def _below(folder: Path) -> list[Path]:
    if not folder.exists():
        raise ArgumentError(f"{folder} does not exist; name a folder of videos, frame folders or pictures")
    found, seen = [], set()
    for root, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(root)
        if place in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(place)
        found += [Path(root, name) for name in (*folders, *names)]
    return [folder, *sorted(found)]


def _decode(path: Path, frames: int | None) -> NDArray[np.uint8]:
    import vapoursynth as vs

    from vsduf.film.fields import check_progressive
    from vsduf.film.source import check_decoded

    try:
        clip = vs.core.bs.VideoSource(os.fsencode(path), cachemode=0)
        check_decoded(path, clip)
        check_progressive(path, clip)
        matrix = clip.get_frame(0).props.get("_Matrix", vs.MATRIX_UNSPECIFIED)
        known = {} if matrix != vs.MATRIX_UNSPECIFIED else {"matrix_in": assumed_matrix(clip.height)}
        if clip.format.id != vs.RGB24:
            clip = clip.resize.Bicubic(format=vs.RGB24, **({} if clip.format.color_family == vs.RGB else known))
        clip = clip[:frames]
        shape = (len(clip), 3, clip.height, clip.width)
        if math.prod(shape) > free_bytes() / 2:
            need = f"{len(clip)} frames of it take {math.prod(shape) >> 30} GiB of memory"
            raise MediaError(f"{path} is too long, {need}; cut out its best minutes")
        out = np.empty(shape, np.uint8)
        for n, frame in enumerate(clip.frames(close=True)):
            for plane in range(3):
                out[n, plane] = np.asarray(frame[plane])
    except vs.Error as error:
        raise MediaError(f"{path} cannot be decoded ({error})") from error
    return out
