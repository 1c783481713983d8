"""Loads footage to train on: videos, folders of frames and photographs, decoded once and cached as uint8 arrays."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf.cuts import is_cut
from vsduf.errors import ArgumentError, MediaError
from vsduf.film.arrays import clips_in, photos_in, pictures_of, read_clip, read_image
from vsduf.training.run_folder import make_folder, write_atomically
from vsduf.upscaler import WINDOW

CELL = 16  # pixels each way


@dataclass
class Footage:
    """Footage to train on, all of it uint8 RGB.

    clips: [frames, 3, H, W] each, at least seven frames of one scene. photos: [3, H, W] each. changes: for each clip
    [frames - 1, rows, columns], how much each cell of 16x16 pixels differs from the next frame, in the CPU's memory.
    histories: for each clip, LR clips [frames, 3, H / R, W / R] of real degradations, see `histories.add`.
    """

    clips: list[Tensor] = field(default_factory=list)
    photos: list[Tensor] = field(default_factory=list)
    changes: list[NDArray[np.float32]] = field(default_factory=list)
    histories: list[list[Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changes = self.changes or [changes(clip.numpy()) for clip in self.clips]

    def to(self, device: torch.device) -> Footage:
        """Returns the same footage in the memory of that device."""
        clips, photos = ([tensor.to(device) for tensor in tensors] for tensors in (self.clips, self.photos))
        return Footage(clips, photos, self.changes, [[h.to(device) for h in histories] for histories in self.histories])


def load(videos: Iterable[Path], photos: Iterable[Path], cache: Path, smallest: int = 1, hint: str = "") -> Footage:
    """Loads every video and folder of frames below `videos`, and every picture below `photos`.

    Clips are cut into scenes. Decoded clips are cached in `cache`, one .npy each, and memory-mapped. smallest: least
    height and width in pixels; hint: what else than removing a smaller picture helps. Raises ArgumentError for a folder
    that is missing or holds nothing, for scenes that are all under seven frames, for a cache that is a file, and for
    smaller pictures; MediaError for a file that cannot be decoded.
    """
    clips: list[Tensor] = []
    pictures: list[Tensor] = []
    make_folder(cache)
    for source in clips_in(videos):
        clip = _cached(source, cache)
        _check_size(source, clip.shape, smallest, hint)
        found = scenes(clip)
        if not found:
            raise ArgumentError(f"{source} has no scene of {WINDOW} frames ({len(clip)} in all); take a longer clip")
        clips += [torch.from_numpy(clip[scene.start : scene.stop]) for scene in found]
    for source in photos_in(photos):
        photo = read_image(source)
        _check_size(source, photo.shape, smallest, hint)
        pictures.append(torch.from_numpy(photo))
    return Footage(clips, pictures)


def changes(clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the mean absolute difference of neighbouring frames' green, [frames - 1, rows, columns] by cells.

    clip: [frames, 3, H, W]. Every fourth pixel each way is read; a cell at the right or bottom edge may be smaller.
    """
    green = clip[:, 1, ::4, ::4].astype(np.int16)
    steps = np.abs(np.diff(green, axis=0)).astype(np.float32)
    starts = [np.arange(0, side, CELL // 4) for side in steps.shape[1:]]
    sums = np.add.reduceat(np.add.reduceat(steps, starts[0], 1), starts[1], 2)
    ones = [np.diff([*start, side]) for start, side in zip(starts, steps.shape[1:], strict=True)]
    counted: NDArray[np.float32] = (sums / (ones[0][:, None] * ones[1])).astype(np.float32)
    return counted


def scenes(clip: NDArray[np.uint8]) -> list[range]:
    """Returns the frames of each scene of a clip [frames, 3, H, W], without scenes shorter than a window."""
    steps = changes(clip).mean((1, 2)) / 255
    around = np.pad(steps, 1)
    cuts = [n for n in range(1, len(clip)) if is_cut(around[n - 1], around[n], around[n + 1])]
    ends = [0, *cuts, len(clip)]
    return [range(a, b) for a, b in itertools.pairwise(ends) if b - a >= WINDOW]


def refuse_overlap(footage: Iterable[Path], validation: Iterable[Path]) -> None:
    """Raises ArgumentError for a clip that is in both: the score of a clip seen in training means nothing."""
    both = {p.resolve() for p in clips_in(footage)} & {p.resolve() for p in clips_in(validation)}
    if both:
        raise ArgumentError(f"{min(both)} is in footage and in validation; take it out of one of them")


def _check_size(source: Path, shape: Sequence[int], smallest: int, hint: str) -> None:
    height, width = shape[-2:]
    if min(height, width) < smallest:
        what = f"at least {smallest} pixels each way are needed; remove it{hint}"
        raise ArgumentError(f"{source} is {width}x{height}, but {what}")


def _cached(source: Path, cache: Path) -> NDArray[np.uint8]:
    """Returns a clip from the cache, or decodes it if it has changed since or the cached file is damaged."""
    path = cache / f"{source.stem}-{_fingerprint(source)}.npy"
    if path.exists():
        with contextlib.suppress(ValueError, EOFError):  # what numpy makes of a file that was cut short
            return _mapped(path)
    clip = read_clip(source)
    write_atomically(path, lambda partial: np.save(partial, clip))
    return _mapped(path)


def _mapped(path: Path) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = np.load(path, mmap_mode="c")
    return array


def _fingerprint(source: Path) -> str:
    """Returns a hash of a file's path, size and time, or of those of every picture in a folder."""
    try:
        of_files = [(path.name, path.stat()) for path in pictures_of(source) or [source]]
    except OSError as error:
        raise MediaError(f"{error.filename} cannot be read ({error.strerror}); remove it") from error
    state = "|".join(f"{name}|{stat.st_size}|{stat.st_mtime_ns}" for name, stat in of_files)
    return hashlib.sha256(f"{source.resolve()}|{state}".encode()).hexdigest()[:16]
