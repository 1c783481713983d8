"""Upscales several films one after another; one that fails does not stop the others."""

from __future__ import annotations

import argparse
import glob
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from vsduf.cli import failures
from vsduf.cli.table import print_table
from vsduf.cli.terminal import clock_time, say
from vsduf.errors import ArgumentError
from vsduf.film.containers import container

PATTERN = "{stem}.mkv"
ENDINGS = (
    ".3gp .asf .avi .divx .dv .flv .m2t .m2ts .m4v .mkv .mod .mov .mp4 .mpe .mpeg .mpg .mts .mxf .ogm .ogv .rm .rmvb "
    ".tod .ts .vob .webm .wmv"
)
FILMS = frozenset(ENDINGS.split())  # endings that are films, among all files of a folder


def run(args: argparse.Namespace, write_film: Callable[[argparse.Namespace], None]) -> int:
    """Upscales every film into `args.output_folder`, and prints a table; returns 1 if one of them failed.

    A film that is there already is left as it is, unless args.overwrite is set: the same command goes on with a batch.
    Raises ArgumentError, before any work, for a folder or names that cannot be used.
    """
    films = _films(args)
    rows = []
    for number, (source, target) in enumerate(films, start=1):
        say(f"film {number} of {len(films)}: {source}")
        started, result = time.monotonic(), "there already"
        if args.overwrite or not target.exists():
            result = _result(argparse.Namespace(**{**vars(args), "source": source, "target": target}), write_film)
        rows.append([str(source), str(target), clock_time(time.monotonic() - started), result])
    print_table(["film", "written to", "time", "result"], rows)
    return int(any(row[-1].startswith("failed") for row in rows))


def _result(args: argparse.Namespace, write_film: Callable[[argparse.Namespace], None]) -> str:
    try:
        write_film(args)
    except failures.expected() as error:
        said = failures.sentence(error, str(args.source))
        say(said)
        return f"failed: {said}"
    return "done"


def _films(args: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Returns the films to read and to write."""
    folder = args.output_folder
    if not folder.is_dir():
        raise ArgumentError(f"-o {folder}: there is no such folder; make it first")
    sources = [path for given in args.paths for path in _expanded(given)]
    films = [(source, folder / _name(args.name, source, n)) for n, source in enumerate(sources, start=1)]
    for _, target in films:
        container(target)
    counts = Counter(target for _, target in films)
    for source, target in films:
        if counts[target] > 1:
            raise ArgumentError(
                f"{counts[target]} films would be written to {target}; give another --name, such as "
                "'{folder}-{stem}.mkv'"
            )
        if target.exists() and source.exists() and target.samefile(source):
            raise ArgumentError(f"{source} would be written over itself; give another folder or another --name")
    return films


def _expanded(given: Path) -> Iterator[Path]:
    """Yields the films that an argument stands for: itself, those of a folder, or those that fit a pattern."""
    if given.is_dir():
        found = sorted(path for path in given.iterdir() if path.suffix.lower() in FILMS and path.is_file())
        if not found:
            raise ArgumentError(f"the folder {given} holds no film; give films, or a folder with some")
        yield from found
    elif not given.exists() and glob.has_magic(str(given)):
        matching = sorted(Path(path) for path in glob.glob(str(given), recursive=True))
        if not matching:
            raise ArgumentError(f"no file fits the pattern {given}; correct it")
        yield from (path for path in matching if path.is_file())
    else:
        yield given


def _name(pattern: str, source: Path, number: int) -> str:
    """Returns a film's name by a pattern; raises ArgumentError for a pattern that gives none."""
    known = {"stem": source.stem, "suffix": source.suffix, "folder": source.absolute().parent.name, "number": number}
    try:
        name = pattern.format(**known)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        names = ", ".join(f"{{{key}}}" for key in known)
        raise ArgumentError(f"--name {pattern!r} cannot be filled in; use {names}") from error
    if not name or Path(name).name != name:
        raise ArgumentError(f"--name {pattern!r} gives {name!r}, which is not the name of a file; leave out folders")
    return name
