"""Chooses the options of ffmpeg's video encoder, checked against those that the encoder says it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import vapoursynth as vs

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import formats, matroska, probe

CRF = {"libx264": 16, "libx265": 18, "libsvtav1": 24, "libaom-av1": 24, "libvpx-vp9": 24}  # visually lossless
DNXHR = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx"}  # profiles of dnxhd for every frame size; others: dnxhr_444


@dataclass(frozen=True)
class Settings:
    """How to encode.

    codec: ffmpeg's name of a video encoder, default the container's usual one. crf: constant quality, default one that
    is visually lossless. preset: the encoder's speed preset. options: other options of the encoder, by name.
    depth: bits of a sample, default as many as the encoder takes of the clip's. audio: "auto" copies what the container
    can hold and converts other sound, "copy" only copies, "none" leaves sound out; or an encoder for all sound.
    subtitles: whether subtitles are taken along.
    """

    codec: str = ""
    crf: float | None = None
    preset: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    depth: int | None = None
    audio: str = "auto"
    subtitles: bool = True


def video_options(
    codec: str, form: vs.VideoFormat, settings: Settings, alpha: bool = False
) -> tuple[vs.VideoFormat, dict[str, str], list[str]]:
    """Returns the format to encode a clip of format `form` in, ffmpeg's options for the video, and notes.

    alpha: with an alpha channel. Raises ArgumentError for an option that the encoder does not have, MediaError for a
    format that it does not take.
    """
    encoder = probe.encoder(codec)
    matroska.pixels(form)  # refuses float samples
    wanted = form.replace(bits_per_sample=settings.depth) if settings.depth else form
    found = formats.nearest(wanted, encoder.formats or {matroska.pixels(wanted, alpha).name}, alpha)
    if found is None or (settings.depth and found[0].bits_per_sample != settings.depth):
        mend = "another --depth or --codec (ffv1 takes most)"
        raise MediaError(f"{codec} cannot encode {wanted.name}{' with alpha' if alpha else ''}; choose {mend}")
    chosen, layout = found
    wished = {"crf": settings.crf, "preset": settings.preset or None}
    for name, value in wished.items():
        if value is not None and name not in encoder.options:
            raise ArgumentError(f"{codec} has no {name}; set its own option with --encoder-option NAME=VALUE")
    options = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    options |= {"profile": DNXHR.get(layout, "dnxhr_444")} if codec == "dnxhd" else {}
    options |= {"crf": str(CRF[codec])} if codec in CRF else {}
    options |= {"auto-alt-ref": "0"} if alpha and codec.startswith("libvpx") else {}  # or it refuses alpha
    options |= {name: str(value) for name, value in wished.items() if value is not None} | dict(settings.options)
    notes = [f"{codec} does not take {wanted.name}; it gets {chosen.name}"] if chosen.id != wanted.id else []
    return chosen, {"c": codec, "pix_fmt": layout, **options}, notes
