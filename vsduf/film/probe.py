"""What the ffmpeg program knows: where it is, what a file holds, what an encoder takes.

imageio-ffmpeg brings no ffprobe, so these read what ffmpeg itself prints; each parser is a pure function of that text.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vsduf.errors import MediaError

OLDEST = (5, 1)  # brought -fps_mode; ffmpeg 4 also loses the colour tags of raw Matroska video

_STREAM = re.compile(r"^ +Stream #0:(\d+)(?:\[0x\w+\])?(?:\([^)]*\))?: (\w+): (\w+)(.*)$", re.MULTILINE)
_START = re.compile(r"^ +Duration: .*?, start: (-?[\d.]+)", re.MULTILINE)
_SIZE = re.compile(r", (\d+)x(\d+)[ ,\n]")


@dataclass(frozen=True)
class Stream:
    """One stream of a file: number, `kind` (video, audio, subtitle, attachment, data), codec by ffmpeg's name."""

    index: int
    kind: str
    codec: str
    cover: bool = False  # a still picture that belongs to the file, not a film
    size: tuple[int, int] = (0, 0)  # pixels, as coded in the file


@dataclass(frozen=True)
class Media:
    """What a file holds; `start` is its earliest timestamp in seconds."""

    start: Fraction = Fraction(0)
    chapters: bool = False
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True)
class Encoder:
    """An encoder that ffmpeg has: the sample layouts and the private options it takes, by ffmpeg's names."""

    name: str
    formats: frozenset[str]
    options: frozenset[str]


@functools.cache
def program() -> str:
    """The ffmpeg to run: PATH's unless it is older than 5.1, else imageio-ffmpeg's. Raises MediaError."""
    found = shutil.which("ffmpeg")
    if found and _recent(_ask(found, "-version")):
        return found
    try:
        import imageio_ffmpeg  # only where it is needed: it looks for programs when imported

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MediaError(
            "no ffmpeg was found; install ffmpeg 5.1 or newer, or run pip install imageio-ffmpeg"
        ) from error


def media(path: Path) -> Media:
    """What the file at `path` holds. Raises MediaError where ffmpeg cannot read it."""
    text = _ask(program(), "-hide_banner", "-i", str(path.absolute()))
    if "Input #0" not in text:
        reason = text.strip().splitlines()[-1].rpartition(": ")[2] if text.strip() else "no answer"
        raise MediaError(f"{path} is not a video that ffmpeg can read ({reason})")
    return parse_media(text)


def encoder(name: str) -> Encoder:
    """What ffmpeg's video encoder `name` takes. Raises MediaError where there is none."""
    text = _ask(program(), "-hide_banner", "-h", f"encoder={name}")
    found = parse_encoder(name, text)
    if found is None:
        raise MediaError(f"{name} is not a video encoder of {program()}; its list is shown by ffmpeg -encoders")
    return found


def parse_media(text: str) -> Media:
    """Reads what `ffmpeg -i FILE` prints."""
    start = _START.search(text)
    streams: dict[int, Stream] = {}
    for number, kind, codec, rest in _STREAM.findall(text):
        size = _SIZE.search(rest + "\n")
        streams[int(number)] = Stream(
            int(number),
            kind.lower(),
            codec,
            "(attached pic)" in rest,
            (int(size[1]), int(size[2])) if size else (0, 0),
        )
    return Media(
        Fraction(start[1]) if start else Fraction(0),
        re.search(r"^ +Chapters?[: ]", text, re.MULTILINE) is not None,
        tuple(streams[number] for number in sorted(streams)),
    )


def parse_encoder(name: str, text: str) -> Encoder | None:
    """Reads what `ffmpeg -h encoder=NAME` prints; None where NAME is no video encoder."""
    if not re.search(rf"^Encoder {re.escape(name)} \[", text, re.MULTILINE):
        return None
    formats = re.search(r"^ +Supported pixel formats: (.*)$", text, re.MULTILINE)
    options = re.findall(r"^ +-([\w-]+) +<\w+> +E..V", text, re.MULTILINE)
    if formats is None and not options:
        return None
    return Encoder(name, frozenset(formats[1].split() if formats else ()), frozenset(options))


def _recent(text: str) -> bool:
    """Whether this `ffmpeg -version` is new enough; builds from a branch carry no number and count as new."""
    number = re.search(r"^ffmpeg version n?(\d+)\.(\d+)", text)
    return number is None or (int(number[1]), int(number[2])) >= OLDEST


def _ask(*command: str) -> str:
    """All that a short run of ffmpeg prints, on either stream."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise MediaError(f"{command[0]} cannot be run ({error.strerror}); install ffmpeg 5.1 or newer") from error
    return (done.stdout + done.stderr).decode("utf-8", "replace")
