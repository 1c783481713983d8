"""Runs an ffmpeg command on the frames of a clip, and reports what ffmpeg says if it fails."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import vapoursynth as vs

from vsduf import system
from vsduf.errors import MediaError
from vsduf.film import matroska
from vsduf.film.timeline import Timeline

Process = subprocess.Popen[bytes]

IN_FLIGHT = 2**29  # bytes of finished frames that may wait for a slow encoder
TRIM_EVERY = 2**29  # bytes of written frames
STALL_SECONDS = 120.0  # without any progress of ffmpeg until the user is told
MESSAGE_LINES = 2  # of ffmpeg's messages that an error quotes
FOLLOW_UPS = re.compile(  # ffmpeg's messages that follow from the one that states the cause
    "Conversion failed|Task finished|Terminating thread|Nothing was written|Error sending frames|Could not write header"
    "|Error muxing|Could not open encoder|Error while filtering|Error while opening encoder"
)
UNWRITTEN = re.compile("Error (writing trailer|closing file|muxing)|No space left")  # ffmpeg 5.1 returns 0 with these


def run(
    args: Sequence[str],
    clip: vs.VideoNode,
    times: Timeline,
    progress: Callable[[int], None] = lambda done: None,
    warn: Callable[[str], None] = lambda text: None,
) -> None:
    """Runs `args`, an ffmpeg that reads Matroska from stdin and reports its progress to stdout, on all of `clip`.

    progress: called with the number of frames written to ffmpeg. warn: called with a sentence if ffmpeg stalls.
    Raises MediaError if it fails or writes another number of frames, and whatever the clip raises; ffmpeg has ended by
    then.
    """
    with tempfile.TemporaryFile() as messages, tempfile.TemporaryFile() as counts:
        with _started(args, messages, counts) as process:
            fed = _feed(process, clip, times, progress, warn)
            with _watched(warn):
                code = process.wait()
        written = _last_count(counts)
        if code != 0 or fed != clip.num_frames or UNWRITTEN.search(_text(messages)):
            where = (
                f"stopped after {fed} of {clip.num_frames} frames" if clip.num_frames > 1 else "cannot write the film"
            )
            raise MediaError(f"ffmpeg {where}: {_reason(messages, code)}")
        if written != fed:
            raise MediaError(f"ffmpeg was given {fed} frames and wrote {written}; try another --codec or container")


@contextlib.contextmanager
def _started(args: Sequence[str], messages: IO[bytes], counts: IO[bytes]) -> Iterator[Process]:
    """Starts ffmpeg, and ends it. Its process group is its own: on Ctrl-C it would finish the file as if whole."""
    process = subprocess.Popen(
        args,
        stdin=subprocess.PIPE,
        stdout=counts,
        stderr=messages,
        process_group=None if os.name == "nt" else 0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        env={**os.environ, "SVT_LOG": "1"},  # SVT-AV1 has a log level of its own; 1: errors
    )
    try:
        yield process
    finally:
        process.kill()
        with contextlib.suppress(OSError):
            _stdin(process).close()
        process.wait()


@contextlib.contextmanager
def _watched(warn: Callable[[str], None]) -> Iterator[None]:
    """Warns if the block, in which this program waits for ffmpeg, takes long."""
    text = f"ffmpeg has made no progress for {STALL_SECONDS:.0f} s; it may be writing the end of a long film, or hang"
    timer = threading.Timer(STALL_SECONDS, warn, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _feed(
    process: Process,
    clip: vs.VideoNode,
    times: Timeline,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
) -> int:
    """Writes the frames as fast as ffmpeg takes them; returns how many it took, fewer than all if it ended early."""
    assert clip.format is not None
    size = clip.width * clip.height * clip.format.bytes_per_sample * clip.format.num_planes
    ahead = max(2, min(vs.core.num_threads, IN_FLIGHT // size))
    with contextlib.closing(clip.frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
        for n, frame in enumerate(frames):
            with _watched(warn):
                if not _write(process, frame, n, times):
                    return n
            progress(n + 1)
            if (n + 1) % max(1, TRIM_EVERY // size) == 0:
                system.trim_heap()
    with contextlib.suppress(OSError):
        _stdin(process).close()
    return int(clip.num_frames)


def _write(process: Process, frame: vs.VideoFrame, n: int, times: Timeline) -> bool:
    pipe = _stdin(process)
    head = matroska.header(frame, times.rate) if n == 0 else b""
    lead = times.lead * 10**9  # Matroska has no negative times; -itsoffset in the command subtracts the lead again
    try:
        pipe.write(head)
        for piece in matroska.block(frame, times.time(n) + lead, times.time(n + 1) - times.time(n)):
            pipe.write(piece)
    except OSError:  # a broken pipe; on Windows an invalid argument
        return False
    return True


def _stdin(process: Process) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


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
