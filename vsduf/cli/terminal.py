"""Shows messages and the progress of a long run on stderr; stdout stays free for results."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from vsduf.errors import ArgumentError

BAR_WIDTH = 24  # characters
JSON_SECONDS = 1.0
LINE_SECONDS = 30.0  # between plain lines where stderr is not a terminal


def say(text: str) -> None:
    """Writes `vsduf: text` to stderr as one line."""
    ERRORS.write(f"vsduf: {' '.join(text.split())}\n")


def check_output(path: Path | None) -> None:
    """Raises ArgumentError if a file of that name cannot be written; call it before the work that makes the file."""
    if path is None:
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ArgumentError(f"{path.parent} is no folder; make it first")
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; name a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ArgumentError(f"{path} cannot be written; name another file")


class Errors:
    """Writes to stderr and discards what cannot be written: a closed terminal or pipe does not end the work.

    beside: write below a bar that is on the screen, where other writers' lines go above it.
    """

    def __init__(self, beside: bool = False) -> None:
        self._beside = beside

    def write(self, text: str) -> int:
        """Writes `text`; after a failure stderr leads to the null device."""
        try:
            self._stream().write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            self._stream().flush()
        except (AttributeError, OSError, ValueError):  # no stderr, a pipe without a reader, a closed file
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Does nothing, as `write` flushes."""

    def isatty(self) -> bool:
        """Returns whether stderr is a terminal."""
        with contextlib.suppress(AttributeError, ValueError):
            return bool(self._stream().isatty())
        return False

    @property
    def encoding(self) -> str:
        """stderr's encoding."""
        return getattr(self._stream(), "encoding", None) or "utf-8"

    def _stream(self) -> Any:
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr) if self._beside else sys.stderr

    @staticmethod
    def _discard() -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.__stderr__.fileno())  # type: ignore[union-attr]
            os.close(null)


ERRORS = Errors()


@dataclass(frozen=True)
class Counted:
    """What a progress display counts. unit: its plural, "" for per cent. rate: of its speed, "" for no speed.

    per: units of `rate` in one of `unit`, such as samples in a step.
    """

    unit: str = "frames"
    rate: str = "FPS"
    per: int = 1


FRAMES, PERCENT = Counted(), Counted("", "")


class Progress:
    """Shows the progress of a run on stderr: a bar on a terminal, elsewhere a plain line every 30 seconds.

    total: how many there are. counted: of what. title: shown before the bar. start: how many were done before this run.
    transient: the bar goes away at the end, and no last line is written. as_json: write a line of JSON to stdout too,
    once a second and at the end. clock: gives seconds.
    Lines that are written to stderr meanwhile appear above the bar.
    """

    def __init__(
        self,
        total: int,
        counted: Counted = FRAMES,
        title: str = "",
        start: int = 0,
        transient: bool = False,
        as_json: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        console = Console(file=cast(Any, Errors(beside=True)), force_terminal=ERRORS.isatty(), force_jupyter=False)
        self._counted, self._title, self._clock, self._transient = counted, title, clock, transient
        self._live = console.is_terminal and not console.is_dumb_terminal
        columns = [TextColumn(f"{{task.{field}}}", markup=False) for field in ("description", "fields[state]")]
        self._bar = Bar(
            columns[0],
            BarColumn(BAR_WIDTH),
            columns[1],
            console=console,
            transient=transient,
            redirect_stdout=False,
            disable=not self._live,
            get_time=clock,
        )
        self._task = self._bar.add_task(title, total=total, completed=start, state="")
        self._shown = clock()
        self._json, self._printed = as_json, -math.inf
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, done: int, status: str = "") -> None:
        """Shows that `done` of all are done. status: shown behind the numbers, such as a loss."""
        self._bar.update(self._task, completed=done)
        self._bar.update(self._task, state=self._state(status))
        task = self._bar.tasks[0]
        over = task.finished and not self._transient
        if not self._live and (over or self._clock() - self._shown >= LINE_SECONDS):
            self._shown = self._clock()
            ERRORS.write(f"{self._title} {task.fields['state']}".lstrip() + "\n")
        if self._json and (task.finished or self._clock() - self._printed >= JSON_SECONDS):
            self._printed = self._clock()
            print(json.dumps(self._facts()), flush=True)

    def _facts(self) -> dict[str, float | None]:
        """Returns what a line of JSON holds."""
        task = self._bar.tasks[0]
        speed = task.finished_speed or task.speed
        return {
            **{"frames": int(task.completed), "of": int(task.total or 0)},
            **{"frames_per_second": speed and round(speed, 3), "seconds_left": task.time_remaining},
        }

    def close(self) -> None:
        """Leaves the bar's last state standing, or removes a transient bar."""
        self._bar.stop()

    def _state(self, status: str) -> str:
        """Returns what stands behind the bar: "120/1000 frames, 16.0 FPS, 0:55 left, status"."""
        task, counted = self._bar.tasks[0], self._counted
        done, total = int(task.completed), int(task.total or 0)
        parts = [f"{done}/{total} {counted.unit}" if counted.unit else f"{100 * done // max(1, total)} %"]
        if counted.rate:
            speed = (task.finished_speed or task.speed or 0.0) * counted.per
            parts.append(f"{speed:.{2 if speed < 10 else 1}f} {counted.rate}")
        left = task.time_remaining
        parts.append("-:-- left" if left is None else f"{clock_time(left)} left")
        return ", ".join([*parts, status] if status else parts)


class Notes(logging.Handler):
    """Prints log records, such as VapourSynth's warnings, one line a record."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        say(record.getMessage())


def clock_time(seconds: float) -> str:
    """Returns a duration as "0:07", "12:34" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
