"""Encodes frames by a real encoder and decodes them again, which leaves the artefacts of real video."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsduf.degradations.recipe import Recipe
from vsduf.degradations.signal import weave
from vsduf.errors import MediaError
from vsduf.film import probe
from vsduf.film.arrays import read_clip

QUIET = ("-hide_banner", "-nostdin", "-v", "error", "-y")
TO_YUV = "scale=out_color_matrix=bt601:out_range=tv:flags=bicubic"  # as a DVD has it
QUALITY = {"libx264": "-crf", "mpeg2video": "-q:v", "mpeg4": "-q:v"}
OPTIONS = {"libx264": ("-preset", "medium"), "mpeg2video": ("-g", "12", "-bf", "2"), "mpeg4": ("-g", "100")}


def recoded(frames: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """Returns frames [T, 3, H, W] RGB after the recipe's fields and encoder, decoded as scripts decode a file.

    H is a multiple of 4 and W even. Raises MediaError where ffmpeg fails.
    """
    if not recipe.codec and not recipe.fields:
        return frames
    with tempfile.TemporaryDirectory(prefix="vsduf-") as folder:
        coded = Path(folder, "coded.mkv")
        _encode(weave(frames) if recipe.fields else frames, recipe, coded)
        if recipe.fields:
            coded = _deinterlaced(coded)
        decoded = read_clip(coded)
    if decoded.shape != frames.shape:
        raise MediaError(f"{recipe.codec} gave {len(decoded)} frames of {len(frames)}; update ffmpeg")
    return decoded


def _encode(frames: NDArray[np.uint8], recipe: Recipe, target: Path) -> None:
    height, width = frames.shape[2:]
    codec = ["-c:v", recipe.codec or "ffv1", *OPTIONS.get(recipe.codec, ())]
    codec += [QUALITY[recipe.codec], f"{recipe.quality:.1f}"] if recipe.codec else []
    filters = f"{TO_YUV}{':interl=1' if recipe.fields else ''},format=yuv420p"
    interlaced = ("-flags", "+ilme+ildct") if recipe.fields and recipe.codec in ("mpeg2video", "libx264") else ()
    filters += ",setfield=tff" if recipe.fields else ""
    source = ("-f", "rawvideo", "-pix_fmt", "gbrp", "-s", f"{width}x{height}", "-r", "25", "-i", "pipe:0")
    tags = ("-colorspace", "smpte170m", "-color_range", "tv")
    raw = np.ascontiguousarray(frames[:, [1, 2, 0]]).tobytes()
    _run([*source, "-vf", filters, *codec, *interlaced, *tags, str(target)], raw)


def _deinterlaced(coded: Path) -> Path:
    """Returns a copy of which the top fields are frames again, made whole by bwdif."""
    target = coded.with_name("deinterlaced.mkv")
    _run(["-i", str(coded), "-vf", "bwdif=mode=send_frame:parity=tff", "-c:v", "ffv1", str(target)])
    return target


def _run(args: list[str], given: bytes = b"") -> None:
    done = subprocess.run([probe.program(), *QUIET, *args], input=given, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise MediaError(f"ffmpeg cannot degrade a clip: {' '.join(reason) or 'it gave no reason'}")
