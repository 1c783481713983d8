"""Upscales clips: `vsduf.upscale`, which `core.duf.Upscale` calls too, and the graph of nodes behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import ArgumentError
from vsduf.filter import alpha as alpha_plane
from vsduf.filter import colour
from vsduf.filter.checks import check_clip, pair
from vsduf.filter.frames import FrameCallback
from vsduf.filter.refusals import as_filter_errors, or_sentence
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, Upscaler


def upscale(
    clip: vs.VideoNode,
    scale: int = 4,
    model: str | Path | None = None,
    device_id: int | None = None,
    fp16: bool | None = None,
    tilesize: int | Sequence[int] | None = None,
    overlap: int | None = None,
    num_streams: int | None = None,
    scenecut: bool = True,
) -> vs.VideoNode:
    """`clip` at `scale` times its width and height, in its own format and with its frame properties.

    clip: GRAY, RGB or YUV of any subsampling, 8-16-bit integer, half or float, constant format and size, progressive.
    scale: 2, 3 or 4. model: a bundled name or the path of a weights file; default the best bundled for the scale.
    device_id: a CUDA device, or -1 for the CPU; default the first CUDA device, else the CPU.
    fp16: half precision; default on CUDA, not available on the CPU.
    tilesize: largest tile in source pixels, one number or width and height; default the whole frame if memory allows.
    overlap: source pixels that tiles share on each side; default what makes tiles seamless.
    num_streams: frames that the device works on at a time.
    scenecut: windows end where _SceneChangePrev or _SceneChangeNext says so; with False only the clip's ends count.

    Raises vs.Error, one sentence, where the clip or an argument cannot be used. An error met while a frame is made is
    that frame's error; the next frame works.
    """
    with as_filter_errors():
        first = check_clip(clip, scale)
        from vsduf.engine.engine import open_engine  # torch comes with it: a refusal above does not wait for that

        open_for = functools.partial(
            open_engine,
            model,
            scale,
            device_id=device_id,
            fp16=fp16,
            tilesize=pair(tilesize),
            overlap=overlap,
            num_streams=num_streams,
            warn=_logger(),
        )
        return _graph(clip, first, lambda part: open_for(part.width, part.height), scenecut)


def upscale_with(
    clip: vs.VideoNode, upscaler: Upscaler, *, scenecut: bool = True, alpha: Upscaler | None = None
) -> vs.VideoNode:
    """`upscale` with an upscaler of one's own, which `close()` releases when the node is freed.

    alpha: a second one, for clips whose frames have _Alpha; the two are called from different threads at a time.
    Raises vs.Error like `upscale`.
    """

    def given(part: vs.VideoNode) -> Upscaler:
        if part is clip:
            return upscaler
        if alpha is None:
            raise ArgumentError("the frames have _Alpha; give an upscaler for it, or use std.RemoveFrameProps")
        return alpha

    with as_filter_errors():
        return _graph(clip, check_clip(clip, upscaler.scale), given, scenecut)


def _graph(
    clip: vs.VideoNode, first: vs.VideoFrame, open_for: Callable[[vs.VideoNode], Upscaler], scenecut: bool
) -> vs.VideoNode:
    """The nodes: clip -> RGB -> window -> (siting) -> the clip's format, and _Alpha beside it the same way."""
    has_alpha = "_Alpha" in first.props
    result = _upscaled(clip, open_for(clip), scenecut, has_alpha)
    if has_alpha:
        plane = alpha_plane.take(clip)
        check_clip(plane, result.width // clip.width)
        result = alpha_plane.put(result, clip, _upscaled(plane, open_for(plane), scenecut, False))
    return result


def _upscaled(clip: vs.VideoNode, upscaler: Upscaler, scenecut: bool, has_alpha: bool) -> vs.VideoNode:
    callback = or_sentence(FrameCallback(upscaler, scenecut, has_alpha))
    rgb = vs.core.duf.Window(colour.to_rgb(clip), RADIUS, upscaler.scale, callback, parallel=upscaler.at_once > 1)
    if upscaler.siting == Siting.TOP_LEFT:
        back = -(upscaler.scale - 1) / 2  # HR pixels from a block's corner, where it was made, to its centre
        rgb = rgb.resize.Lanczos(src_left=back, src_top=back, filter_param_a=4)
    return colour.from_rgb(rgb, clip)


def _logger() -> Callable[[str], None]:
    """Warnings for VapourSynth's log, from whatever thread. It holds no core: the core's own nodes hold it."""
    environment = vs.get_current_environment()

    def warn(text: str) -> None:
        with environment.use():
            vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"Upscale: {text}")

    return warn
