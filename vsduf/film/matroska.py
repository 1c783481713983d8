"""Writes raw or encoded video with exact timestamps, as a Matroska stream that ffmpeg reads from a pipe.

Y4M lacks the times of frames, most colour tags and chroma siting; Matroska has all of them. Element numbers: RFC 9559
(Matroska), RFC 8794 (EBML). Nothing is seekable or of known size, so that it can be streamed.
PyAV does not replace this module. Its Matroska muxer gives raw video no sample layout (yuv420p10, gbrp and gray16 come
back as rgb555le or bgr24) and rounds times to 1 ms; its NUT muxer keeps both but loses matrix, transfer and primaries.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.errors import MediaError
from vsduf.matrix import UNSPECIFIED

ALPHA = "_Alpha"  # the frame property: a GRAY frame, black where the picture is transparent
MAX_FRAME = 2**28  # bytes; ffmpeg's reader takes no larger element
SITING = {0: (1, 2), 1: (2, 2), 2: (1, 1), 3: (2, 1)}  # _ChromaLocation: ChromaSitingHorz, ChromaSitingVert

_SUBSAMPLED = {  # (horizontal, vertical) shift of the chroma: name at 8 bits, its FourCC, third byte of the deeper ones
    (0, 0): ("yuv444p", b"444P", 0),
    (1, 0): ("yuv422p", b"Y42B", 10),
    (1, 1): ("yuv420p", b"I420", 11),
    (0, 1): ("yuv440p", b"440P", None),
    (2, 0): ("yuv411p", b"Y41B", None),
    (2, 2): ("yuv410p", b"YUV9", None),
}


@dataclass(frozen=True)
class Pixels:
    """A sample layout: ffmpeg's `name`, the FourCC that selects it, and the order of VapourSynth's planes in it."""

    name: str
    fourcc: bytes
    planes: tuple[int, ...]


def pixels(form: vs.VideoFormat, alpha: bool = False) -> Pixels:
    """Returns the layout of a VapourSynth format: integer samples of 8, 9, 10, 12, 14 or 16 bits. Raises MediaError.

    alpha: a plane of alpha values, which is the last one of the layout, follows the others.
    """
    if alpha:
        return _with_alpha(form)
    bits, little = form.bits_per_sample, "" if form.bits_per_sample == 8 else f"{form.bits_per_sample}le"
    known = form.sample_type == vs.INTEGER and bits in (8, 9, 10, 12, 14, 16)
    if known and form.color_family == vs.GRAY:
        return Pixels("gray" + little, b"Y800" if bits == 8 else bytes((*b"Y1", 0, bits)), (0,))
    if known and form.color_family == vs.RGB:
        return Pixels("gbrp" + little, bytes((*b"G3", 0, bits)), (1, 2, 0))
    name, fourcc, mark = _SUBSAMPLED.get((form.subsampling_w, form.subsampling_h), ("", b"", None))
    if known and name and (bits == 8 or mark is not None):
        return Pixels(name + little, fourcc if bits == 8 else bytes((*b"Y3", mark or 0, bits)), (0, 1, 2))
    raise MediaError(f"{form.name} cannot be encoded; convert the clip to 8-16-bit integer samples first")


def _with_alpha(form: vs.VideoFormat) -> Pixels:
    bits, little = form.bits_per_sample, "" if form.bits_per_sample == 8 else f"{form.bits_per_sample}le"
    known = form.sample_type == vs.INTEGER
    if known and form.color_family == vs.RGB and bits in (8, 10, 12, 16):
        return Pixels("gbrap" + little, bytes((*b"G4", 0, bits)), (1, 2, 0))
    shape = (form.subsampling_w, form.subsampling_h)
    name, _, mark = _SUBSAMPLED.get(shape, ("", b"", None)) if form.color_family == vs.YUV else ("", b"", None)
    if known and mark is not None and bits in ((8, 9, 10, 16) if shape == (1, 1) else (8, 9, 10, 12, 16)):
        return Pixels(name.replace("yuv", "yuva") + little, bytes((*b"Y4", mark, bits)), (0, 1, 2))
    raise MediaError(f"{form.name} cannot be encoded with alpha; convert the clip to YUV444P16 first")


def header(frame: vs.VideoFrame, rate: Fraction) -> bytes:
    """Returns what comes before the first frame: size, format, aspect ratio and colour. rate: frames a second."""
    layout = pixels(frame.format, ALPHA in frame.props)
    size = sum(plane.nbytes for plane in _planes(frame, layout))
    if size >= MAX_FRAME:
        raise MediaError(f"a frame of {frame.width}x{frame.height} has {size >> 20} MiB; ffmpeg reads no more than 256")
    video = _uint(0xB0, frame.width) + _uint(0xBA, frame.height) + _uint(0x9A, 2)  # 2: progressive
    video += _element(0x2EB524, layout.fourcc) + _display(frame) + _element(0x55B0, _colour(frame.props))
    track = _uint(0xD7, 1) + _uint(0x73C5, 1) + _uint(0x83, 1) + _uint(0x9C, 0) + _element(0x86, b"V_UNCOMPRESSED")
    track += _uint(0x23E383, round(10**9 / rate)) + _element(0xE0, video)
    return coded_header(_element(0xAE, track))


def coded_header(tracks: bytes) -> bytes:
    """Returns what comes before the first frame of a track that is encoded as `tracks`, a Tracks payload, describes."""
    ebml = _element(0x4282, b"matroska") + _uint(0x4287, 4) + _uint(0x4285, 2)
    info = _uint(0x2AD7B1, 1)  # timestamps count nanoseconds
    segment = bytes.fromhex("18538067 01FFFFFFFFFFFFFF")  # of unknown size
    return _element(0x1A45DFA3, ebml) + segment + _element(0x1549A966, info) + _element(0x1654AE6B, tracks)


def block(frame: vs.VideoFrame, time: int, duration: int) -> Iterator[bytes | memoryview]:
    """Yields a frame shown at `time` for `duration` (ns) in pieces; planes without padding are not copied."""
    planes = _planes(frame, pixels(frame.format, ALPHA in frame.props))
    yield _lead(sum(plane.nbytes for plane in planes), time, duration)
    for plane in planes:
        yield plane.data.cast("B")


def _planes(frame: vs.VideoFrame, layout: Pixels) -> list[NDArray[Any]]:
    """Returns the planes in the layout's order, and the plane of the property _Alpha if there is one."""
    planes = [frame[plane] for plane in layout.planes]
    alpha = [frame.props[ALPHA][0]] if ALPHA in frame.props else []
    return [np.ascontiguousarray(np.asarray(plane)) for plane in (*planes, *alpha)]


def coded_block(payload: bytes, key: bool, additions: bytes, time: int, duration: int) -> Iterator[bytes]:
    """Yields an encoded frame shown at `time` for `duration` (ns) in pieces.

    key: whether it is decoded without others. additions: payload of its BlockAdditions element.
    """
    behind = b"" if key else _element(0xFB, b"\xff")  # refers to another frame; to which one, no decoder asks
    behind += _element(0x75A1, additions) if additions else b""
    yield _lead(len(payload), time, duration, len(behind))
    yield payload
    yield behind


def _lead(size: int, time: int, duration: int, behind: int = 0) -> bytes:
    """Returns what comes before the `size` bytes of a frame, in a cluster of its own. behind: bytes after the frame."""
    lead = b"\x81\x00\x00\x00"  # track 1, no time of its own, no flags
    group = _uint(0x9B, duration) + _open(0xA1, len(lead) + size) + lead
    group_size = len(group) + size + behind
    group = _open(0xA0, group_size) + group
    return _open(0x1F43B675, len(_uint(0xE7, time)) + len(group) + size + behind) + _uint(0xE7, time) + group


def _display(frame: vs.VideoFrame) -> bytes:
    """Returns the sample aspect ratio, which Matroska gives as the aspect ratio of the whole picture."""
    wide, high = int(frame.props.get("_SARNum", 1)), int(frame.props.get("_SARDen", 1))
    if wide <= 0 or high <= 0 or wide == high:
        return b""
    shape = Fraction(frame.width * wide, frame.height * high)
    return _uint(0x54B2, 3) + _uint(0x54B0, shape.numerator) + _uint(0x54BA, shape.denominator)


def _colour(props: Mapping[str, Any]) -> bytes:
    """Returns matrix, transfer, primaries, range and chroma siting; VapourSynth and Matroska use H.273's codes."""
    codes = {0x55B1: "_Matrix", 0x55BA: "_Transfer", 0x55BB: "_Primaries"}
    out = b"".join(_uint(number, int(props.get(name, UNSPECIFIED))) for number, name in codes.items())
    if "_Range" in props:
        out += _uint(0x55B9, 2 if int(props["_Range"]) == 1 else 1)
    across, down = SITING.get(int(props.get("_ChromaLocation", -1)), (0, 0))
    return out + _uint(0x55B7, across) + _uint(0x55B8, down) + _light(props)


def _light(props: Mapping[str, Any]) -> bytes:
    """Returns HDR10's content light levels and mastering display, from the frame properties that bestsource sets."""
    out = b""
    if "ContentLightLevelMax" in props and "ContentLightLevelAverage" in props:
        out += _uint(0x55BC, int(props["ContentLightLevelMax"])) + _uint(0x55BD, int(props["ContentLightLevelAverage"]))
    if "MasteringDisplayPrimariesX" not in props or "MasteringDisplayMaxLuminance" not in props:
        return out
    across, down = props["MasteringDisplayPrimariesX"], props["MasteringDisplayPrimariesY"]
    points = [value for pair in zip(across, down, strict=True) for value in pair]  # red, green, blue
    points += [props["MasteringDisplayWhitePointX"], props["MasteringDisplayWhitePointY"]]
    points += [props["MasteringDisplayMaxLuminance"], props["MasteringDisplayMinLuminance"]]
    return out + _element(0x55D0, b"".join(_float(0x55D1 + i, float(value)) for i, value in enumerate(points)))


def _open(number: int, size: int) -> bytes:
    """Returns the start of an element: its number, and its payload's size in eight bytes."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + (size | 1 << 56).to_bytes(8, "big")


def _element(number: int, payload: bytes) -> bytes:
    return _open(number, len(payload)) + payload


def _uint(number: int, value: int) -> bytes:
    return _element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _float(number: int, value: float) -> bytes:
    return _element(number, struct.pack(">d", value))
