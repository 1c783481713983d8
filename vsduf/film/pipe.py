"""Runs an ffmpeg command on the frames of a clip: written as they come, always reaped, its last words kept."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
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
MESSAGE_LINES = 2  # lines
FOLLOW_UPS = re.compile(  # what ffmpeg adds once it has said what went wrong
    "Conversion failed|Task finished|Terminating thread|Nothing was written|Error sending frames|Could not write header"
    "|Error muxing|Could not open encoder|Error while filtering|Error while opening encoder"
)


def run(args: Sequence[str], clip: vs.VideoNode, times: Timeline, progress: Callable[[int], None]) -> None:
    """Runs `args`, an ffmpeg that reads Matroska from stdin and reports its progress to stdout, on all of `clip`.

    Raises MediaError if it fails or writes another number of frames, and whatever the clip raises; it is gone by then.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as counted:
        with _started(args, said, counted) as process:
            fed = _feed(process, clip, times, progress)
            code = process.wait()
        written = _last_count(counted)
        if code != 0 or fed != clip.num_frames:
            where = (
                f"stopped after {fed} of {clip.num_frames} frames" if clip.num_frames > 1 else "cannot write the film"
            )
            raise MediaError(f"ffmpeg {where}: {_last_words(said, code)}")
        if written != fed:
            raise MediaError(f"ffmpeg was given {fed} frames and wrote {written}; try another --codec or container")


@contextlib.contextmanager
def _started(args: Sequence[str], said: IO[bytes], counted: IO[bytes]) -> Iterator[Process]:
    """ffmpeg while it runs. Ctrl-C is for us alone: it would end the file early, and as if it were whole."""
    process = subprocess.Popen(
        args,
        stdin=subprocess.PIPE,
        stdout=counted,
        stderr=said,
        process_group=None if os.name == "nt" else 0,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows' word for the same
        env={**os.environ, "SVT_LOG": "1"},  # SVT-AV1 minds its own level, 1: errors
    )
    try:
        yield process
    finally:
        process.kill()
        with contextlib.suppress(OSError):
            _stdin(process).close()
        process.wait()


def _feed(process: Process, clip: vs.VideoNode, times: Timeline, progress: Callable[[int], None]) -> int:
    """Writes every frame, no faster than ffmpeg takes them; returns how many it took before the end, or its own."""
    assert clip.format is not None
    size = clip.width * clip.height * clip.format.bytes_per_sample * clip.format.num_planes
    ahead = max(2, min(vs.core.num_threads, IN_FLIGHT // size))
    with contextlib.closing(clip.frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
        for n, frame in enumerate(frames):
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
    lead = times.lead * 10**9  # Matroska knows no time before zero; the command takes the lead back
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


def _last_count(counted: IO[bytes]) -> int:
    """The frames that ffmpeg says it has written."""
    counted.seek(0)
    counts = re.findall(rb"^frame=\s*(\d+)", counted.read(), re.MULTILINE)
    return int(counts[-1]) if counts else 0


def _last_words(said: IO[bytes], code: int) -> str:
    """The end of what ffmpeg printed, as one line without its addresses and repetitions."""
    said.seek(0)
    text = said.read().decode("utf-8", "replace")
    lines = [re.sub(r"\[([^]]+?) @ 0x\w+\] ", r"\1: ", line.strip()) for line in text.splitlines()]
    told = list(dict.fromkeys(line for line in lines if line))
    if told:
        causes = [line for line in told if not FOLLOW_UPS.search(line)]
        return "; ".join((causes or told)[-MESSAGE_LINES:])
    return f"signal {-code} ended it" if code < 0 else f"it gave no reason (exit code {code})"
