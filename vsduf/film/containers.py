"""Chooses which streams of a film go into a kind of file as they are, which are converted and which are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vsduf.errors import ArgumentError, MediaError
from vsduf.film.probe import Media, Stream

TEXT = frozenset({"subrip", "ass", "ssa", "webvtt", "mov_text", "text"})  # ffmpeg converts them into each other
BITMAP = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"})


@dataclass(frozen=True)
class Container:
    """A kind of file: the subtitle codecs that it holds, the one that other text becomes, and what else it holds."""

    name: str
    subtitles: frozenset[str]
    text: str = ""
    attachments: bool = False
    covers: bool = False
    variable_rate: bool = True
    codec: str = "libx264"  # of the video, unless the user names one
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_FAST = MappingProxyType({"movflags": "+faststart"})  # plays before it is downloaded
_MATROSKA = Container("Matroska", TEXT - {"mov_text"} | BITMAP, "subrip", attachments=True)
_MP4 = Container("MP4", frozenset({"mov_text", "dvd_subtitle"}), "mov_text", covers=True, options=_FAST)
_MOV = Container("QuickTime", frozenset({"mov_text"}), "mov_text", options=_FAST)
_WEBM = Container("WebM", frozenset({"webvtt"}), "webvtt", codec="libvpx-vp9")
_TS = Container("MPEG-TS", frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}))
_AVI = Container("AVI", frozenset(), variable_rate=False)
CONTAINERS = {
    ".mkv": _MATROSKA,
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV,
    ".webm": _WEBM,
    ".ts": _TS,
    ".m2ts": _TS,
    ".avi": _AVI,
}


@dataclass(frozen=True)
class Copied:
    """A stream that is taken from the source: its number there, and `copy` or the codec that it is converted to."""

    index: int
    codec: str = "copy"
    cover: bool = False


def container(target: Path) -> Container:
    """Returns the kind of file that the name asks for. Raises ArgumentError for one that is not known."""
    found = CONTAINERS.get(target.suffix.lower())
    if found is None:
        kind = f"the file type {target.suffix}" if target.suffix else "a name without a file type"
        raise ArgumentError(f"{target}: {kind} is not known; end it in one of {' '.join(CONTAINERS)}")
    return found


def fitting(media: Media, video: int, box: Container, subtitles: bool = True) -> tuple[tuple[Copied, ...], list[str]]:
    """Returns which streams beside stream `video` go into `box`, and a sentence about each that is changed or left out.

    subtitles: whether subtitles are wanted. Raises MediaError for those that cannot be held or converted.
    """
    copied, notes = [], []
    for stream in media.streams:
        if stream.index == video or (stream.kind == "subtitle" and not subtitles):
            continue
        if stream.kind == "subtitle" and stream.codec not in box.subtitles:
            copied.append(Copied(stream.index, _converted(stream, box)))
            notes.append(f"the subtitles in stream {stream.index} ({stream.codec}) become {box.text} for {box.name}")
        elif _fits(stream, box):
            copied.append(Copied(stream.index, cover=stream.cover))
        elif not (stream.codec == "bin_data" and media.clock.chapters):  # in MP4 that is how chapters are stored
            notes.append(f"stream {stream.index} ({_noun(stream)}) is left out: {_reason(stream, box)}")
    return tuple(copied), notes


def _converted(stream: Stream, box: Container) -> str:
    if stream.codec in TEXT and box.text:
        return box.text
    raise MediaError(
        f"{box.name} cannot hold the subtitles in stream {stream.index} ({stream.codec}); "
        "write to .mkv, or leave them out with --no-subtitles"
    )


def _fits(stream: Stream, box: Container) -> bool:
    if stream.cover:
        return box.covers
    return stream.kind in ("audio", "subtitle") or (stream.kind == "attachment" and box.attachments)


def _noun(stream: Stream) -> str:
    return "cover picture" if stream.cover else f"{stream.kind} {stream.codec}"


def _reason(stream: Stream, box: Container) -> str:
    if stream.kind == "video" and not stream.cover:
        return "only the first video is upscaled"
    return f"it does not go into {box.name}"
