"""Reads the times of a film's packets, without decoding them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vsduf.film import probe

UNKNOWN = b"-9223372036854775808"  # a timestamp that the packet does not have

_TICK = re.compile(rb"#tb (\d+): (\d+)/(\d+)")


@dataclass(frozen=True)
class Span:
    """The packets of one stream: how many, and the seconds at which the first and the last are shown."""

    count: int
    first: Fraction
    last: Fraction


def spans(path: Path, streams: Sequence[int]) -> dict[int, Span]:
    """Returns the span of each of the streams of a file that has packets; none if ffmpeg cannot read the file."""
    maps = [word for number in streams for word in ("-map", f"0:{number}")]
    start = [probe.program(), "-hide_banner", "-nostdin", "-loglevel", "quiet", "-copyts", "-i", str(path.absolute())]
    ticks: dict[bytes, Fraction] = {}
    counts: dict[bytes, int] = {}
    times: dict[bytes, tuple[int, int]] = {}
    args = [*start, *maps, "-c", "copy", "-f", "framecrc", "-"]
    with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if tick := _TICK.match(line):
                ticks[tick[1]] = Fraction(int(tick[2]), int(tick[3]))
            elif not line.startswith(b"#"):
                number, decoded, shown = (word.strip() for word in line.split(b",")[:3])
                time = int(shown if shown != UNKNOWN else decoded)  # AVI has the order of decoding only
                first, last = times.get(number, (time, time))
                times[number] = min(first, time), max(last, time)
                counts[number] = counts.get(number, 0) + 1
    return {
        streams[int(number)]: Span(counts[number], first * ticks[number], last * ticks[number])
        for number, (first, last) in times.items()
    }
