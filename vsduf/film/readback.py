"""Reads a written film back: all frames at their times, and the other streams where they were beside the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vsduf.errors import MediaError
from vsduf.film.packets import Span, spans
from vsduf.film.streams import Taken
from vsduf.film.timeline import Timeline

EARLY = 1  # seconds by which a stream may end earlier than its source without a warning
CODEC_DELAY = Fraction(1, 500), Fraction(1, 10)  # seconds; less is rounding, more is something else


@dataclass(frozen=True)
class Expected:
    """What a film should hold: a frame at each of `times`, then the streams `mapped` from the source at `path`."""

    times: Timeline
    path: Path | None = None
    mapped: list[Taken] = field(default_factory=list)

    @property
    def timed(self) -> dict[int, Taken]:
        """The sound and subtitles, by their number in the film."""
        return {n: way for n, way in enumerate(self.mapped, start=1) if way.stream.kind in ("audio", "subtitle")}

    def source(self) -> dict[int, Span]:
        """Returns the packets of the sound and subtitles in the source, by their number in the film."""
        numbers = {way.stream.index: n for n, way in self.timed.items()}
        if self.path is None or not numbers:
            return {}
        return {numbers[index]: span for index, span in spans(self.path, list(numbers)).items()}

    def check(self, film: Path, source: Mapping[int, Span]) -> Iterator[str]:
        """Yields a sentence about each stream that ends early; raises MediaError if frames or sound are missing."""
        found = spans(film, [0, *self.timed])
        self._check_frames(found.get(0))
        for number in source:
            stream = self.timed[number].stream
            if number in found:
                early = self._beside(source[number].last) - (found[number].last - found[0].first)
                if early > EARLY:
                    yield f"stream {stream.index} ({stream.kind}) ends {float(early):.1f} s earlier than in the source"
            elif stream.kind == "audio":
                raise MediaError(f"the film was not written whole: the sound of stream {stream.index} is missing")
            else:
                yield f"stream {stream.index} ({stream.kind} {stream.codec}) came out empty"

    def delays(self, beginning: Path, source: Mapping[int, Span]) -> dict[int, Fraction]:
        """Returns the seconds by which copied Opus must be moved to stay where it was, by its number in the film.

        ffmpeg 5.1 moves it by the codec's delay whenever it writes Matroska. beginning: what it made of a moment.
        """
        opus = [n for n, way in self.timed.items() if (way.stream.codec, way.codec) == ("opus", "copy") and n in source]
        found = spans(beginning, [0, *opus]) if opus else {}
        moved = {
            n: self._beside(source[n].first) - (found[n].first - found[0].first) for n in opus if {0, n} <= found.keys()
        }
        return {n: by for n, by in moved.items() if CODEC_DELAY[0] < abs(by) < CODEC_DELAY[1]}

    def _beside(self, time: Fraction) -> Fraction:
        """Seconds from the first frame to a time of the source."""
        return time - Fraction(self.times.time(0), 10**9)

    def _check_frames(self, found: Span | None) -> None:
        frames = len(self.times.stamps)
        if found is None or found.count != frames:
            count = found.count if found else 0
            raise MediaError(f"the film was not written whole: {count} of {frames} frames are in it; is the disk full?")
        length, should = found.last - found.first, Fraction(self.times.time(frames - 1) - self.times.time(0), 10**9)
        if abs(length - should) > max(1 / self.times.rate, Fraction(1, 20)):
            raise MediaError(
                f"the film was not written right: its last frame comes after {float(length):.3f} s instead of "
                f"{float(should):.3f}; write to .mkv"
            )
