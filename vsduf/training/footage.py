"""Footage to train on: videos, folders of frames and photographs, decoded once into uint8 arrays on one device."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import ArgumentError, MediaError
from vsduf.memory import free_bytes
from vsduf.network import WINDOW

VIDEOS = {".mkv", ".mp4", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".m4v", ".y4m"}
CUT = 0.1  # mean absolute difference of two frames' green, as a share of its range, below which there is no cut
IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass
class Footage:
    """clips: [frames, 3, H, W] each, at least seven frames of one scene. photos: [3, H, W] each. All uint8 RGB."""

    clips: list[Tensor] = field(default_factory=list)
    photos: list[Tensor] = field(default_factory=list)

    def to(self, device: torch.device) -> Footage:
        """The same footage in that device's memory."""
        return Footage([c.to(device) for c in self.clips], [p.to(device) for p in self.photos])


def load(videos: Iterable[Path], photos: Iterable[Path], cache: Path, smallest: int = 1) -> Footage:
    """Reads every video and folder of frames below `videos`, every picture below `photos`; clips are cut into scenes.

    What was decoded is kept in `cache` (one .npy a clip, mapped when it is read again). Raises ArgumentError for a
    folder that is missing or holds nothing to train on, for scenes that are all under seven frames, and for pictures
    under `smallest` pixels high or wide; MediaError for a file that cannot be decoded.
    """
    footage = Footage()
    cache.mkdir(parents=True, exist_ok=True)
    for source in _sources(videos, clips=True):
        clip = _cached(source, cache)
        _check_size(source, clip.shape, smallest)
        found = scenes(clip)
        if not found:
            raise ArgumentError(f"{source} has no scene of {WINDOW} frames ({len(clip)} in all); take a longer clip")
        footage.clips += [torch.from_numpy(clip[scene.start : scene.stop]) for scene in found]
    for source in _sources(photos, clips=False):
        photo = read_image(source)
        _check_size(source, photo.shape, smallest)
        footage.photos.append(torch.from_numpy(photo))
    return footage


def scenes(clip: NDArray[np.uint8]) -> list[range]:
    """Frames of each scene of a clip [frames, 3, H, W]; scenes too short for a window are left out.

    A cut is a step that is large, and twice as large as those around it: fast motion makes large steps in a row.
    """
    green = clip[:, 1, ::4, ::4].astype(np.int16)
    steps = np.abs(np.diff(green, axis=0)).mean((1, 2)) / 255
    around = np.pad(steps, 1)
    cuts = (steps > CUT) & (steps > 2 * np.maximum(around[:-2], around[2:]))
    ends = [0, *(int(n) + 1 for n in np.flatnonzero(cuts)), len(clip)]
    return [range(a, b) for a, b in itertools.pairwise(ends) if b - a >= WINDOW]


def _check_size(source: Path, shape: Sequence[int], smallest: int) -> None:
    height, width = shape[-2:]
    if min(height, width) < smallest:
        need = f"a patch with its margins takes {smallest} pixels each way"
        raise ArgumentError(f"{source} is {width}x{height}, but {need}; lower patch or remove it")


def clips_in(folder: Path) -> dict[str, Path]:
    """Videos and folders of frames below a folder, or it itself, by name; ArgumentError if there are none.

    A video's ending is not part of its name, except where names would then be equal.
    """
    sources = _sources([folder], clips=True)
    full = [folder.name if source == folder else source.relative_to(folder).as_posix() for source in sources]
    short = [n if s.is_dir() else n.removesuffix(s.suffix) for n, s in zip(full, sources, strict=True)]
    return {s if short.count(s) == 1 else f: source for s, f, source in zip(short, full, sources, strict=True)}


def refuse_overlap(footage: Iterable[Path], validation: Iterable[Path]) -> None:
    """Raises ArgumentError for a clip that is in both: its PSNR would say nothing."""
    both = {p.resolve() for p in _sources(footage, clips=True)} & {
        p.resolve() for p in _sources(validation, clips=True)
    }
    if both:
        raise ArgumentError(f"{min(both)} is in footage and in validation; take it out of one of them")


def _sources(folders: Iterable[Path], *, clips: bool) -> list[Path]:
    """Files (videos or pictures) and, for clips, folders that hold pictures, sorted by path."""
    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise ArgumentError(f"{folder} does not exist; name a folder of videos, frame folders or pictures")
        below = [folder, *sorted(folder.rglob("*"))]
        if clips:
            fitting = [p for p in below if p.suffix.lower() in VIDEOS or (p.is_dir() and len(images_in(p)) >= WINDOW)]
        else:
            fitting = [p for p in below if p.suffix.lower() in IMAGES]
        if not fitting:
            raise ArgumentError(f"{folder} holds nothing to train on; put {'videos' if clips else 'pictures'} there")
        found += fitting
    return found


def images_in(folder: Path) -> list[Path]:
    """The pictures that stand directly in a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES)


def _cached(source: Path, cache: Path) -> NDArray[np.uint8]:
    stat = source.stat()
    key = hashlib.sha256(f"{source.resolve()}|{stat.st_size}|{stat.st_mtime_ns}".encode()).hexdigest()[:16]
    path = cache / f"{source.stem}-{key}.npy"
    if not path.exists():
        partial = path.with_suffix(".partial.npy")
        np.save(partial, read_clip(source))
        os.replace(partial, path)
    array: NDArray[np.uint8] = np.load(path, mmap_mode="c")
    return array


def read_clip(source: Path, frames: int | None = None) -> NDArray[np.uint8]:
    """A video file or a folder of frames as [frames, 3, H, W] RGB; the first `frames` of it if given."""
    if not source.is_dir():
        return _decode(source, frames)
    pictures = [read_image(path) for path in images_in(source)[:frames]]
    if len({picture.shape for picture in pictures}) != 1:
        raise MediaError(
            f"{source} holds no pictures, or pictures of several sizes; give each clip a folder of its own"
        )
    return np.stack(pictures)


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture file as [3, H, W] RGB."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    except OSError as error:
        raise MediaError(f"{path} cannot be read as a picture ({error}); remove it or save it as PNG") from error


def _decode(path: Path, frames: int | None) -> NDArray[np.uint8]:
    import vapoursynth as vs

    try:
        clip = vs.core.bs.VideoSource(str(path), cachemode=0)
        matrix = clip.get_frame(0).props.get("_Matrix", vs.MATRIX_UNSPECIFIED)
        known = {} if matrix != vs.MATRIX_UNSPECIFIED else {"matrix_in": 1 if clip.height > 576 else 6}
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
