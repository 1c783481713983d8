"""A film to read: its frames through bestsource, its clock, and what else the file holds."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import MediaError
from vsduf.film import probe, timeline
from vsduf.film.probe import Media, Stream
from vsduf.film.timeline import Timeline

UNKNOWN = -(2**63)  # a timestamp that the file does not have
LOOKS = 4  # frames that are looked at for interlacing


@dataclass(frozen=True)
class Source:
    """An opened film. `track` is the number of its video stream; `notes` are sentences that its owner should read."""

    path: Path
    clip: vs.VideoNode
    timeline: Timeline
    media: Media
    track: int
    notes: tuple[str, ...] = ()


def open_source(
    path: Path, indexing: Callable[[int], None] = lambda percent: None, progressive: bool = False
) -> Source:
    """Opens the first video of a file. `indexing` is told how far its first reading is (percent).

    progressive: take the frames as whole pictures even where the file marks them as interlaced.

    Raises MediaError for what is no file, no video, interlaced, or changes its size or format on the way.
    """
    if not path.is_file():
        raise MediaError(f"{path} is a folder, not a video" if path.is_dir() else f"{path} does not exist")
    media = probe.media(path)
    stream = next((stream for stream in media.streams if stream.kind == "video" and not stream.cover), None)
    if stream is None:
        raise MediaError(f"{path} has no video stream")
    clip, stamps, tick = _decode(path.absolute(), stream.index, indexing)
    if progressive:
        clip = clip.std.SetFrameProps(_FieldBased=vs.FIELD_PROGRESSIVE)
    check_decoded(path, clip, ", or give --progressive if only its marks say so")
    notes = list(_notes(clip, stream))
    rate = Fraction(clip.fps)
    if set(stamps) == {UNKNOWN}:
        rate = rate or Fraction(25)
        notes.append(f"frames without timestamps: taken as {float(rate):.6g} a second")
        times = timeline.steady(rate, clip.num_frames)
    else:
        times = timeline.measured(timeline.filled(stamps, UNKNOWN), tick, rate)
    return Source(path, clip, times, media, stream.index, tuple(notes))


def check_decoded(path: Path, clip: vs.VideoNode, way_out: str = "") -> None:
    """Raises MediaError if a decoded file changes its size or format, or if frames spread over it hold two fields each.

    way_out: what else can be done about the fields, for the end of the sentence.
    """
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or clip.width == 0:
        raise MediaError(f"{path} changes its size or format on the way; cut it into parts of one size first")
    for frame in sorted({clip.num_frames * part // LOOKS for part in range(LOOKS)}):
        with clip.get_frame(frame) as picture:
            order = int(picture.props.get("_FieldBased", 0))
        if order:
            which = "top" if order == 2 else "bottom"
            mend = f"deinterlace it first (ffmpeg -i IN -vf bwdif -c:a copy OUT.mkv){way_out}"
            raise MediaError(f"{path} is interlaced ({which} field first); {mend}")


def index_folder() -> Path | None:
    """Where indexes of slow files are kept between runs: the user's cache, never beside the film. None: nowhere."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "vsduf" / "index"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return None


def _decode(path: Path, track: int, indexing: Callable[[int], None]) -> tuple[vs.VideoNode, list[int], Fraction]:
    """The clip, the timestamp of each frame, and the seconds that a timestamp counts in."""
    folder = index_folder()
    with _messages(indexing):
        try:
            got = vs.core.bs.VideoSource(
                str(path),
                track=track,
                cachemode=0 if folder is None else 1,  # 1: only where reading again would be slow
                cachepath="" if folder is None else str(folder),
                exporttimestamps=True,
            )
        except vs.Error as error:
            raise MediaError(f"{path} cannot be decoded ({str(error).removeprefix('VideoSource: ')})") from error
    stamps = got["timestamps"]  # a lone value comes without its list
    tick = Fraction(got["timebasenum"], got["timebaseden"])
    return got["clip"], [stamps] if isinstance(stamps, int) else list(stamps), tick


def _notes(clip: vs.VideoNode, stream: Stream) -> Iterator[str]:
    """What the decoder does not hand over."""
    if sorted(stream.size) != sorted((clip.width, clip.height)) and all(stream.size):
        coded, kept = "x".join(map(str, stream.size)), f"{clip.width}x{clip.height}"
        yield f"the source is {coded}, of which the decoder gives {kept}, a whole number of chroma samples"
    with clip.get_frame(0) as picture:
        if "_Alpha" in picture.props:
            yield "the alpha channel is left out"


@contextlib.contextmanager
def _messages(indexing: Callable[[int], None]) -> Iterator[None]:
    """Takes bestsource's log: progress goes to `indexing`; the warning that it returns a dict is true of every call."""

    def take(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if percent := re.search(r"index progress (\d+)%", text):
            indexing(int(percent[1]))
            return False
        return "no return value" not in text

    log = logging.getLogger("vapoursynth")
    level = log.level
    log.addFilter(take)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeFilter(take)
