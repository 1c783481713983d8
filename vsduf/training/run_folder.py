"""The folder of a run: its checkpoint, weights and curves, each written whole or not at all, and its lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from vsduf.errors import ArgumentError
from vsduf.output import write_whole

CHECKPOINT, WEIGHTS, CURVES, LOCK = "last.pt", "weights.safetensors", "curves.png", "lock"


def make_folder(folder: Path) -> None:
    """Makes a folder and its parents if they are missing; raises ArgumentError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"{folder} cannot be made ({error.strerror}); name another folder") from error


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Locks a run's folder against other trainings until the context, or the process, ends.

    Raises ArgumentError where another training has locked it.
    """
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise ArgumentError(f"another training runs in {folder}; wait for it, or set another output") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file under another name, by `write`, and renames it: a crash leaves the old file or the new one.

    Raises ArgumentError where it cannot be written, on a full disk for instance; the old file stays.
    """
    try:
        write_whole(path, write)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError on a full disk
        what = getattr(error, "strerror", None) or "is the disk full?"
        raise ArgumentError(f"{path} cannot be written ({what}); make room, and run again to go on") from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Returns a checkpoint's content, on the CPU; raises ArgumentError for a file that is not a checkpoint."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no family of its own for this: RuntimeError, KeyError, UnpicklingError, ...
        raise ArgumentError(f"{path} is no checkpoint of a training run; move it away to start anew") from error
    return state
