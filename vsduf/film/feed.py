"""Makes what ffmpeg reads from its stdin: raw frames of a clip, or the encoded frames of several files in turn."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import vapoursynth as vs

from vsduf import system
from vsduf.film import matroska
from vsduf.film.coded import Block, Coded
from vsduf.film.pipe import Feed
from vsduf.film.timeline import Timeline

IN_FLIGHT = 2**29  # bytes of finished frames that may wait for a slow encoder
TRIM_EVERY = 2**29  # bytes of written frames

Pieces = Iterator[bytes | memoryview]


def raw(clip: vs.VideoNode, times: Timeline) -> Feed:
    """Yields the frames of a clip as raw Matroska video, shown at `times`; whatever the clip raises is raised."""
    assert clip.format is not None
    size = clip.width * clip.height * clip.format.bytes_per_sample * clip.format.num_planes
    ahead = max(2, min(vs.core.num_threads, IN_FLIGHT // size))
    with contextlib.closing(clip.frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
        for n, frame in enumerate(frames):
            head = matroska.header(frame, times.rate) if n == 0 else b""
            yield itertools.chain((head,), matroska.block(frame, _time(times, n), _duration(times, n)))
            if (n + 1) % max(1, TRIM_EVERY // size) == 0:
                system.trim_heap()


def joined(files: Sequence[Path], times: Timeline) -> Feed:
    """Yields the encoded frames of Matroska files one after another, shown at `times` whatever the files say.

    Frames follow each other in the order of decoding; the n-th to be shown, over all files, is shown at the n-th time.
    Raises MediaError for files that ffmpeg did not write.
    """
    first = 0
    for path in files:
        with Coded(path) as coded:
            order = sorted(range(len(coded.blocks)), key=lambda k: coded.blocks[k].time)
            shown = {k: first + rank for rank, k in enumerate(order)}
            for k, block in enumerate(coded.blocks):
                head = matroska.coded_header(coded.tracks) if first == k == 0 else b""
                yield itertools.chain((head,), _coded(coded, block, times, shown[k]))
            first += len(order)


def _coded(coded: Coded, block: Block, times: Timeline, n: int) -> Pieces:
    return matroska.coded_block(coded.payload(block), block.key, block.additions, _time(times, n), _duration(times, n))


def _time(times: Timeline, n: int) -> int:
    """Returns nanoseconds. Matroska has no negative times; -itsoffset in the command subtracts the lead again."""
    return times.time(n) + times.lead * 10**9


def _duration(times: Timeline, n: int) -> int:
    return times.time(n + 1) - times.time(n)
