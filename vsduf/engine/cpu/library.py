"""Loads the native library, and declares the C functions that the modules beside this one call."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsduf.engine.folded import Clamp
from vsduf.errors import DeviceError

POINTER, INTEGER, STRIDE = ctypes.c_void_p, ctypes.c_int, ctypes.c_ssize_t
PIECES = [ctypes.POINTER(POINTER), ctypes.POINTER(INTEGER), INTEGER]  # addresses, channels of each, count
SIGNATURES: dict[str, list[Any]] = {
    "vsduf_dynamic_filter": [*[POINTER] * 5, *[STRIDE] * 3, *[INTEGER] * 7],
    "vsduf_winograd_split": [*PIECES, *[POINTER] * 4, STRIDE, *[INTEGER] * 5],
    "vsduf_winograd_join": [POINTER, STRIDE, *[POINTER] * 2, *[INTEGER] * 5],
    "vsduf_clamp": [*PIECES, *[POINTER] * 3, *[INTEGER] * 2],
    "vsduf_sum": [*PIECES, POINTER, *[INTEGER] * 3],
}


@functools.cache
def library() -> ctypes.CDLL:
    """Returns the native library; raises DeviceError where it cannot be loaded."""
    path = library_path()
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:
        raise DeviceError(f"{path} cannot be loaded ({error}); reinstall vsduf") from error
    for name, arguments in SIGNATURES.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, INTEGER if name == "vsduf_dynamic_filter" else None
    return found


def library_path() -> Path:
    """Returns where the wheel puts the native library: VapourSynth's plugin folder."""
    import vapoursynth

    name = "libduf" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return Path(vapoursynth.get_plugin_dir()) / "vsduf" / name


def check(pieces: Sequence[Tensor], by: Clamp, out: Tensor, shape: tuple[int, ...]) -> None:
    """Raises ValueError for tensors that the library would read or write outside of, since it checks nothing itself."""
    if out.shape != shape or not out.is_contiguous():
        raise ValueError(f"the result is {tuple(out.shape)}; it must be {shape}, contiguous")
    if any(p.shape[:-1] != pieces[0].shape[:-1] for p in pieces) or sum(p.shape[-1] for p in pieces) != len(by.low):
        raise ValueError(f"pieces {[tuple(p.shape) for p in pieces]} do not make a picture of {len(by.low)} channels")
    if any(t.dtype != torch.float32 for t in (*pieces, out)):
        raise ValueError("pieces and result are float32")


def pieces_of(pieces: Sequence[Tensor]) -> tuple[ctypes.Array[ctypes.c_void_p], ctypes.Array[ctypes.c_int], int]:
    """Returns the addresses of contiguous pieces, the channels of each, and their count, as the library takes them."""
    count = len(pieces)
    if not all(piece.is_contiguous() for piece in pieces):
        raise ValueError("the pieces of a convolution's input must be contiguous")
    return pointers(pieces), (ctypes.c_int * count)(*(piece.shape[-1] for piece in pieces)), count


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """Returns the addresses of tensors as a C array."""
    return (ctypes.c_void_p * len(tensors))(*(t.data_ptr() for t in tensors))
