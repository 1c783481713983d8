"""Finds when each frame is shown: at a constant rate if the rounded timestamps allow it, else at the timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from vsduf.errors import MediaError

FINE = 90_000  # ticks a second that place a late first frame to the accuracy of MPEG's clock
JITTER = Fraction(1, 1000)  # seconds; Matroska rounds its timestamps to this
DENSE, MOST = 4, 10_000  # times the stated rate, frames a second: more needs a reason, or cannot be
TELECINE = Fraction(24000, 1001)  # frames a second of film on NTSC, shown for two and three fields in turn
FIELD = Fraction(1001, 60000)  # seconds
BACKWARD = Fraction(1, 10)  # seconds; a larger step back is a cut between two clocks, not a duplicate


@dataclass(frozen=True)
class Timeline:
    """Frame n is shown at `stamps[n] * tick` seconds. rate: frames a second, an average unless `constant`."""

    tick: Fraction
    stamps: Sequence[int]
    rate: Fraction
    constant: bool

    def time(self, frame: int) -> int:
        """Returns the nanosecond at which `frame` is shown; for the number of frames, that at which the last ends."""
        if frame < len(self.stamps):
            return round(self.stamps[frame] * self.tick * 10**9)
        return self.time(frame - 1) + round(10**9 / self.rate)

    def part(self, first: int, end: int) -> Timeline:
        """Returns the times of the frames `first` to `end` - 1."""
        return replace(self, stamps=self.stamps[first:end])

    def plausible(self, stated: Fraction, duration: Fraction) -> bool:
        """Whether the rate can be true. stated: by the file, 0 for none. duration: of the file, seconds, 0 if unknown.

        Timestamps far denser than the stated rate are wrong unless the duration agrees with them.
        """
        if not stated:
            return self.rate <= MOST
        frames = len(self.stamps)
        agrees = abs(frames / self.rate - duration) <= abs(frames / stated - duration)
        return self.rate <= DENSE * stated or (duration > 0 and agrees and self.rate <= MOST)

    @property
    def lead(self) -> int:
        """Seconds to add so that no timestamp is negative, a whole number."""
        return -self.time(0) // 10**9 + 1 if self.stamps[0] < 0 else 0


def constant(rate: Fraction, length: int, start: Fraction = Fraction(0)) -> Timeline:
    """Returns times for `length` frames at exactly `rate` a second, the first at `start` seconds."""
    step = 1 if start == 0 else -(-FINE // rate.numerator) * rate.denominator  # ticks a frame
    tick = 1 / (rate * step)
    first = round(start / tick)
    return Timeline(tick, range(first, first + length * step, step), rate, True)


def from_timestamps(stamps: Sequence[int], tick: Fraction, nominal: Fraction) -> Timeline:
    """Returns times from a file's timestamps, in ticks of `tick` seconds. nominal: the rate that it states, 0 for none.

    The rate is constant if one explains all timestamps within the rounding of containers. Raises MediaError for
    timestamps that jump back, which no container can hold.
    """
    for frame, (before, after) in enumerate(pairwise(stamps), start=1):
        if (before - after) * tick > BACKWARD:
            raise MediaError(
                f"the timestamps jump back by {float((before - after) * tick):.1f} s at frame {frame}; "
                "cut the file there, or remux it to one clock first"
            )
    length, start = len(stamps), stamps[0] * tick
    average = (length - 1) / ((stamps[-1] - stamps[0]) * tick) if stamps[-1] > stamps[0] else nominal or Fraction(25)
    for rate in (nominal, Fraction(round(average)), Fraction(round(average * 1001 / 1000) * 1000, 1001)):
        if rate > 0 and _explains(rate, stamps, tick):
            return constant(rate, length, start)
    if _telecined(stamps, tick):
        return constant(TELECINE, length, start)
    return Timeline(tick, _increasing(stamps), average.limit_denominator(100_000), False)


def interpolated(stamps: Sequence[int], unknown: int, step: Fraction = Fraction(1)) -> list[int]:
    """Returns `stamps` with each `unknown` one evenly between its neighbours, beyond the ends at the median distance.

    step: the distance if only one is known. MPEG program streams and AVI give a time to some frames only. At least one
    must be known.
    """
    known = [(frame, stamp) for frame, stamp in enumerate(stamps) if stamp != unknown]
    steps = sorted(Fraction(after - before, b - a) for (a, before), (b, after) in pairwise(known))
    median = steps[len(steps) // 2] if steps else step
    (first, begin), (last, end) = known[0], known[-1]
    out = [round(begin + (frame - first) * median) for frame in range(first)]
    for (a, before), (b, after) in pairwise(known):
        out += [before + (after - before) * (frame - a) // (b - a) for frame in range(a, b)]
    return out + [round(end + (frame - last) * median) for frame in range(last, len(stamps))]


def _explains(rate: Fraction, stamps: Sequence[int], tick: Fraction) -> bool:
    """Whether every timestamp is that of a constant rate within rounding."""
    scale = (rate * tick).denominator  # errors in whole 1/scale frames: integers, since this runs over every frame
    step = (rate * tick).numerator
    errors = [stamp * step - frame * scale for frame, stamp in enumerate(stamps)]
    allowed = min(max(tick, JITTER) * rate, Fraction(1, 2))  # frames
    return max(errors) - min(errors) <= allowed * scale


def _telecined(stamps: Sequence[int], tick: Fraction) -> bool:
    """Whether frames last two and three fields in turn, as soft telecine shows 24 frames a second at 30."""
    lasts = [(after - before) * tick / FIELD for before, after in pairwise(stamps)]
    close = max(tick, JITTER) / FIELD
    fields = [round(last) for last in lasts]
    return (
        len(fields) > 1
        and all(n in (2, 3) and abs(last - n) <= close for n, last in zip(fields, lasts, strict=True))
        and all(a != b for a, b in pairwise(fields))
    )


def _increasing(stamps: Sequence[int]) -> list[int]:
    """Returns the timestamps with repeated ones moved on by a tick, as encoders want them."""
    out = [stamps[0]]
    for stamp in stamps[1:]:
        out.append(max(stamp, out[-1] + 1))
    return out
