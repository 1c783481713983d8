"""Loads the native library, and declares its C functions (vsduf/native/engine.h)."""

from __future__ import annotations

import ctypes
import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vsduf.errors import DeviceError
from vsduf.upscaler import Planes

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int
HANDLES, INTEGERS = ctypes.POINTER(POINTER), ctypes.POINTER(INTEGER)
SAMPLES = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 1, np.dtype(np.float16): 2, np.dtype(np.float32): 3}


class NativePlanes(ctypes.Structure):
    """VsdufPlanes of engine.h."""

    _fields_ = (
        ("data", POINTER * 3),
        ("stride", ctypes.c_ssize_t * 3),
        *((name, INTEGER) for name in ("sample", "height", "width", "top", "left")),
    )


PLANES = ctypes.POINTER(NativePlanes)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "vsduf_kernels": (INTEGER, [ctypes.POINTER(ctypes.c_char_p), INTEGER]),
    "vsduf_working_bytes": (ctypes.c_size_t, [INTEGER, INTEGERS]),
    "vsduf_open": (POINTER, [INTEGER, INTEGER]),
    "vsduf_set_stem": (INTEGER, [POINTER, POINTER, INTEGER]),
    "vsduf_add_block": (INTEGER, [POINTER, INTEGER, INTEGER, *[POINTER] * 6]),
    "vsduf_set_merge": (INTEGER, [POINTER, INTEGER, INTEGER, *[POINTER] * 5]),
    "vsduf_set_heads": (INTEGER, [POINTER, *[INTEGER] * 4, *[POINTER] * 5]),
    "vsduf_start": (INTEGER, [POINTER, INTEGER]),
    "vsduf_close": (None, [POINTER]),
    "vsduf_trim": (None, [POINTER]),
    "vsduf_begin": (POINTER, [POINTER]),
    "vsduf_wait": (None, [POINTER, POINTER]),
    "vsduf_end": (None, [POINTER, POINTER]),
    "vsduf_stem": (POINTER, [POINTER, POINTER, INTEGERS, PLANES]),
    "vsduf_block": (POINTER, [POINTER, POINTER, INTEGERS, *[INTEGER] * 3, HANDLES, INTEGER]),
    "vsduf_add": (POINTER, [POINTER, POINTER, INTEGERS, INTEGER, HANDLES, INTEGERS, INTEGER]),
    "vsduf_finish": (INTEGER, [POINTER, POINTER, INTEGERS, HANDLES, INTEGER, PLANES, PLANES]),
    "vsduf_release": (None, [POINTER]),
}


@functools.cache
def library() -> ctypes.CDLL:
    """Returns the native library; raises DeviceError where it cannot be loaded."""
    path = library_path()
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:
        raise DeviceError(f"{path} cannot be loaded ({error}); reinstall vsduf") from error
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, result
    return found


def library_path() -> Path:
    """Returns where the wheel puts the native library: VapourSynth's plugin folder."""
    import vapoursynth

    name = "libduf" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return Path(vapoursynth.get_plugin_dir()) / "vsduf" / name


@functools.cache
def kernels() -> list[str]:
    """Returns the names of the kernels that this processor runs, the fastest first."""
    names = (ctypes.c_char_p * 8)()
    count = library().vsduf_kernels(names, len(names))
    return [str(name, "ascii") for name in names[:count] if name is not None]


def native_planes(planes: Planes, top: int, left: int) -> NativePlanes:
    """Returns planes as the library takes them. The memory stays that of `planes`, which must stay referenced.

    top, left: see VsdufPlanes in engine.h. The library checks nothing, so this function raises ValueError for planes of
    several shapes or sample types, and for rows that are not contiguous.
    """
    first = planes[0]
    if any((p.shape, p.dtype) != (first.shape, first.dtype) or p.strides[1] != p.itemsize for p in planes):
        raise ValueError("the three planes must have one shape and sample type, and contiguous rows")
    if len(planes) != 3 or first.dtype not in SAMPLES:
        raise ValueError(
            f"{len(planes)} planes of {first.dtype}; there must be three of uint8, uint16, float16 or float32"
        )
    return NativePlanes(
        (POINTER * 3)(*(p.ctypes.data for p in planes)),
        (ctypes.c_ssize_t * 3)(*(p.strides[0] for p in planes)),
        SAMPLES[first.dtype],
        *first.shape,
        top,
        left,
    )
