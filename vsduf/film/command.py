"""Builds the ffmpeg command that encodes frames from its stdin and takes the other streams from their film."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import ffmpeg

from vsduf.film import probe
from vsduf.film.containers import Container
from vsduf.film.source import Source
from vsduf.film.streams import Taken
from vsduf.film.timeline import Timeline

QUIET = ("-hide_banner", "-nostdin", "-y", "-loglevel", "error")
REPORT = ("-progress", "pipe:1", "-stats_period", "60")
FILM, TARGET = "film", "target"  # stand for the names, which ffmpeg-python takes in UTF-8 alone
NO_STREAM = "d:999?"  # of the film, which is an input for its tags and chapters also where no stream of it is mapped
PICTURES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}  # codec of a cover: its ending and type


@dataclass(frozen=True)
class Streams:
    """What is taken from a film: its streams beside the video, tags and chapters.

    folder: for covers that become attachments. delays: seconds by which streams are moved, by their number in the film.
    """

    film: Source
    taken: Sequence[Taken]
    folder: Path
    delays: Mapping[int, Fraction] = field(default_factory=dict)

    @property
    def mapped(self) -> list[Taken]:
        """The streams that are read from the film itself, in the order in which they are written behind the video."""
        return [way for way in self.taken if not way.attached]

    def options(self) -> list[str]:
        """Returns options for what each stream is, for tags and chapters; the film is ffmpeg's input number 1."""
        clock = self.film.media.clock
        words = ["-map_metadata", "1", "-map_chapters", "1"]
        if not clock.chapters:  # chapters would not move along
            words += moved("-output_ts_offset", -clock.start)
        words += self._tags(0, self.film.track, clock.stale)
        for i, way in enumerate(self.mapped, start=1):
            words += way.options(i)
            words += self._tags(i, way.stream.index, () if way.codec == "copy" else clock.stale)
            if i in self.delays:
                words += [f"-bsf:{i}", f"setts=ts=TS+{float(self.delays[i]):.6f}/TB"]
        for i, way in enumerate((way for way in self.taken if way.attached), start=1 + len(self.mapped)):
            words += self._cover(i, way)
        return words

    @staticmethod
    def _tags(i: int, index: int, stale: Sequence[str]) -> list[str]:
        removed = [word for name in stale for word in (f"-metadata:s:{i}", f"{name}=")]
        return [f"-map_metadata:s:{i}", f"1:s:{index}", *removed]

    def _cover(self, i: int, way: Taken) -> list[str]:
        """Options that attach a cover picture, which is read from the film on the first call."""
        index, codec = way.stream.index, way.stream.codec
        ending, kind = PICTURES.get(codec, (codec, f"image/{codec}"))
        picture = self.folder / f"{index}.{ending}"
        if not picture.exists():
            args = [probe.program(), *QUIET, "-i", str(self.film.path.absolute()), "-map", f"0:{index}", "-c", "copy"]
            subprocess.run([*args, "-f", "image2", "-update", "1", str(picture)], capture_output=True, check=False)
        name = way.stream.tags.get("filename", f"cover.{ending}")
        return ["-attach", str(picture), f"-metadata:s:{i}", f"mimetype={kind}", f"-metadata:s:{i}", f"filename={name}"]


def command(
    target: Path,
    box: Container,
    video: Mapping[str, str],
    times: Timeline,
    streams: Streams | None = None,
    seconds: float | None = None,
    encoded: bool = False,
) -> list[str]:
    """Returns the ffmpeg command that reads frames from its stdin, as `matroska` writes them, and writes `target`.

    box: the kind of file. video: the encoder's options. times: of the frames. streams: what comes from the film.
    seconds: how much of that film is read, None for all of it. encoded: whether the frames are encoded already.
    """
    words = ["-c", "copy"]
    words += _timed(times, video["c"], box) if encoded else _encoder(video, times)
    if box.name in ("MP4", "QuickTime"):
        words += ["-tag:v:0", "hvc1"] if "265" in video["c"] else []  # the tag that Apple's players need
        if not encoded:  # ffmpeg 5.1 gives the last frame no duration, and players do not show it
            lasts = round(1 / (times.rate * times.tick)) if times.constant else r"max(DURATION\,1)"
            words += ["-bsf:v:0", f"setts=pts=PTS:dts=DTS:duration={lasts}"]
    words += streams.options() if streams is not None else []
    words += [word for name, value in box.options.items() for word in (f"-{name}", value)]
    inputs = [ffmpeg.input("pipe:0", format="matroska", **_named(moved("-itsoffset", -times.lead)))["v:0"]]
    names = {TARGET: str(target)}
    if streams is not None:
        film = ffmpeg.input(FILM, **({"t": seconds} if seconds else {}))
        inputs += [film[str(way.stream.index)] for way in streams.mapped] or [film[NO_STREAM]]
        names[FILM] = str(streams.film.path.absolute())
    start = [probe.program(), *QUIET, *REPORT, "-copyts"]  # one clock for both inputs: nothing moves against the sound
    once, several = _split(words)
    args = ffmpeg.compile(ffmpeg.output(*inputs, TARGET, **_named(once)), cmd=start)
    return [names.get(word, word) for word in (*args[:-1], *several, args[-1])]


def _encoder(video: Mapping[str, str], times: Timeline) -> list[str]:
    """Returns the options that encode the frames at their times."""
    words = [word for name, value in video.items() for word in (f"-{name}:v:0", value)]
    words += ["-filter:v:0", "copy"]  # to aligned memory: raw Matroska has none, and the encoder dnxhd crashes then
    words += ["-fps_mode:v:0", "passthrough"]  # no frame is dropped or repeated
    words += ["-enc_time_base:v:0", f"{times.tick.numerator}/{times.tick.denominator}"]
    if video["c"] == "libx264" and times.constant:
        words += ["-x264-params:v:0", "force-cfr=1"]  # or x264 states the tick as the rate
    return words


def _timed(times: Timeline, codec: str, box: Container) -> list[str]:
    """Returns the option that counts the times of encoded frames in the ticks that their encoder would have given."""
    ticks = f"setts=pts=PTS:dts=DTS:time_base={times.tick.numerator}/{times.tick.denominator}"
    name = "h264" if "264" in codec else "hevc" if "265" in codec or "hevc" in codec else ""
    plain = f"{name}_mp4toannexb," if name and box.name == "AVI" else ""  # AVI has no place for Matroska's headers
    return ["-bsf:v:0", plain + ticks]


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the options that are given once, and those that are repeated, which ffmpeg-python has no form for."""
    counts = Counter(words[::2])
    pairs = list(zip(words[::2], words[1::2], strict=True))
    once, several = ([pair for pair in pairs if (counts[pair[0]] > 1) == more] for more in (False, True))
    return [word for pair in once for word in pair], [word for pair in several for word in pair]


def _named(words: Sequence[str]) -> dict[str, str]:
    """Returns options and their values as ffmpeg-python takes them."""
    return {name.removeprefix("-"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def moved(option: str, seconds: Fraction | int) -> list[str]:
    """Returns an ffmpeg option that moves times by so many seconds, none for 0."""
    return [option, f"{float(seconds):.6f}"] if seconds else []
