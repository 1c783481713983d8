"""Writes a file so that its name shows the old content or the new one, and nothing in between."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with the name of a new file in the same folder, then gives that file the name `path`.

    Symbolic links are followed. A device or a pipe, /dev/stdout for instance, is written directly. Raises OSError that
    names `path`, on a full disk for instance; the new file is removed then, and the old one stays.
    """
    target = Path(os.path.realpath(path))
    with _named(path):
        if target.exists() and not target.is_file():
            write(target)
            return
        part = target.with_name(f".vsduf-{secrets.token_hex(8)}{target.suffix}")
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            write(part)
            with open(part, "r+b") as file:
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, part)
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Lets an OSError name the file that the user asked for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
