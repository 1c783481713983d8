"""What `vsduf upscale` needs to go on with a film: what makes two runs the same, and the list of unfinished films."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from vsduf import __version__
from vsduf.cli.table import print_table
from vsduf.film import work
from vsduf.film.encoder import Encoding
from vsduf.film.work import Work
from vsduf.network import catalogue

SETTINGS = ("scale", "width", "height", "square", "fp16", "tilesize", "overlap", "scenecut", "animation", "progressive")


class Status(argparse.Action):
    """Lists the unfinished films of a folder, and ends the program."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", default=argparse.SUPPRESS, type=Path, **options)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Prints a row for each film."""
        folder = values or Path()
        if not folder.is_dir():
            parser.error(f"--status {folder}: there is no such folder")
        rows = [
            [manifest["film"], f"{manifest['done']} of {manifest['frames']}", shlex.join(manifest["command"])]
            for _, manifest in work.unfinished(folder)
        ]
        if rows:
            print_table(["film", "frames", "command that goes on"], rows)
        else:
            print(f"no unfinished film in {folder}")
        parser.exit()


def work_of(args: argparse.Namespace, script: Path | None, encoding: Encoding, frames: int) -> Work:
    """Returns the folder in which a run with these arguments keeps its segments. script: that makes the frames."""
    identity = dict(_identity(args, script))
    identity["encoder"] = " ".join(f"{name}={value}" for name, value in encoding.video.items())
    identity["format"] = encoding.form.name
    words = [word for word in args.words if not (len(word) > len("--re") and "--restart".startswith(word))]
    return Work(encoding.output.work, args.target, frames, identity, ["vsduf", *words])


def _identity(args: argparse.Namespace, script: Path | None) -> Iterator[tuple[str, str]]:
    """Yields what the frames depend on, by name."""
    yield "vsduf", __version__
    seen = args.source.stat()
    yield "source", f"{args.source.name}, {seen.st_size} bytes of {datetime.fromtimestamp(seen.st_mtime):%F %T}"
    if script is not None:
        yield "script", f"{script.name} ({_hash([script])})"
        return
    names = [args.model] if args.model is not None else catalogue.bundled()
    yield "model", f"{args.model or 'best'} ({_hash([catalogue.find(name) for name in names])})"
    for name in SETTINGS:
        yield f"--{name}", str(getattr(args, name))


def _hash(paths: Sequence[Path]) -> str:
    """Returns the beginning of the SHA-256 of files."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:12]
