"""Keeps the encoded parts of a film in a folder beside it until the film is whole, so that a run can be resumed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsduf.errors import ArgumentError

MANIFEST = "manifest.json"
FORMAT = 1
NAME = re.compile(r"(\d{8})-(\d{8})\.mkv")  # of a part: its first frame, and the one behind its last
FOLDERS = "*.vsduf-????????"


@dataclass(frozen=True, order=True)
class Part:
    """The encoded frames `first` to `end` - 1 of a film, in the file `path`."""

    first: int
    end: int
    path: Path

    @property
    def count(self) -> int:
        """The number of frames."""
        return self.end - self.first


class Work:
    """The folder of one film's parts.

    identity: what all of its parts have in common, by name, such as the source, the model and the encoder's options;
    texts. command: the words that go on with it.
    """

    def __init__(self, folder: Path, film: Path, frames: int, identity: Mapping[str, str], command: Sequence[str]):
        self.folder = folder
        self.frames = frames
        self._film = film
        self._identity = {name: str(value) for name, value in identity.items()}
        self.command = list(command)

    @property
    def done(self) -> int:
        """The number of frames in whole parts."""
        return sum(part.count for part in parts(self.folder))

    def part(self, first: int, end: int) -> Part:
        """Returns the name of a part, whether it is there or not."""
        return Part(first, end, self.folder / f"{first:08}-{end:08}.mkv")

    def here(self) -> bool:
        """Returns whether this machine has the folder, with this film's manifest."""
        manifest = read(self.folder)
        return manifest is not None and manifest["identity"] == self._identity

    def open(self, restart: bool = False) -> list[Part]:
        """Makes the folder, and returns the parts that are in it already, in order.

        restart: delete them. Raises ArgumentError if they belong to a film of another identity.
        """
        if restart:
            self.remove()
        before = read(self.folder)
        if before is not None and (changed := self._changed(before["identity"])):
            raise ArgumentError(
                f"{self.folder} holds {before['done']} of {before['frames']} frames of {before['film']}, made with "
                f"{changed}; give what it was made with to go on, or --restart to begin again"
            )
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob("*.part"):
            left.unlink()
        if before is None:
            self._write_manifest()
        return parts(self.folder)

    @contextlib.contextmanager
    def made(self, first: int, end: int) -> Iterator[Part]:
        """Names a part that the block writes; it gets its name, and counts, if the block ends without an exception.

        The block writes to the part's path with .part behind it, see `partial`.
        """
        part = self.part(first, end)
        try:
            yield part
            with partial(part).open("r+b") as file:
                os.fsync(file.fileno())
        except BaseException:
            partial(part).unlink(missing_ok=True)
            raise
        os.replace(partial(part), part.path)
        _sync(self.folder)

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Deletes the folder if no part is in it."""
        if not parts(self.folder):
            self.remove()

    def _changed(self, before: Mapping[str, str]) -> str:
        """Returns what of the identity is another, such as "crf 16 instead of 18"."""
        names = [name for name in {**before, **self._identity} if before.get(name) != self._identity.get(name)]
        return ", ".join(
            f"{name} {before.get(name, 'none')!s} instead of {self._identity.get(name)!s}" for name in names
        )

    def _write_manifest(self) -> None:
        manifest = {
            **{"format": FORMAT, "film": self._film.name, "frames": self.frames},
            **{"identity": self._identity, "command": self.command},
        }
        path = self.folder / MANIFEST
        path.with_suffix(".part").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(path.with_suffix(".part"), path)
        _sync(self.folder)


def partial(part: Part) -> Path:
    """Returns the file that a part is written to until it is whole."""
    return part.path.with_suffix(".mkv.part")


def parts(folder: Path) -> list[Part]:
    """Returns the whole parts in a folder, each where the one before it ends or later."""
    found, end = [], 0
    for path in sorted(folder.glob("*.mkv")):
        if (name := NAME.fullmatch(path.name)) and int(name[1]) >= end:
            found.append(Part(int(name[1]), int(name[2]), path))
            end = int(name[2])
    return found


def read(folder: Path) -> dict[str, Any] | None:
    """Returns what a folder's manifest says, and under "done" the number of its frames; None without a manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        return None
    return {**manifest, "done": sum(part.count for part in parts(folder))}


def unfinished(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Returns the folders of unfinished films in a folder, and what their manifests say."""
    found = [(path, read(path)) for path in sorted(folder.glob(FOLDERS)) if path.is_dir()]
    return [(path, manifest) for path, manifest in found if manifest is not None]


def _sync(folder: Path) -> None:
    """Waits until the folder's names are on the disk, where the system can."""
    if os.name != "nt":
        place = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
