"""`vsduf upscale IN OUT`: bestsource decodes, core.duf.Upscale enlarges, ffmpeg encodes."""

from __future__ import annotations

import argparse
import contextlib
import functools
import inspect
import logging
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import vapoursynth as vs

import vsduf
from vsduf.cli import auto, batch
from vsduf.cli.options import check_device
from vsduf.cli.resume import work_of
from vsduf.cli.terminal import FRAMES, PERCENT, Notes, Progress, say
from vsduf.cli.upscale_arguments import add_arguments
from vsduf.errors import ArgumentError, MediaError
from vsduf.film import work
from vsduf.film.codec import Settings
from vsduf.film.encoder import EncodeSegments, Encoding, prepare, times_of
from vsduf.film.formats import convert, has_alpha, holds, tag_assumed
from vsduf.film.matroska import ALPHA
from vsduf.film.output import claim
from vsduf.film.script import SUFFIX, run_script
from vsduf.film.segments import Segments
from vsduf.film.segments import encode as encode_segments
from vsduf.film.source import Source, open_source
from vsduf.film.timeline import Timeline
from vsduf.film.work import Part
from vsduf.filter import repeats
from vsduf.filter.scenes import mark_cuts
from vsduf.network import catalogue
from vsduf.upscaler import SCALES

__all__ = ["add_arguments", "run"]

RATE_CONTROL = {"b", "pass", "passlogfile", "vbr", "rc"}  # of an encoder that looks at the whole film
OPTIONS = tuple(inspect.signature(vsduf.upscale).parameters)[1:]  # of core.duf.Upscale, without the clip


def run(args: argparse.Namespace) -> int:
    """Writes the film or the films; raises DufError or vs.Error for what cannot be done."""
    if args.output_folder is not None:
        return batch.run(args, write_film)
    if len(args.paths) != 2:
        args.refuse("give IN and OUT, or any number of films and -o FOLDER")
    args.source, args.target = args.paths
    write_film(args)
    return 0


def write_film(args: argparse.Namespace) -> None:
    """Writes the film `args.target` from `args.source`; keeps whole segments if it cannot go on."""
    _check(args)
    options = dict(args.encoder_option)
    settings = Settings(args.codec, args.crf, args.preset, options, args.depth, args.audio, args.subtitles)
    with _ended_by_signals(), _notes(), claim(args.target, args.source, args.overwrite) as output:
        film = None if args.source.suffix == SUFFIX else _opened(args)
        script = args.source if film is None else auto.script_for(args) if args.auto else args.script
        if script is not None:
            clip = run_script(script)
            encoding = prepare(film, output, settings, clip.format, times_of(clip, film), lambda: has_alpha(clip))
        else:
            assert film is not None
            encoding = prepare(film, output, settings, film.clip.format, alpha=functools.partial(_alpha, film, args))
        for note in (*output.notes, *(film.notes if film else ()), *encoding.notes):
            say(note)
        if script is None and film is not None:
            clip = upscaled(film, encoding.form, encoding.alpha, args)
        segments = _segments(args, script, encoding, film, clip.num_frames)
        encode = _encode_by(args, script, encoding, segments)
        start = segments.work.done if segments and not args.restart else 0
        with _kept(segments), Progress(clip.num_frames, start=start, as_json=args.json) as progress:
            encoding.write(clip, progress.update, say, segments, encode)


def _encode_by(
    args: argparse.Namespace, script: Path | None, encoding: Encoding, segments: Segments | None
) -> EncodeSegments:
    """Returns the function that encodes segments: in this process, or by several workers."""
    if args.workers is None and args.cluster is None:
        return encode_segments
    from vsduf.cluster import workers

    if segments is None:
        raise ArgumentError("several workers make segments, which this run does without; leave out --workers")
    if args.device_id not in (None, -1):
        raise ArgumentError("each worker takes a GPU of its own; leave out --device-id, or give -1 for the CPU")
    crew = workers.Crew(args.workers or None, args.cluster, args.device_id != -1 and args.device != "cpu")
    told = argparse.Namespace(**{name: value for name, value in vars(args).items() if name != "refuse"})
    told.source = args.source.absolute()
    make = functools.partial(clip_in_worker, told, script and script.absolute(), encoding.form.id, encoding.alpha)

    def encode(
        clip: vs.VideoNode, video: Mapping[str, str], times: Timeline, cut: Segments, *notices: Callable[..., None]
    ) -> list[Part]:
        return workers.encode(video, times, cut, make, crew, *notices)

    return encode


def clip_in_worker(args: argparse.Namespace, script: Path | None, form: int, alpha: bool, cores: int) -> vs.VideoNode:
    """Returns the clip to encode, in a worker's process. cores: that the worker may use, 0 if it has a GPU."""
    if cores:
        vs.core.num_threads = cores
        args.num_streams = args.num_streams or cores
    wanted = vs.core.get_video_format(form)
    clip = run_script(script) if script is not None else upscaled(_opened(args), wanted, alpha, args)
    return convert(clip, wanted, alpha)


def _segments(
    args: argparse.Namespace, script: Path | None, encoding: Encoding, film: Source | None, frames: int
) -> Segments | None:
    """Returns how the film is cut into segments, None for one pass. A script's frames are too dear to look for cuts."""
    if not args.segments:
        return None
    if RATE_CONTROL & encoding.video.keys():
        say("the encoder is to reach a bit rate, which takes one pass: a run that is stopped begins again")
        return None
    cuts = mark_cuts(film.clip) if script is None and film is not None else None
    return Segments(work_of(args, script, encoding, frames), args.segment, cuts, args.restart)


@contextlib.contextmanager
def _kept(segments: Segments | None) -> Iterator[None]:
    """Says how to go on if the block does not end well and some segments are whole."""
    try:
        yield
    except BaseException:
        kept = work.read(segments.work.folder) if segments is not None else None
        if segments is not None and kept is not None and kept["done"]:
            command = shlex.join(kept["command"])  # of the run that began, if this one is refused
            say(f"{kept['done']} of {kept['frames']} frames are kept in {segments.work.folder}; to go on: {command}")
        raise


def _check(args: argparse.Namespace) -> None:
    """Raises DufError for what is wrong with the names of the film, the model and the device."""
    if not args.source.exists():
        raise MediaError(f"{args.source} does not exist; give a film, or a script that ends in {SUFFIX}")
    if not args.source.is_file():
        raise MediaError(f"{args.source} is a folder or a device, not a video; give a film")
    check_device(args.device_id, args.fp16, args.device)
    if args.model is not None:
        catalogue.find(args.model)
    if args.scale is not None and args.scale not in SCALES:
        raise ArgumentError(f"--scale is {args.scale}; give 2, 3 or 4")
    if args.script is not None and args.source.suffix == SUFFIX:
        raise ArgumentError(f"IN is the script {args.source} already; leave out --script, or give a film as IN")
    network = [name for name in OPTIONS if getattr(args, name, None) not in (None, False)] if args.script else []
    if given := [f"--{name.replace('_', '-')}" for name in network if name != "scenecut"]:
        raise ArgumentError(f"the script says how frames are enlarged; set {' and '.join(given)} there")
    if args.auto and (args.script is not None or args.source.suffix == SUFFIX):
        raise ArgumentError("--auto writes a script, and one is given; leave out one of them")


def _opened(args: argparse.Namespace) -> Source:
    with Progress(100, PERCENT, "reading the film", transient=True) as reading:
        return open_source(args.source, reading.update, args.progressive or args.auto or args.script is not None)


def _alpha(film: Source, args: argparse.Namespace) -> bool:
    """Tells whether the film's alpha channel is upscaled."""
    found = has_alpha(film.clip)
    if found and args.animation:
        say("the alpha channel is left out: --animation compares frames without it; leave out --animation to keep it")
    return found and not args.animation


def upscaled(film: Source, form: vs.VideoFormat, alpha: bool, args: argparse.Namespace) -> vs.VideoNode:
    """Returns the enlarged clip; in format `form`, if that holds more than the film's: the network makes use of it.

    alpha: whether the film's alpha channel is enlarged too; else it is removed.
    """
    clip = film.clip if alpha else film.clip.std.RemoveFrameProps(ALPHA)
    clip = convert(clip, form, alpha) if holds(form, clip.format) else clip
    if args.scenecut:
        clip = mark_cuts(clip)
    options = {name: value for name in OPTIONS if (value := getattr(args, name, None)) is not None}
    if args.animation:
        with Progress(clip.num_frames, FRAMES, "looking for repeated frames", transient=True) as reading:
            clip = repeats.once(clip, lambda drawings: enlarged(drawings, options), progress=reading.update)
    else:
        clip = enlarged(clip, options)
    return tag_assumed(clip, film.clip)


def enlarged(clip: vs.VideoNode, options: dict[str, Any]) -> vs.VideoNode:
    """Calls core.duf.Upscale, and nothing else does: tests replace this function."""
    if not hasattr(vs.core, "duf"):
        raise ArgumentError("core.duf is not in VapourSynth's plugin folder; install vsduf again into this environment")
    return vs.core.duf.Upscale(clip, **options)


@contextlib.contextmanager
def _notes() -> Iterator[None]:
    """Prints VapourSynth's warnings on stderr."""
    log, handler = logging.getLogger("vapoursynth"), Notes()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Makes `kill` or a closed terminal end the run as Ctrl-C does, with its files removed; no signal interrupts that.

    A signal that was ignored before, as under nohup, is still ignored.
    """

    def end(number: int, _: object) -> None:
        for other in names:
            signal.signal(other, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    names = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
