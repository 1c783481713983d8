"""Writes a film under another name first, so that its own name shows a whole film or none."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from vsduf.errors import ArgumentError, MediaError
from vsduf.film.containers import Container, container

STEM = 40  # characters of the film's name that its part file begins with: any name fits into 255 bytes then


@dataclass(frozen=True)
class Output:
    """A film to write, claimed by this run.

    path: the name that the user gave. place: the same with symbolic links followed. part: the file that is written
    until the film is whole. folder: for small files, until the end. work: a folder for what a later run can go on with,
    which is not made yet. overwrite: whether a film at `place` is replaced. notes: sentences for the user.
    """

    path: Path
    place: Path
    part: Path
    folder: Path
    work: Path
    overwrite: bool
    notes: tuple[str, ...] = ()

    @property
    def container(self) -> Container:
        """The kind of file that the name asks for."""
        return container(self.path)

    @contextlib.contextmanager
    def made(self) -> Iterator[Path]:
        """Makes the part file, empty, and gives it the film's name at the end; on an exception it is removed instead.

        Raises MediaError if another program has made the film meanwhile; the finished one keeps its part file then.
        """
        os.close(os.open(self.part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield self.part
            _flush(self.part)
        except BaseException:
            self.part.unlink(missing_ok=True)
            raise
        self._name()

    def _name(self) -> None:
        if self.overwrite:
            os.replace(self.part, self.place)
            return
        try:
            _rename_to_free_name(self.part, self.place)
        except FileExistsError:
            raise MediaError(
                f"{self.path} was made by another program meanwhile, and is not replaced; the new film is {self.part}"
            ) from None


@contextlib.contextmanager
def claim(path: Path, source: Path | None = None, overwrite: bool = False) -> Iterator[Output]:
    """Checks that a film can be written at `path`, and keeps other runs from writing it until the end of the block.

    source: the film that is read, which must not be overwritten. Raises ArgumentError for a name that cannot be used,
    or that another run is writing.
    """
    place = Path(os.path.realpath(path))
    _check(path, place, source, overwrite)
    key = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:8]
    with _locked(place.with_name(f".vsduf-{key}.lock"), path):
        notes = tuple(
            f"{left} ({left.stat().st_size >> 20} MiB) is what a run that was killed has written of {path}; delete it"
            for left in sorted(place.parent.glob(f"*.vsduf-{key}-*"))
        )
        work = place.with_name(f"{place.stem[:STEM]}.vsduf-{key}")
        part = work.with_name(f"{work.name}-{secrets.token_hex(4)}{path.suffix}")
        with tempfile.TemporaryDirectory(prefix="vsduf-", ignore_cleanup_errors=True) as folder:
            yield Output(path, place, part, Path(folder), work, overwrite, notes)


def _check(path: Path, place: Path, source: Path | None, overwrite: bool) -> None:
    if place.is_dir():
        raise ArgumentError(f"{path} is a folder; give the name of a film in it")
    container(path)
    if not place.parent.is_dir():
        raise ArgumentError(f"{path}: the folder {place.parent} does not exist; make it first")
    if place.is_symlink():
        raise ArgumentError(f"{path} is a symbolic link that leads back to itself; give another name")
    if not place.exists():
        return
    if source is not None and source.exists() and place.samefile(source):
        raise ArgumentError(f"{path} is the source itself; give another name")
    if not place.is_file():
        raise ArgumentError(f"{path} is not a regular file; give another name")
    if not overwrite:
        raise ArgumentError(f"{path} exists; give another name, or --overwrite")


@contextlib.contextmanager
def _locked(lock: Path, path: Path) -> Iterator[None]:
    try:
        held = FileLock(lock, blocking=False)
        held.acquire()
    except Timeout:
        raise ArgumentError(f"{path} is being written by another run; wait for it, or give another name") from None
    except OSError as error:
        raise ArgumentError(f"{path}: nothing can be written into {lock.parent} ({error.strerror})") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()  # while it is held, so that no other run holds it
        held.release()
        if os.name == "nt":  # where a file that is open cannot be removed
            lock.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Waits until the file is on the disk: some file systems report a full disk only then."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _rename_to_free_name(old: Path, new: Path) -> None:
    """Renames a file; raises FileExistsError if the new name is taken, even by a link that leads nowhere."""
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(new, os.O_CREAT | os.O_EXCL))
        os.replace(old, new)
    else:
        old.unlink()
