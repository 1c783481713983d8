"""Checks the types of a filter's arguments; each fault is one sentence that names the argument."""

from __future__ import annotations

import operator
import os
import reprlib
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from vsduf.errors import ArgumentError

LARGEST = 2**31 - 1
UNPRINTABLE = ("Cc", "Cs")  # control characters and bytes that are not UTF-8: an error message cannot hold them


def integer(name: str, value: Any) -> int | None:
    """Returns an integer argument as int, or None for None; raises ArgumentError for any other type."""
    if value is None:
        return None
    number = None if isinstance(value, bool) else _index(value)
    if number is None:
        raise ArgumentError(f"{name} is {_shown(value)}; give an integer")
    if abs(number) > LARGEST:
        raise ArgumentError(f"{name} is {_shown(number)}; give an integer of 32 bits")
    return number


def flag(name: str, value: Any) -> bool | None:
    """Returns True or False, also for 0 and 1, or None for None; raises ArgumentError for anything else."""
    if value is None:
        return None
    if not isinstance(value, bool | np.bool_) and _index(value) not in (0, 1):
        raise ArgumentError(f"{name} is {_shown(value)}; give True or False")
    return bool(value)


def model(value: Any) -> str | None:
    """Returns a model's name or path as str, or None for None; raises ArgumentError for what cannot be a path."""
    if value is None:
        return None
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path or any(unicodedata.category(c) in UNPRINTABLE for c in path):
        raise ArgumentError(f"model is {_shown(value)}; give a bundled model's name or a weights file's path")
    return path


def text(name: str, value: Any) -> str | None:
    """Returns a text argument, or None for None; raises ArgumentError for any other type."""
    if value is not None and not isinstance(value, str):
        raise ArgumentError(f"{name} is {_shown(value)}; give a text")
    return value


def tile(value: Any) -> tuple[int, int] | None:
    """Returns a tile's width and height from one integer or two, or None for None; raises ArgumentError otherwise."""
    if value is None:
        return None
    sizes = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if len(sizes) not in (1, 2):
        raise ArgumentError(f"tilesize has {len(sizes)} values; give one, or width and height")
    width, height = (integer("tilesize", size) for size in (sizes[0], sizes[-1]))
    if width is None or height is None:
        raise ArgumentError("tilesize has a value of None; give one integer, or width and height")
    return width, height


def _index(value: Any) -> int | None:
    """Returns the integer that a value stands for, as numpy's integers do; None if it is not an integer."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def _shown(value: Any) -> str:
    """Returns a value for a sentence: short, on one line."""
    return " ".join(reprlib.repr(value).split())
