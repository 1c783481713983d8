"""Upscales clips: `vsduf.upscale`, which `core.duf.Upscale` calls too, and the graph of nodes that does it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import ArgumentError
from vsduf.filter import alpha as alpha_plane
from vsduf.filter import arguments, colour, size
from vsduf.filter.checks import check_clip, check_pixels, check_scale
from vsduf.filter.frames import FrameCallback
from vsduf.filter.refusals import as_filter_errors, or_sentence
from vsduf.filter.size import Output
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, Upscaler


def upscale(
    clip: vs.VideoNode,
    scale: int | None = None,
    model: str | Path | None = None,
    device_id: int | None = None,
    fp16: bool | None = None,
    tilesize: int | Sequence[int] | None = None,
    overlap: int | None = None,
    num_streams: int | None = None,
    scenecut: bool = True,
    width: int | None = None,
    height: int | None = None,
    square: bool = False,
    device: str | None = None,
) -> vs.VideoNode:
    """Returns `clip` upscaled, in its own format and with its frame properties.

    clip: GRAY, RGB or YUV of any subsampling, 8-16-bit integer, half or float, constant format and size, progressive.
    scale: 2, 3 or 4; default 4, or with a width or height the smallest that reaches it.
    model: a bundled model's name or a weights file's path; default the best bundled model for the scale.
    device_id: a CUDA device, or -1 for the CPU; default the first CUDA device, else the CPU.
    fp16: half precision; default on GPUs whose half precision is right, not available on the CPU.
    tilesize: largest tile in source pixels, one number or width and height; default the whole frame if memory allows.
    overlap: source pixels that tiles share on each side; default the network's receptive radius, which leaves no seams.
    num_streams: frames that a CUDA device works on at a time, default 3; on the CPU threads, default the usable cores.
    scenecut: whether windows end at _SceneChangePrev and _SceneChangeNext; if not, only at the clip's ends.
    width, height: the output's size in pixels, resized from the network's picture; default `scale` times the clip's. If
    one is given, the other follows from the aspect ratio.
    square: corrects the width for square pixels where _SARNum and _SARDen state others.
    device: in place of device_id, "cuda:0" or another number, "rocm" (AMD), "xpu" (Intel), "mps" (Apple) or "cpu".

    Raises vs.Error, one sentence, if the clip or an argument cannot be used. A fault in a single frame is that frame's
    error; the other frames are not affected.
    """
    with as_filter_errors():
        first = check_clip(clip)
        asked = _asked(clip, first, scale, width, height, square)
        integers = {"device_id": device_id, "overlap": overlap, "num_streams": num_streams}
        device_id, overlap, num_streams = (arguments.integer(name, value) for name, value in integers.items())
        half, cuts = arguments.flag("fp16", fp16), arguments.flag("scenecut", scenecut) is not False
        weights, tile, name = arguments.model(model), arguments.tile(tilesize), arguments.text("device", device)
        from vsduf.engine.engine import (
            open_engine,
        )  # imports torch for a GPU, which takes seconds: all refusals come before

        open_for = functools.partial(
            open_engine,
            weights,
            asked.scale,
            device_id=device_id,
            device=name,
            fp16=half,
            tilesize=tile,
            overlap=overlap,
            num_streams=num_streams,
            warn=_logger(),
        )
        return _graph(clip, first, lambda part: open_for(part.width, part.height), asked, cuts)


def upscale_with(
    clip: vs.VideoNode,
    upscaler: Upscaler,
    *,
    scenecut: bool = True,
    alpha: Upscaler | None = None,
    width: int | None = None,
    height: int | None = None,
    square: bool = False,
) -> vs.VideoNode:
    """Returns `clip` upscaled by an `Upscaler` of the caller's, which is closed when the node is freed.

    alpha: a second one, for clips whose frames have _Alpha; the two are called concurrently. scenecut, width, height,
    square: as for `upscale`. Raises vs.Error like `upscale`.
    """

    def given(part: vs.VideoNode) -> Upscaler:
        if part is clip:
            return upscaler
        if alpha is None:
            raise ArgumentError("the frames have _Alpha; give an upscaler for it, or use std.RemoveFrameProps")
        return alpha

    with as_filter_errors():
        first = check_clip(clip)
        asked = _asked(clip, first, upscaler.scale, width, height, square)
        return _graph(clip, first, given, asked, scenecut)


def _asked(
    clip: vs.VideoNode, first: vs.VideoFrame, scale: int | None, width: int | None, height: int | None, square: bool
) -> Output:
    """Returns the output of a clip for `upscale`'s arguments; raises ArgumentError if they cannot be used."""
    scale, width, height = (
        arguments.integer(name, value) for name, value in (("scale", scale), ("width", width), ("height", height))
    )
    if scale is not None:
        check_scale(scale)
    asked = size.output(clip, first.props, scale, width, height, bool(arguments.flag("square", square)))
    check_pixels(clip.width * asked.scale, clip.height * asked.scale)
    check_pixels(asked.width, asked.height)
    return asked


def _graph(
    clip: vs.VideoNode,
    first: vs.VideoFrame,
    open_for: Callable[[vs.VideoNode], Upscaler],
    asked: Output,
    scenecut: bool,
) -> vs.VideoNode:
    """Builds the nodes: clip -> RGB -> window -> size -> the clip's format, and the same for _Alpha."""
    has_alpha = "_Alpha" in first.props
    result = _upscaled(clip, open_for(clip), asked, scenecut, has_alpha)
    if asked.sar is not None:
        result = result.std.SetFrameProps(_SARNum=asked.sar.numerator, _SARDen=asked.sar.denominator)
    if has_alpha:
        planes = alpha_plane.take(clip)
        part = alpha_plane.tagged(planes, clip)
        check_clip(part)
        same_ratio = asked._replace(
            width=max(1, round(part.width * asked.width / clip.width)),
            height=max(1, round(part.height * asked.height / clip.height)),
        )
        made = _upscaled(part, open_for(part), same_ratio, scenecut, has_alpha=False)
        result = alpha_plane.put(result, made, planes)
    return result


def _upscaled(clip: vs.VideoNode, upscaler: Upscaler, asked: Output, scenecut: bool, has_alpha: bool) -> vs.VideoNode:
    callback = or_sentence(FrameCallback(upscaler, scenecut, has_alpha))
    source = colour.to_rgb(clip, half=getattr(upscaler, "half", False))
    rgb = vs.core.duf.Window(source, RADIUS, upscaler.scale, callback, parallel=upscaler.at_once > 1)
    return colour.from_rgb(_resized(rgb, upscaler, asked), clip)


def _resized(rgb: vs.VideoNode, upscaler: Upscaler, asked: Output) -> vs.VideoNode:
    """Returns the network's picture in the output's size, shifted so that it lies where other resizers put it."""
    back = 0.0
    if upscaler.siting == Siting.TOP_LEFT:
        back = -(upscaler.scale - 1) / 2  # HR pixels from a block's corner, where the network put it, to its centre
    if (rgb.width, rgb.height) != (asked.width, asked.height):
        return rgb.resize.Spline36(asked.width, asked.height, src_left=back, src_top=back)
    return rgb.resize.Lanczos(src_left=back, src_top=back, filter_param_a=4) if back else rgb


def _logger() -> Callable[[str], None]:
    """Returns a function that logs warnings from any thread. It holds no core: the core's own nodes hold it."""
    environment = vs.get_current_environment()

    def warn(text: str) -> None:
        with environment.use():
            vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"Upscale: {text}")

    return warn
