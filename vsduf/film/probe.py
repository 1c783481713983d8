"""Asks the decoder what a file holds, and the ffmpeg program what it can encode and where a file's clock begins."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import MediaError

OLDEST = (5, 1)  # brought -fps_mode; ffmpeg 4 also loses the colour tags of raw Matroska video

_LENGTH = re.compile(r"^ +Duration: (?:(\d+):(\d+):([\d.]+)|N/A)(?:, start: (-?[\d.]+))?", re.MULTILINE)
_VIDEO = re.compile(r"^ +Stream #0:(\d+).*?: Video: .*?, (\d+)x(\d+)[ ,\n]", re.MULTILINE)
_CHAPTERS = re.compile(r"^ +Chapters?[: ]", re.MULTILINE)
_DATA = re.compile(r"^ +Stream #0:\d+.*?: (Data|Unknown): ", re.MULTILINE)
_STALE = re.compile(  # tags that are true of one encoding only, some with a language
    r"^ +((?:BPS|DURATION|NUMBER_OF_(?:FRAMES|BYTES)|_STATISTICS_\w+|ENCODER(?:_OPTIONS)?|alpha_mode)(?:-\w+)?) *:",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Stream:
    """One stream of a file: number, `kind` (video, audio, subtitle, attachment, data), codec by ffmpeg's name, tags."""

    index: int
    kind: str
    codec: str
    cover: bool = False  # a still picture that belongs to the file, not a film
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """What ffmpeg says of a file.

    start: its earliest timestamp, seconds. duration: seconds, 0 if unknown. chapters: whether there are any.
    sizes: width and height of each video stream as coded, by stream number. stale: names of tags that are true of one
    encoding of a stream only.
    """

    start: Fraction = Fraction(0)
    duration: Fraction = Fraction(0)
    chapters: bool = False
    sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Media:
    """What a file holds."""

    clock: Clock = Clock()
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True)
class Encoder:
    """An encoder that ffmpeg has: the sample layouts and the private options it takes, by ffmpeg's names."""

    name: str
    formats: frozenset[str]
    options: frozenset[str]


@functools.cache
def program() -> str:
    """Returns the ffmpeg to run: PATH's unless it is older than 5.1, else imageio-ffmpeg's. Raises MediaError."""
    found = shutil.which("ffmpeg")
    if found and _recent(_ask(found, "-version")):
        return found
    try:
        import imageio_ffmpeg  # takes long to import, as it looks for programs then

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MediaError(
            "no ffmpeg was found; install ffmpeg 5.1 or newer, or run pip install imageio-ffmpeg"
        ) from error


def media(path: Path) -> Media:
    """Returns what the file at `path` holds. Raises MediaError if it cannot be read."""
    text = _ask(program(), "-hide_banner", "-i", str(path.absolute()))
    if "Input #0" not in text:
        reason = text.strip().splitlines()[-1].rpartition(": ")[2] if text.strip() else "no answer"
        raise MediaError(f"{path} is not a video that ffmpeg can read ({reason})")
    name = os.fsencode(path.absolute())
    try:
        tracks = vs.core.bs.TrackInfo(name) or {}  # None where a damaged file has no tracks
        kinds, codecs, roles = (_listed(tracks.get(key, [])) for key in ("tracktypestr", "codecstr", "dispositionstr"))
        tags = [vs.core.bs.Metadata(name, track=n) or {} for n in range(len(kinds))]
    except vs.Error as error:
        raise MediaError(f"{path} is not a video that bestsource can read ({error})") from error
    streams = zip(range(len(kinds)), kinds, codecs, ("attached_pic" in role for role in roles), tags, strict=True)
    return Media(parse_clock(text), tuple(Stream(*stream) for stream in streams))


def holds_data(path: Path) -> bool:
    """Whether a file has a stream that is neither picture, sound nor subtitles."""
    return _DATA.search(_ask(program(), "-hide_banner", "-i", str(path.absolute()))) is not None


def encoder(name: str) -> Encoder:
    """Returns what ffmpeg's video encoder `name` takes. Raises MediaError if ffmpeg does not have it."""
    text = _encoder_help(program(), name)
    found = parse_encoder(name, text)
    if found is None:
        raise MediaError(f"{name} is not a video encoder of {program()}; its list is shown by ffmpeg -encoders")
    return found


def parse_clock(text: str) -> Clock:
    """Reads what `ffmpeg -i FILE` prints."""
    length = _LENGTH.search(text)
    hours, minutes, seconds, start = length.groups(default="0") if length else ("0",) * 4
    return Clock(
        Fraction(start),
        int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds),
        _CHAPTERS.search(text) is not None,
        {int(number): (int(width), int(height)) for number, width, height in _VIDEO.findall(text)},
        tuple(sorted(set(_STALE.findall(text)) - {"Duration"})),
    )


def parse_encoder(name: str, text: str) -> Encoder | None:
    """Reads what `ffmpeg -h encoder=NAME` prints; returns None if NAME is not a video encoder."""
    if not re.search(rf"^Encoder {re.escape(name)} \[", text, re.MULTILINE):
        return None
    formats = re.search(r"^ +Supported pixel formats: (.*)$", text, re.MULTILINE)
    options = re.findall(r"^ +-([\w-]+) +<\w+> +E..V", text, re.MULTILINE)
    if formats is None and not options:
        return None
    return Encoder(name, frozenset(formats[1].split() if formats else ()), frozenset(options))


@functools.cache
def _encoder_help(ffmpeg: str, name: str) -> str:
    return _ask(ffmpeg, "-hide_banner", "-h", f"encoder={name}")


def _listed(values: str | list[str]) -> list[str]:
    """VapourSynth returns a list of one as its value alone."""
    return [values] if isinstance(values, str) else list(values)


def _recent(text: str) -> bool:
    """Whether this `ffmpeg -version` is new enough; builds from a branch have no number and count as new."""
    number = re.search(r"^ffmpeg version n?(\d+)\.(\d+)", text)
    return number is None or (int(number[1]), int(number[2])) >= OLDEST


def _ask(*command: str) -> str:
    """Returns all that a short run of ffmpeg prints, on stdout and stderr."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise MediaError(f"{command[0]} cannot be run ({error.strerror}); install ffmpeg 5.1 or newer") from error
    return (done.stdout + done.stderr).decode("utf-8", "replace")
