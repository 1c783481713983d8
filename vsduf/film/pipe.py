"""Runs an ffmpeg command on frames, and reports what ffmpeg says if it fails."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import IO, Self

from vsduf.errors import MediaError

Feed = Generator[Iterable[bytes | memoryview], None, None]
"""What ffmpeg reads from its stdin, for each frame in pieces."""

STALL_SECONDS = 120.0  # without any progress of ffmpeg until the user is told
MESSAGE_LINES = 2  # of ffmpeg's messages that an error quotes
FOLLOW_UPS = re.compile(  # ffmpeg's messages that follow from the one that states the cause
    "Conversion failed|Task finished|Terminating thread|Nothing was written|Error sending frames|Could not write header"
    "|Error muxing|Could not open encoder|Error while filtering|Error while opening encoder"
)
UNWRITTEN = re.compile("Error (writing trailer|closing file|muxing)|No space left")  # ffmpeg 5.1 returns 0 with these


def run(
    args: Sequence[str],
    frames: Feed,
    count: int,
    progress: Callable[[int], None] = lambda done: None,
    warn: Callable[[str], None] = lambda text: None,
) -> None:
    """Runs `args`, an ffmpeg that reads Matroska from stdin and reports its progress to stdout, on `count` frames.

    progress: called with the number of frames written to ffmpeg. warn: called with a sentence if ffmpeg stalls.
    Raises MediaError if it fails or writes another number of frames, and whatever `frames` raises; ffmpeg has ended by
    then.
    """
    with Run(args, count, warn) as process:
        process.feed(frames, progress)
        process.finish()


class Run:
    """An ffmpeg at work, as a context: it is killed at the end unless `finish` has seen it end.

    args, count, warn: as for `run`. Its process group is its own: on Ctrl-C it would finish the file as if whole.
    """

    def __init__(self, args: Sequence[str], count: int, warn: Callable[[str], None] = lambda text: None) -> None:
        self._count, self._warn, self._fed = count, warn, 0
        self._files, temporary = contextlib.ExitStack(), tempfile.TemporaryFile
        self._messages, self._counts = map(self._files.enter_context, (temporary(), temporary()))
        self._process = subprocess.Popen(
            args,
            stdin=subprocess.PIPE,
            stdout=self._counts,
            stderr=self._messages,
            process_group=None if os.name == "nt" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            env={**os.environ, "SVT_LOG": "1"},  # SVT-AV1 has a log level of its own; 1: errors
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._process.wait()
        self._files.close()

    def feed(self, frames: Feed, progress: Callable[[int], None] = lambda done: None) -> None:
        """Writes frames as fast as ffmpeg takes them, and closes its stdin; raises MediaError if it ends early."""
        with contextlib.closing(frames):
            for n, buffers in enumerate(frames, start=1):
                with self._watched():
                    if not self._write(buffers):
                        return self.finish()
                self._fed = n
                progress(n)
        with contextlib.suppress(OSError):
            self._stdin.close()

    def ended(self) -> bool:
        """Returns whether ffmpeg has ended, so that `finish` returns at once."""
        return self._process.poll() is not None

    def finish(self) -> None:
        """Waits until ffmpeg ends; raises MediaError if it failed or wrote another number of frames."""
        with self._watched():
            code = self._process.wait()
        count, fed = self._count, self._fed
        if code != 0 or fed != count or UNWRITTEN.search(_text(self._messages)):
            where = f"stopped after {fed} of {count} frames" if count > 1 else "cannot write the film"
            raise MediaError(f"ffmpeg {where}: {_reason(self._messages, code)}")
        if (written := _last_count(self._counts)) != fed:
            raise MediaError(f"ffmpeg was given {fed} frames and wrote {written}; try another --codec or container")

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _write(self, buffers: Iterable[bytes | memoryview]) -> bool:
        try:
            for piece in buffers:
                self._stdin.write(piece)
        except OSError:  # a broken pipe; on Windows an invalid argument
            return False
        return True

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Warns if the block, in which this program waits for ffmpeg, takes long."""
        text = (
            f"ffmpeg has made no progress for {STALL_SECONDS:.0f} s; it may be writing the end of a long film, or hang"
        )
        timer = threading.Timer(STALL_SECONDS, self._warn, [text])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _last_count(counts: IO[bytes]) -> int:
    """Returns how many frames ffmpeg reports as written."""
    counts.seek(0)
    found = re.findall(rb"^frame=\s*(\d+)", counts.read(), re.MULTILINE)
    return int(found[-1]) if found else 0


def _text(messages: IO[bytes]) -> str:
    messages.seek(0)
    return messages.read().decode("utf-8", "replace")


def _reason(messages: IO[bytes], code: int) -> str:
    """Returns the end of what ffmpeg printed, as one line without addresses and repetitions."""
    printed = [re.sub(r"\[([^]]+?) @ 0x\w+\] ", r"\1: ", line.strip()) for line in _text(messages).splitlines()]
    lines = list(dict.fromkeys(line for line in printed if line))
    if lines:
        causes = [line for line in lines if not FOLLOW_UPS.search(line)]
        return "; ".join((causes or lines)[-MESSAGE_LINES:])
    return f"signal {-code} ended it" if code < 0 else f"it gave no reason (exit code {code})"
