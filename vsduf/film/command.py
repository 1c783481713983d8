"""Builds the ffmpeg command that encodes frames from its stdin and takes the other streams from their film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from vsduf.film import probe
from vsduf.film.containers import Container, Copied
from vsduf.film.source import Source
from vsduf.film.timeline import Timeline

QUIET = ("-hide_banner", "-nostdin", "-y", "-loglevel", "error")
REPORT = ("-progress", "pipe:1", "-stats_period", "60")
STALE = ("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_TAGS")  # true of the old video only


@dataclass(frozen=True)
class Streams:
    """What is taken from a film: its streams beside the video, tags and chapters."""

    film: Source
    copied: Sequence[Copied]

    def inputs(self, seconds: float | None) -> list[Any]:
        """The streams as ffmpeg-python's nodes. seconds: how much of the film is read, None for all of it."""
        film = ffmpeg.input(str(self.film.path.absolute()), **({"t": seconds} if seconds else {}))
        return [film[str(stream.index)] for stream in self.copied] or [film["a?"]]  # chapters come from it in any case

    def options(self) -> dict[str, Any]:
        """Options that give each output stream its source's tags, and its codec and role where it is not copied."""
        streams = [Copied(self.film.track), *self.copied]
        options: dict[str, Any] = {"map_metadata": 1, "map_chapters": 1}
        if not self.film.media.clock.chapters:  # chapters would not move along
            options |= moved("output_ts_offset", -self.film.media.clock.start)
        options |= {f"map_metadata:s:{i}": f"1:s:{stream.index}" for i, stream in enumerate(streams)}
        options |= {f"c:{i}": stream.codec for i, stream in enumerate(streams) if stream.codec != "copy"}
        return options | {f"disposition:{i}": "attached_pic" for i, stream in enumerate(streams) if stream.cover}


def command(
    target: Path,
    box: Container,
    video: Mapping[str, Any],
    times: Timeline,
    streams: Streams | None = None,
    seconds: float | None = None,
) -> list[str]:
    """Returns the ffmpeg command that reads frames from its stdin, as `matroska` writes them, and writes `target`.

    box: the kind of file. video: the encoder's options. times: of the frames. streams: what comes from the film.
    seconds: how much of that film is read, None for all of it.
    """
    codec = video["c:v:0"]
    inputs = [ffmpeg.input("pipe:0", format="matroska", **moved("itsoffset", -times.lead))["v:0"]]
    options: dict[str, Any] = {"c": "copy", **video, **box.options}
    if codec == "libx264" and times.constant:
        options["x264-params:v:0"] = "force-cfr=1"  # or x264 states the tick as the rate
    options["fps_mode:v:0"] = "passthrough"  # no frame is dropped or repeated
    options["enc_time_base"] = f"{times.tick.numerator}/{times.tick.denominator}"
    if "265" in codec and box.name in ("MP4", "QuickTime"):
        options["tag:v:0"] = "hvc1"  # the tag that Apple's players know
    if streams is not None:
        inputs += streams.inputs(seconds)
        options |= streams.options()
    start = [probe.program(), *QUIET, *REPORT, "-copyts"]  # one clock for both inputs: nothing moves against the sound
    args: list[str] = ffmpeg.compile(ffmpeg.output(*inputs, str(target), **options), cmd=start)
    stale = [word for name in STALE for word in ("-metadata:s:v:0", f"{name}=")] if streams is not None else []
    return [*args[:-1], *stale, args[-1]]


def moved(option: str, seconds: Fraction | int) -> dict[str, str]:
    """Returns an ffmpeg option that moves times by so many seconds, none for 0."""
    return {option: f"{float(seconds):.6f}"} if seconds else {}
