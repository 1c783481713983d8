"""What a run leaves behind: its checkpoint, its weights and the picture of its curves, each whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from vsduf.errors import ArgumentError

CHECKPOINT, WEIGHTS, CURVES, LOCK = "last.pt", "weights.safetensors", "curves.png", "lock"


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, where they are missing; raises ArgumentError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{folder} cannot be made ({error.strerror}); name another folder") from error


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a run's folder, until it is left or the process ends, however it does.

    Raises ArgumentError where one is in it.
    """
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise ArgumentError(f"another training is at work in {folder}; wait for it, or set another output") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with another name and renames: a crash at any moment leaves the old file or the new one.

    Raises ArgumentError where it cannot be written, on a full disk for instance; what was there before stays.
    """
    partial = path.with_name(f"partial-{path.name}")
    try:
        write(partial)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch makes a RuntimeError of a full disk
        partial.unlink(missing_ok=True)
        what = getattr(error, "strerror", None) or "is the disk full?"
        raise ArgumentError(f"{path} cannot be written ({what}); make room, and run again to go on") from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU; raises ArgumentError for a file that is none."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no family of its own for this: RuntimeError, KeyError, UnpicklingError, ...
        raise ArgumentError(f"{path} is no checkpoint of a training run; move it away to start anew") from error
    return state
