"""Chooses which streams of a film go into a kind of file as they are, which are converted and which are left out.

What a kind of file holds differs between versions of ffmpeg: each choice is tried on a moment of the film.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import probe
from vsduf.film.containers import TEXT, Container
from vsduf.film.probe import Media, Stream

LOSSLESS = frozenset({"flac", "alac", "pcm_s16le", "pcm_s24le", "pcm_s32le", "wavpack", "tta"})  # encoders of sound
RATES = {  # kb/s of other encoders of sound
    "aac": 320, "ac3": 640, "eac3": 640, "libfdk_aac": 320, "libmp3lame": 320, "libopus": 256, "libvorbis": 320,
    "mp2": 384,
}  # fmt: skip
MOMENT = "0.1"  # seconds of a film that a choice is tried on


@dataclass(frozen=True)
class Taken:
    """A stream that is taken from a film, and the encoder that it is converted by, or "copy".

    attached: whether a cover picture becomes an attachment.
    """

    stream: Stream
    codec: str = "copy"
    attached: bool = False

    def options(self, i: int) -> list[str]:
        """Returns ffmpeg's options that make it the film's stream number `i`."""
        words = [f"-c:{i}", self.codec]
        words += [f"-b:{i}", f"{RATES[self.codec]}k"] if self.codec in RATES else []
        return [*words, f"-disposition:{i}", "attached_pic"] if self.stream.cover else words


@dataclass(frozen=True)
class Wishes:
    """What the user wants of the streams. audio: "auto", "copy", "none" or a sound encoder."""

    audio: str = "auto"
    subtitles: bool = True


def choose(
    path: Path, media: Media, video: int, target: Path, box: Container, wishes: Wishes
) -> tuple[list[Taken], list[str]]:
    """Returns what is taken from the film at `path` beside stream `video`, and a sentence about each change or loss.

    target: a file that may be written for trials, with the ending of the film. Raises MediaError for sound that cannot
    be taken as wished, ArgumentError for an encoder of sound that ffmpeg does not have.
    """
    if wishes.audio not in ("auto", "copy", "none"):
        _check_sound_encoder(wishes.audio)
    others = [stream for stream in media.streams if stream.index != video and _wanted(stream, wishes)]
    easy = {stream.index: next(_ways(stream, box, wishes), None) for stream in others}
    together = _works(path, [way for way in easy.values() if way is not None and not way.attached], target)
    taken: list[Taken] = []
    notes: list[str] = []
    for stream in others:
        ways = _ways(stream, box, wishes)
        way = (
            easy[stream.index] if together else next((w for w in ways if w.attached or _works(path, [w], target)), None)
        )
        if way is not None:
            taken.append(way)
            notes += _change(way, box)
        elif stream.kind == "audio":
            raise MediaError(_refusal(stream, box, wishes))
        elif not (stream.codec == "bin_data" and media.clock.chapters):  # MP4 stores chapters in such a stream
            notes.append(f"stream {stream.index} ({_noun(stream)}) is left out: {_reason(stream, box)}")
    if media.clock.chapters and not box.chapters:
        notes.append(f"the chapters are left out: {box.name} cannot hold them")
    return taken, notes


def _wanted(stream: Stream, wishes: Wishes) -> bool:
    return not (stream.kind == "subtitle" and not wishes.subtitles) and not (
        stream.kind == "audio" and wishes.audio == "none"
    )


def _ways(stream: Stream, box: Container, wishes: Wishes) -> Iterator[Taken]:
    """Yields how a stream may be taken, the best first."""
    if stream.kind == "audio":
        wished = {"auto": ("copy", *box.sounds), "copy": ("copy",)}.get(wishes.audio, (wishes.audio,))
        yield from (Taken(stream, codec) for codec in wished)
    elif stream.kind == "subtitle" and stream.codec in box.subtitles:
        yield Taken(stream)
    elif stream.kind == "subtitle" and stream.codec in TEXT and box.text:
        yield Taken(stream, box.text)
    elif stream.cover and box.attachments:
        yield Taken(stream, attached=True)
    elif (stream.cover and box.covers) or (stream.kind == "attachment" and box.attachments):
        yield Taken(stream)


def _works(path: Path, ways: Sequence[Taken], target: Path) -> bool:
    """Whether ffmpeg writes these streams into a file of the wanted kind."""
    if not ways:
        return True
    start = [probe.program(), "-nostdin", "-y", "-loglevel", "quiet", "-copyts", "-t", MOMENT]
    args = [*start, "-i", str(path.absolute()), "-map_chapters", "-1"]
    for number, way in enumerate(ways):
        args += ["-map", f"0:{way.stream.index}", *way.options(number)]
    done = subprocess.run([*args, str(target)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0 and not probe.holds_data(target)  # MPEG-TS takes any codec, as data


def _check_sound_encoder(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "a.mkv")
        args = [probe.program(), "-nostdin", "-loglevel", "quiet", "-f", "lavfi", "-i", "anullsrc=d=0.1", "-c:a", name]
        done = subprocess.run([*args, str(made)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise ArgumentError(
            f"--audio is {name}, which is not a sound encoder of {probe.program()}; give auto, copy, none or an encoder"
        )


def _change(way: Taken, box: Container) -> Iterator[str]:
    if way.codec == "copy":
        return
    if way.stream.kind == "audio":
        how = "without loss" if way.codec in LOSSLESS else f"at {RATES[way.codec]} kb/s" if way.codec in RATES else ""
        yield f"the sound in stream {way.stream.index} ({way.stream.codec}) is converted to {way.codec} {how}".rstrip()
    else:
        yield f"the subtitles in stream {way.stream.index} ({way.stream.codec}) become {way.codec} for {box.name}"


def _refusal(stream: Stream, box: Container, wishes: Wishes) -> str:
    mend = (
        "use --audio auto, which converts it" if wishes.audio == "copy" else "choose another --audio, or --audio none"
    )
    return f"{box.name} cannot hold the sound in stream {stream.index} ({stream.codec}) so; {mend}"


def _noun(stream: Stream) -> str:
    return "cover picture" if stream.cover else f"{stream.kind} {stream.codec}"


def _reason(stream: Stream, box: Container) -> str:
    if stream.kind == "video" and not stream.cover:
        return "only the first video is upscaled"
    return f"{box.name} cannot hold it"
