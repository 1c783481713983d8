"""How far a long run is, on stderr: a bar that redraws itself on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from vsduf.errors import ArgumentError

WIDTH = 24  # characters of the bar
REDRAW = 0.1  # seconds
LINE_EVERY = 30.0  # seconds
WINDOW = 30.0  # seconds over which the speed is taken


def say(text: str) -> None:
    """Writes `vsduf: text` to stderr as one line."""
    sys.stderr.write(f"vsduf: {' '.join(text.split())}\n")


def check_output(path: Path | None) -> None:
    """Raises ArgumentError where a file of that name cannot be written; to be asked before the work, not after it."""
    if path is None:
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ArgumentError(f"{path.parent} is no folder; make it first")
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; name a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ArgumentError(f"{path} cannot be written; name another file")


class Progress:
    """Counts of done frames in, a readable state out; `note` says something without spoiling the bar."""

    def __init__(self, total: int, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.stream = stream or sys.stderr
        self.clock = clock
        self.bar = self.stream.isatty()
        self.counts = deque([(clock(), 0)])
        self.shown = clock()
        self.text = ""

    def update(self, done: int) -> None:
        """Takes the number of frames done so far."""
        now = self.clock()
        self.counts.append((now, done))
        while now - self.counts[0][0] > WINDOW and len(self.counts) > 2:
            self.counts.popleft()
        if done == self.total or now - self.shown >= (REDRAW if self.bar else LINE_EVERY):
            self.shown = now
            self._show(self.state())

    def state(self) -> str:
        """Frames done and to do, frames a second, time left."""
        (since, before), (now, done) = self.counts[0], self.counts[-1]
        speed = (done - before) / (now - since) if now > since else 0.0
        left = clock_time((self.total - done) / speed) if speed > 0 else "-:--"
        counts = f"{done}/{self.total} frames, {speed:.{2 if speed < 10 else 1}f} fps, {left} left"
        filled = WIDTH * done // max(1, self.total)
        return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {counts}" if self.bar else counts

    def note(self, text: str) -> None:
        """Writes a line of its own, above the bar if there is one."""
        self.stream.write(("\r\x1b[K" if self.text else "") + text + "\n" + self.text)
        self.stream.flush()

    def close(self) -> None:
        """Leaves the bar's last state standing on its line."""
        if self.text:
            self.stream.write("\n")
            self.stream.flush()
            self.text = ""

    def _show(self, state: str) -> None:
        if self.bar:
            self.text = state
            self.stream.write(f"\r\x1b[K{state}")
        else:
            self.stream.write(state + "\n")
        self.stream.flush()


class Notes(logging.Handler):
    """Hands log records, such as VapourSynth's warnings, to a `Progress`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """One record, one line."""
        self.progress.note(f"vsduf: {record.getMessage()}")


def clock_time(seconds: float) -> str:
    """0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
