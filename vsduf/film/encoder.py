"""The door to ffmpeg: a clip goes in, a film comes out, with everything else that its source held.

`encode` takes any VideoNode, so what makes the frames is not known here. The command is built purely
(`command`) and run by `pipe`; the film gets its name only when all of its frames are in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import vapoursynth as vs

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import matroska, pipe, probe, timeline
from vsduf.film.containers import Copied, container, fitting
from vsduf.film.source import Source
from vsduf.film.timeline import Timeline

# constant quality that is hard to tell from the frames
CRF = {"libx264": 16, "libx265": 18, "libsvtav1": 24, "libaom-av1": 24, "libvpx-vp9": 24}
SAME = {  # layouts that hold the very same samples in another order, for encoders that do not take the first
    "gbrp": ("rgb24", "bgr24", "bgr0"),
    "yuv420p": ("nv12",),
    "yuv420p10le": ("p010le",),
    "yuv422p10le": ("p210le",),
    "yuv444p10le": ("yuv444p10msble",),
}
QUIET = ("-hide_banner", "-nostdin", "-y", "-loglevel", "error")
REPORT = ("-progress", "pipe:1", "-stats_period", "60")
STALE = ("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_TAGS")  # true of the old video only


@dataclass(frozen=True)
class Settings:
    """How to encode.

    codec: a video encoder by ffmpeg's name, default the container's usual one. crf: its constant quality, default one
    that is hard to tell from the frames. subtitles: whether they go along. options: more of the encoder's own.
    """

    codec: str = ""
    crf: float | None = None
    preset: str = ""
    subtitles: bool = True
    options: Mapping[str, str] = field(default_factory=dict)


def encode(
    clip: vs.VideoNode,
    target: Path,
    source: Source | None = None,
    settings: Settings = Settings(),
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Writes `clip` to the film `target`, with all else that `source` holds and at its times.

    Without `source`: at the clip's own constant rate, without sound. progress: told the number of frames handed over.
    Raises ArgumentError for names and settings that cannot be used, MediaError where ffmpeg gives up, vs.Error from the
    clip; then, and on any other exception, nothing stands at `target` that did not stand there before.
    """
    check_names(source.path if source else None, target, overwrite)
    times = _times(clip, source)
    part = target.absolute().with_name(f"{target.stem}.vsduf-part{target.suffix}")
    args = command(part, clip.format, times, settings, source)
    try:
        pipe.run(_rehearsal(args, source), vs.core.std.BlankClip(clip, length=1), times, lambda done: None)
        pipe.run(args, clip, times, progress)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def check_names(source: Path | None, target: Path, overwrite: bool) -> None:
    """Raises ArgumentError where `target` cannot be written or must not be, before any work is done."""
    if target.is_dir():
        raise ArgumentError(f"{target} is a folder; give the name of a film in it")
    container(target)
    if not target.parent.is_dir():
        raise ArgumentError(f"{target}: the folder {target.parent} does not exist")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise ArgumentError(f"{target} is the source itself; give another name")
    if target.exists() and not target.is_file():
        raise ArgumentError(f"{target} is not a regular file; give another name")
    if target.exists() and not overwrite:
        raise ArgumentError(f"{target} exists; give another name, or --overwrite")


def command(
    target: Path, form: vs.VideoFormat, times: Timeline, settings: Settings, source: Source | None = None
) -> list[str]:
    """The ffmpeg command that reads frames of format `form` from its stdin, as `matroska` writes them.

    Raises ArgumentError for an option that the encoder does not have, MediaError for what does not fit into `target`.
    """
    box = container(target)
    if not times.constant and not box.variable_rate:
        raise MediaError(f"{box.name} cannot hold a variable frame rate, which this film has; write to .mkv")
    codec = settings.codec or box.codec
    cfr = (
        {"x264-params:v:0": "force-cfr=1"} if codec == "libx264" and times.constant else {}
    )  # or it states the tick as rate
    streams = [ffmpeg.input("pipe:0", format="matroska", **_moved("itsoffset", -times.lead))["v:0"]]
    options: dict[str, Any] = {"c": "copy", **cfr, **_encoding(codec, form, settings), **box.options}
    options["fps_mode:v:0"] = "passthrough"  # no frame is dropped or repeated
    options["enc_time_base"] = f"{times.tick.numerator}/{times.tick.denominator}"
    if "265" in codec and box.name in ("MP4", "QuickTime"):
        options["tag:v:0"] = "hvc1"  # the tag that Apple's players know
    if source is not None:
        film = ffmpeg.input(str(source.path.absolute()))
        copied, _ = fitting(source.media, source.track, target, settings.subtitles)
        streams += [film[str(stream.index)] for stream in copied] or [film["a?"]]  # chapters come from it in any case
        if not source.media.chapters:  # they would not move along
            options |= _moved("output_ts_offset", -source.media.start)
        options |= {"map_metadata": 1, "map_chapters": 1, **_kept([Copied(source.track), *copied])}
    start = [probe.program(), *QUIET, *REPORT, "-copyts"]  # one clock for both inputs: nothing moves against the sound
    args: list[str] = ffmpeg.compile(ffmpeg.output(*streams, str(target), **options), cmd=start)
    stale = [word for name in STALE for word in ("-metadata:s:v:0", f"{name}=")] if source is not None else []
    return [*args[:-1], *stale, args[-1]]


def _moved(option: str, seconds: Fraction | int) -> dict[str, str]:
    return {option: f"{float(seconds):.6f}"} if seconds else {}


def _kept(streams: Sequence[Copied]) -> dict[str, str]:
    """Options that give each output stream its source's tags, and its codec and role where it is no plain copy."""
    options = {f"map_metadata:s:{i}": f"1:s:{stream.index}" for i, stream in enumerate(streams)}
    options |= {f"c:{i}": stream.codec for i, stream in enumerate(streams) if stream.codec != "copy"}
    return options | {f"disposition:{i}": "attached_pic" for i, stream in enumerate(streams) if stream.cover}


def _encoding(codec: str, form: vs.VideoFormat, settings: Settings) -> dict[str, Any]:
    """Options of the video encoder, checked against those that it says it has."""
    encoder = probe.encoder(codec)
    wanted = matroska.pixels(form).name
    usable = encoder.formats or {wanted}
    layout = next((name for name in (wanted, *SAME.get(wanted, ())) if name in usable), None)
    if layout is None:
        raise MediaError(f"{codec} cannot encode {form.name}; choose another --codec (ffv1 takes most) or --depth")
    wished = {"crf": settings.crf, "preset": settings.preset or None}
    for name, value in wished.items():
        if value is not None and name not in encoder.options:
            raise ArgumentError(f"{codec} has no {name}; set its own option with --encoder-option NAME=VALUE")
    options: dict[str, Any] = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    options |= {"crf": CRF[codec]} if codec in CRF else {}
    options |= {name: value for name, value in wished.items() if value is not None} | dict(settings.options)
    return {"c:v:0": codec, "pix_fmt:v:0": layout, **{f"{name}:v:0": value for name, value in options.items()}}


def _times(clip: vs.VideoNode, source: Source | None) -> Timeline:
    if source is None:
        if not clip.fps:
            raise ArgumentError("the clip has no constant frame rate; give it one with std.AssumeFPS")
        return timeline.steady(Fraction(clip.fps), clip.num_frames)
    if clip.num_frames != len(source.timeline.stamps):
        raise ArgumentError(f"the clip has {clip.num_frames} frames and its source {len(source.timeline.stamps)}")
    return source.timeline


def _rehearsal(args: Sequence[str], source: Source | None) -> list[str]:
    """The same command for a blink of the source: what ffmpeg refuses, it refuses before the first frame is made."""
    if source is None:
        return list(args)
    at = args.index(str(source.path.absolute())) - 1
    return [*args[:at], "-t", "0.1", *args[at:]]
