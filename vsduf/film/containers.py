"""The kinds of file that a film can be written to, and what each can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vsduf.errors import ArgumentError

TEXT = frozenset({"subrip", "ass", "ssa", "webvtt", "mov_text", "text"})  # ffmpeg converts them into each other
BITMAP = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"})


@dataclass(frozen=True)
class Container:
    """A kind of file.

    subtitles: codecs that it holds. text: what other text subtitles become. sounds: encoders for sound that it cannot
    hold, the best first. covers: whether a cover picture is a stream of it; with `attachments` it is attached.
    codec: of the video, unless the user names one. options: of ffmpeg's muxer.
    """

    name: str
    subtitles: frozenset[str]
    text: str = ""
    sounds: tuple[str, ...] = ("flac",)
    attachments: bool = False
    covers: bool = False
    chapters: bool = True
    variable_rate: bool = True
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_FAST = MappingProxyType({"movflags": "+faststart"})  # plays before it is downloaded
_TELETEXT = frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"})
_MATROSKA = Container("Matroska", TEXT - {"mov_text"} | BITMAP, "subrip", attachments=True)
_MP4 = Container("MP4", frozenset({"mov_text", "dvd_subtitle"}), "mov_text", ("alac",), covers=True, options=_FAST)
_MOV = Container("QuickTime", frozenset({"mov_text"}), "mov_text", ("alac",), options=_FAST)
_WEBM = Container("WebM", frozenset({"webvtt"}), "webvtt", ("libopus", "libvorbis"), codec="libvpx-vp9")
_TS = Container("MPEG-TS", _TELETEXT, sounds=("aac",), chapters=False)
_AVI = Container("AVI", frozenset(), sounds=("pcm_s24le",), chapters=False, variable_rate=False)
SEGMENT = Container("Matroska", frozenset(), options=MappingProxyType({"fflags": "+bitexact", "f": "matroska"}))
"""The files that parts of a film are encoded into: with the same settings, their headers are the same bytes."""
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


def container(target: Path) -> Container:
    """Returns the kind of file that the name asks for. Raises ArgumentError for one that is not known."""
    found = CONTAINERS.get(target.suffix.lower())
    if found is None:
        kind = f"the file type {target.suffix}" if target.suffix else "a name without a file type"
        raise ArgumentError(f"{target}: {kind} is not known; end it in one of {' '.join(CONTAINERS)}")
    return found
