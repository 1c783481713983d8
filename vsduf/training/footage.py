"""Footage to train on: videos, folders of frames and photographs, decoded once into uint8 arrays on one device."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import ArgumentError, MediaError

VIDEOS = {".mkv", ".mp4", ".mov", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".m4v", ".y4m"}
IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass
class Footage:
    """clips: [frames, 3, H, W] each, at least seven frames. photos: [3, H, W] each. All uint8 RGB on one device."""

    clips: list[Tensor] = field(default_factory=list)
    photos: list[Tensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def to(self, device: torch.device) -> Footage:
        """The same footage in that device's memory."""
        return Footage([c.to(device) for c in self.clips], [p.to(device) for p in self.photos], self.names)


def load(videos: Iterable[Path], photos: Iterable[Path], cache: Path) -> Footage:
    """Reads every video and folder of frames below `videos`, every picture below `photos`.

    What was decoded is kept in `cache` (one .npy a clip, mapped when it is read again). Raises ArgumentError for a
    folder that is missing or holds nothing to train on, MediaError for a file that cannot be decoded.
    """
    footage = Footage()
    cache.mkdir(parents=True, exist_ok=True)
    for source in _sources(videos, clips=True):
        footage.clips.append(torch.from_numpy(_cached(source, cache)))
        footage.names.append(source.stem)
    for source in _sources(photos, clips=False):
        footage.photos.append(torch.from_numpy(read_image(source)))
    return footage


def _sources(folders: Iterable[Path], *, clips: bool) -> list[Path]:
    """Files (videos or pictures) and, for clips, folders that hold pictures, sorted by path."""
    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise ArgumentError(f"{folder} does not exist; name a folder of videos, frame folders or pictures")
        below = [folder, *sorted(folder.rglob("*"))]
        if clips:
            fitting = [p for p in below if p.suffix.lower() in VIDEOS or (p.is_dir() and len(images_in(p)) >= 7)]
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
    return _stack(images_in(source)[:frames]) if source.is_dir() else _decode(source, frames)


def _stack(images: Sequence[Path]) -> NDArray[np.uint8]:
    return np.stack([read_image(p) for p in images])


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
    except vs.Error as error:
        raise MediaError(f"{path} cannot be decoded ({error})") from error
    known = {} if matrix != vs.MATRIX_UNSPECIFIED else {"matrix_in": 1 if clip.height > 576 else 6}
    if clip.format.color_family != vs.RGB or clip.format.id != vs.RGB24:
        clip = clip.resize.Bicubic(format=vs.RGB24, **known)
    count = len(clip) if frames is None else min(frames, len(clip))
    out = np.empty((count, 3, clip.height, clip.width), np.uint8)
    for n, frame in enumerate(clip[:count].frames(close=True)):
        for p in range(3):
            out[n, p] = np.asarray(frame[p])
    return out
