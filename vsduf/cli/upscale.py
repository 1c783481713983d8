"""`vsduf upscale IN OUT`: bestsource reads, core.duf.Upscale enlarges, ffmpeg encodes."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vsduf.cli.terminal import FRAMES, PERCENT, Notes, Progress, say
from vsduf.errors import ArgumentError
from vsduf.film import encoder
from vsduf.film.containers import fitting
from vsduf.film.source import Source, open_source
from vsduf.filter import repeats
from vsduf.filter.scenes import mark_cuts

OPTIONS = (
    "scale",
    "model",
    "device_id",
    "fp16",
    "tilesize",
    "overlap",
    "num_streams",
    "scenecut",
)  # of core.duf.Upscale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments; those of the network are named as core.duf.Upscale names them."""
    parser.add_argument("source", metavar="IN", type=Path, help="the film to read")
    parser.add_argument("target", metavar="OUT", type=Path, help="the film to write; its ending chooses the container")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    parser.add_argument("--progressive", action="store_true", help="IN is progressive even if marked as interlaced")
    parser.add_argument(
        "--animation", action="store_true", help="upscale a drawing that stays for several frames once: faster, sharper"
    )
    parser.add_argument("--no-subtitles", dest="subtitles", action="store_false", help="leave subtitles out")
    network = parser.add_argument_group("network")
    network.add_argument("--scale", type=int, default=4, metavar="N", help="2, 3 or 4 (default 4)")
    network.add_argument("--model", help="a bundled model's name or a weights file (default: best for the scale)")
    network.add_argument(
        "--device-id", type=int, metavar="N", help="CUDA device, -1 for the CPU (default: first CUDA device)"
    )
    network.add_argument(
        "--fp16", action=argparse.BooleanOptionalAction, default=None, help="half precision (CUDA default)"
    )
    network.add_argument(
        "--tilesize", type=_sizes, metavar="W[xH]", help="largest tile in source pixels (default: by memory)"
    )
    network.add_argument("--overlap", type=int, metavar="N", help="source pixels that tiles share (default: seamless)")
    network.add_argument("--num-streams", type=int, metavar="N", help="frames that the device works on at a time")
    network.add_argument("--no-scenecut", dest="scenecut", action="store_false", help="look across scene cuts")
    encoder = parser.add_argument_group("encoder")
    encoder.add_argument("--codec", default="", help="ffmpeg video encoder (default libx264, for .webm libvpx-vp9)")
    encoder.add_argument(
        "--crf", type=float, metavar="N", help="constant quality (default: hard to tell from the frames)"
    )
    encoder.add_argument("--preset", default="", help="the encoder's speed preset")
    encoder.add_argument("--depth", type=int, choices=(8, 10, 12, 16), help="bits a sample (default: as IN)")
    encoder.add_argument(
        "--encoder-option", type=_pair, action="append", default=[], metavar="NAME=VALUE", help="one more"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the film; raises DufError or vs.Error for what cannot be done. Nothing half-written is left behind."""
    encoder.check_names(args.source, args.target, args.overwrite)
    with _ended_by_signals():
        with Progress(100, PERCENT, "reading the film", transient=True) as reading:
            film = open_source(args.source, reading.update, args.progressive)
        for note in [*film.notes, *fitting(film.media, film.track, args.target, args.subtitles)[1]]:
            say(note)
        settings = encoder.Settings(args.codec, args.crf, args.preset, args.subtitles, dict(args.encoder_option))
        encoder.command(
            args.target, _form(film, args), film.timeline, settings, film
        )  # refuses, if it must, before torch loads
        clip = upscaled(film, args)
        with _notes(), Progress(clip.num_frames) as progress:
            encoder.encode(clip, args.target, film, settings, args.overwrite, progress.update)
    return 0


def upscaled(film: Source, args: argparse.Namespace) -> vs.VideoNode:
    """The clip to encode: more bits before the network, which then makes use of them, fewer only after it."""
    clip, form = film.clip, _form(film, args)
    if form.bits_per_sample > clip.format.bits_per_sample:
        clip = _converted(clip, form)
    if args.scenecut:
        clip = mark_cuts(clip)
    options = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    if args.animation:
        with Progress(clip.num_frames, FRAMES, "looking for repeated frames", transient=True) as reading:
            clip = repeats.once(clip, lambda drawings: enlarged(drawings, options), progress=reading.update)
    else:
        clip = enlarged(clip, options)
    return _converted(clip, form) if form.bits_per_sample < clip.format.bits_per_sample else clip


def enlarged(clip: vs.VideoNode, options: dict[str, Any]) -> vs.VideoNode:
    """The one place that knows what makes the frames larger."""
    if not hasattr(vs.core, "duf"):
        raise ArgumentError("core.duf is not in VapourSynth's plugin folder; install vsduf again into this environment")
    return vs.core.duf.Upscale(clip, **options)


def _form(film: Source, args: argparse.Namespace) -> vs.VideoFormat:
    """The format of the film to write."""
    form = film.clip.format
    return form.replace(bits_per_sample=args.depth, sample_type=vs.INTEGER) if args.depth else form


def _converted(clip: vs.VideoNode, form: vs.VideoFormat) -> vs.VideoNode:
    return clip.resize.Point(format=form.id, dither_type="error_diffusion")


def _sizes(text: str) -> list[int]:
    """256 or 320x180."""
    sizes = text.split("x")
    if len(sizes) > 2 or not all(size.isdecimal() for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a size nor WxH")
    return [int(size) for size in sizes]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.lstrip("-"), value


@contextlib.contextmanager
def _notes() -> Iterator[None]:
    """Says VapourSynth's warnings."""
    log, handler = logging.getLogger("vapoursynth"), Notes()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Makes a plain `kill`, or a closed terminal, tidy up like Ctrl-C does, and lets nothing interrupt the tidying."""

    def end(number: int, _: object) -> None:
        for other in names:
            signal.signal(other, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
