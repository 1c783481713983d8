"""Chooses the options of ffmpeg's video encoder, checked against those that the encoder says it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import vapoursynth as vs

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import matroska, probe

CRF = {"libx264": 16, "libx265": 18, "libsvtav1": 24, "libaom-av1": 24, "libvpx-vp9": 24}  # visually lossless
SAME = {  # layouts that hold the same samples in another order, for encoders that do not take the first
    "gbrp": ("rgb24", "bgr24", "bgr0"),
    "yuv420p": ("nv12",),
    "yuv420p10le": ("p010le",),
    "yuv422p10le": ("p210le",),
    "yuv444p10le": ("yuv444p10msble",),
}


@dataclass(frozen=True)
class Settings:
    """How to encode.

    codec: ffmpeg's name of a video encoder, default the container's usual one. crf: constant quality, default one that
    is visually lossless. preset: the encoder's speed preset. subtitles: whether subtitles are taken along.
    options: other options of the encoder, by name.
    """

    codec: str = ""
    crf: float | None = None
    preset: str = ""
    subtitles: bool = True
    options: Mapping[str, str] = field(default_factory=dict)


def video_options(codec: str, form: vs.VideoFormat, settings: Settings) -> dict[str, Any]:
    """Returns ffmpeg's options that encode video stream 0 of format `form` with the encoder `codec`.

    Raises ArgumentError for an option that the encoder does not have, MediaError for a format that it does not take.
    """
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
