"""Opens a film: its frames through bestsource, their times, and what else the file holds."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vsduf.errors import MediaError
from vsduf.film import probe, timeline
from vsduf.film.fields import as_progressive, check_progressive
from vsduf.film.matroska import ALPHA
from vsduf.film.probe import Media, Stream
from vsduf.film.timeline import Timeline

REMEDY = (
    "deinterlace it first: `vsduf upscale --auto IN OUT` does, `vsduf script IN` writes how, "
    "and --progressive takes the frames as they are if only their marks are wrong"
)
HDR = {int(vs.TRANSFER_ST2084): "PQ", int(vs.TRANSFER_ARIB_B67): "HLG"}
UNKNOWN = -(2**63)  # a timestamp that the file does not have


@dataclass(frozen=True)
class Source:
    """An opened film. track: the number of its video stream. notes: sentences for the user."""

    path: Path
    clip: vs.VideoNode
    timeline: Timeline
    media: Media
    track: int
    notes: tuple[str, ...] = ()


def open_source(
    path: Path, indexing: Callable[[int], None] = lambda percent: None, progressive: bool = False
) -> Source:
    """Opens the first video of a file. indexing: called with the progress of its first reading, per cent.

    progressive: take the frames as progressive even where the file marks them as interlaced.

    Raises MediaError for what is no file, no video, interlaced, or changes its size or format on the way.
    """
    if not path.is_file():
        raise MediaError(f"{path} is a folder, not a video" if path.is_dir() else f"{path} does not exist")
    media = probe.media(path)
    stream = next((stream for stream in media.streams if stream.kind == "video" and not stream.cover), None)
    if stream is None:
        raise MediaError(f"{path} has no video stream")
    clip, stamps, tick = _decode(path, stream.index, indexing)
    check_decoded(path, clip)
    if progressive:
        clip = clip.std.SetFrameProps(_FieldBased=vs.FIELD_PROGRESSIVE)
    else:
        check_progressive(path, clip, REMEDY)
        clip = as_progressive(clip)
    times, remarks = _times(path, clip, media, stamps, tick)
    notes = (*_notes(clip, media, stream), *_missing(times, media), *remarks)
    return Source(path, clip, times, media, stream.index, notes)


def check_decoded(path: Path, clip: vs.VideoNode) -> None:
    """Raises MediaError if a decoded file changes its size or format."""
    if clip.format is None or clip.format.color_family == vs.UNDEFINED or clip.width == 0:
        raise MediaError(f"{path} changes its size or format on the way; cut it into parts of one size first")


def _times(
    path: Path, clip: vs.VideoNode, media: Media, stamps: list[int], tick: Fraction
) -> tuple[Timeline, list[str]]:
    """Returns when the frames are shown, and a sentence if that is not what the file's timestamps say."""
    stated = Fraction(clip.fps)
    if set(stamps) == {UNKNOWN}:
        rate = stated or Fraction(25)
        note = f"the frames have no timestamps; {float(rate):.6g} frames a second are assumed"
        return timeline.constant(rate, clip.num_frames), [note]
    step = 1 / (stated * tick) if stated else Fraction(1)
    times = timeline.from_timestamps(timeline.interpolated(stamps, UNKNOWN, step), tick, stated)
    if times.plausible(stated, media.clock.duration):
        return times, []
    found = f"{float(times.rate):.6g} frames a second"
    if not stated:
        raise MediaError(f"the timestamps of {path} give {found}, which cannot be; remux it first")
    note = f"the timestamps give {found}, which cannot be; the stated {float(stated):.6g} are taken"
    return timeline.constant(stated, clip.num_frames, Fraction(times.time(0), 10**9)), [note]


def index_folder() -> Path | None:
    """Returns the folder for indexes of files that are slow to index, in the user's cache; None if none can be made."""
    import platformdirs

    folder = platformdirs.user_cache_path("vsduf") / "index"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return None


def _decode(path: Path, track: int, indexing: Callable[[int], None]) -> tuple[vs.VideoNode, list[int], Fraction]:
    """Returns the clip, the timestamp of each frame, and the seconds that a timestamp counts in."""
    folder = index_folder()
    with _messages(indexing):
        try:
            got = _indexed(path, track, folder)
        except vs.Error as error:
            raise MediaError(f"{path} cannot be decoded ({str(error).removeprefix('VideoSource: ')})") from error
    stamps = got["timestamps"]  # a lone value comes without its list
    tick = Fraction(got["timebasenum"], got["timebaseden"])
    return got["clip"], [stamps] if isinstance(stamps, int) else list(stamps), tick


def _indexed(path: Path, track: int, folder: Path | None) -> dict[str, Any]:
    """bestsource's answer; where the index cannot be kept in `folder`, for lack of space or a short name, without."""
    options = {"cachemode": 0} if folder is None else {"cachemode": 1, "cachepath": str(folder)}
    try:
        got = vs.core.bs.VideoSource(os.fsencode(path.absolute()), track=track, exporttimestamps=True, **options)
    except vs.Error as error:
        if folder is None or "Failed to write index" not in str(error):
            raise
        return _indexed(path, track, None)
    return dict(got)


def _notes(clip: vs.VideoNode, media: Media, stream: Stream) -> Iterator[str]:
    """Says what the decoder does not hand over."""
    coded = media.clock.sizes.get(stream.index)
    if coded and sorted(coded) != sorted((clip.width, clip.height)):
        kept = f"{clip.width}x{clip.height}"
        yield f"the source is {coded[0]}x{coded[1]}, of which the decoder gives {kept}, whole chroma samples"
    with clip.get_frame(0) as picture:
        if picture.props.get("_Transfer") in HDR:
            name = HDR[picture.props["_Transfer"]]
            yield f"the film is HDR ({name}); the models were trained on SDR: look at a preview"
        if ALPHA not in picture.props and "alpha_mode" in map(str.lower, stream.tags):
            yield "the alpha channel is left out, as the decoder of this codec drops it"


def _missing(times: Timeline, media: Media) -> Iterator[str]:
    """Says if the frames end well before the file does, as those of a damaged file do."""
    lasts = media.clock.duration
    early = lasts - (Fraction(times.time(len(times.stamps)), 10**9) - media.clock.start)
    if lasts and early > max(Fraction(1), lasts / 50):
        what = f"the picture ends {float(early):.1f} s before the file does, which lasts {float(lasts):.1f} s"
        yield f"{what}: what follows cannot be decoded, or only the sound goes on"


@contextlib.contextmanager
def _messages(indexing: Callable[[int], None]) -> Iterator[None]:
    """Hands bestsource's progress to `indexing`, and drops a warning that each of its calls causes."""

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
