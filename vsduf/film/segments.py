"""Encodes a film in segments, each a file of its own, which a run that was stopped need not make again."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import vapoursynth as vs

from vsduf.errors import MediaError
from vsduf.film import feed
from vsduf.film.coded import Coded
from vsduf.film.command import command
from vsduf.film.containers import SEGMENT
from vsduf.film.pipe import Feed, Run
from vsduf.film.timeline import Timeline
from vsduf.film.work import Part, Work, partial

SECONDS = 5.0


@dataclass(frozen=True)
class Segments:
    """How a film is cut. work: the folder of its segments. seconds: the least of one; it has at most twice as many.

    cuts: a clip with its scene cuts marked, where segments begin if they can; None if looking for cuts would cost as
    much as the frames themselves. restart: delete the segments that are there.
    """

    work: Work
    seconds: float = SECONDS
    cuts: vs.VideoNode | None = None
    restart: bool = False

    def end(self, first: int, times: Timeline) -> int:
        """Returns the frame behind a segment that begins with `first`."""
        count = max(1, round(self.seconds * times.rate))
        least, most = (min(len(times.stamps), first + n * count) for n in (1, 2))
        if self.cuts is None or least == most:
            return least
        with contextlib.closing(self.cuts[least:most].frames(close=True)) as frames:
            marked = (n for n, frame in enumerate(frames, least) if frame.props.get("_SceneChangePrev"))
            return next(marked, most)


def encode(
    clip: vs.VideoNode,
    video: Mapping[str, str],
    times: Timeline,
    segments: Segments,
    progress: Callable[[int], None] = lambda done: None,
    warn: Callable[[str], None] = lambda text: None,
) -> list[Part]:
    """Encodes the segments that are missing, and returns all of them in order.

    video: the encoder's options. progress: called with the number of frames that are encoded. Raises ArgumentError if
    the folder holds another film, MediaError if ffmpeg fails, vs.Error from the clip; whole segments stay.
    """
    kept = opened(segments, warn)
    done = sum(part.count for part in kept)
    progress(done)
    with _Writer(segments.work, video, times, kept, warn) as writer:
        for first, end in missing(kept, segments, times):
            writer.write(clip, first, end, functools.partial(_advance, progress, done))
            done += end - first
        writer.settle()
    return sorted(writer.made)


def opened(segments: Segments, warn: Callable[[str], None] = lambda text: None) -> list[Part]:
    """Opens the folder, and returns its whole segments; raises ArgumentError if they are of another film."""
    kept = [part for part in segments.work.open(segments.restart) if whole(part, warn)]
    if kept:
        done = sum(part.count for part in kept)
        warn(f"{done} of {segments.work.frames} frames are encoded already, in {segments.work.folder}")
    return kept


def encode_one(clip: vs.VideoNode, video: Mapping[str, str], times: Timeline, part: Part) -> None:
    """Encodes the frames of one segment of a clip into the part's partial file; raises MediaError if ffmpeg fails."""
    with _begun(video, times, part) as run:
        run.feed(_frames(clip, times, part))
        run.finish()


def _begun(
    video: Mapping[str, str], times: Timeline, part: Part, warn: Callable[[str], None] = lambda text: None
) -> Run:
    """Returns an ffmpeg that encodes one segment."""
    return Run(command(partial(part), SEGMENT, video, times.part(part.first, part.end)), part.count, warn)


def _frames(clip: vs.VideoNode, times: Timeline, part: Part) -> Feed:
    return feed.raw(clip[part.first : part.end], times.part(part.first, part.end))


def check_headers(part: Part, others: Sequence[Part], codec: str) -> None:
    """Deletes a segment, and raises MediaError, if its header is another one than that of the others."""
    with Coded(part.path) as one, Coded(min([part, *others]).path) as other:
        if one.tracks != other.tracks:
            part.path.unlink()
            raise MediaError(
                f"{codec} writes headers that differ between segments, which cannot be joined; "
                "give --no-segments, or --restart if ffmpeg is another one than before"
            )


def _advance(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


class _Writer:
    """Encodes one segment after another; an encoder writes the end of one while the next one's frames are made."""

    def __init__(
        self,
        work: Work,
        video: Mapping[str, str],
        times: Timeline,
        kept: Sequence[Part],
        warn: Callable[[str], None],
    ) -> None:
        self.made = list(kept)
        self._work, self._video, self._times, self._warn = work, video, times, warn
        self._ending: tuple[Part, Run, contextlib.ExitStack] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """After an error the segment before it is kept if it is whole; after Ctrl-C only what has ended."""
        if isinstance(error, Exception):
            with contextlib.suppress(MediaError):
                self.settle()
        if self._ending is not None:
            self._ending[2].__exit__(kind, error, None)
        self._work.remove_if_empty()

    def write(self, clip: vs.VideoNode, first: int, end: int, progress: Callable[[int], None]) -> None:
        """Encodes the frames `first` to `end` - 1 of a clip."""

        def fed(n: int) -> None:
            progress(n)
            if self._ending is not None and self._ending[1].ended():
                self.settle()

        with contextlib.ExitStack() as stack:
            part = stack.enter_context(self._work.made(first, end))
            run = stack.enter_context(_begun(self._video, self._times, part, self._warn))
            run.feed(_frames(clip, self._times, part), fed)
            self.settle()
            self._ending = part, run, stack.pop_all()

    def settle(self) -> None:
        """Waits until the segment that is being ended is whole; raises MediaError if it is not, or cannot be joined."""
        if self._ending is None:
            return
        (part, run, stack), self._ending = self._ending, None
        with stack:
            run.finish()
        if not whole(part, self._warn):
            raise MediaError(f"{self._video['c']} did not write all frames of a segment; give --no-segments")
        check_headers(part, self.made, self._video["c"])
        self.made.append(part)


def missing(kept: Sequence[Part], segments: Segments, times: Timeline) -> Iterator[tuple[int, int]]:
    """Yields the first frame of each segment to encode, and the one behind its last."""
    at = 0
    for first, end in (*((part.first, part.end) for part in kept), (len(times.stamps), 0)):
        while at < first:
            until = min(first, segments.end(at, times))
            yield at, until
            at = until
        at = end


def whole(part: Part, warn: Callable[[str], None]) -> bool:
    """Returns whether a segment holds all of its frames, and deletes it if it does not."""
    try:
        with Coded(part.path) as coded:
            if len(coded.blocks) == part.count:
                return True
    except MediaError:
        pass
    part.path.unlink()
    warn(f"{part.path.name} is damaged; its frames are made again")
    return False
