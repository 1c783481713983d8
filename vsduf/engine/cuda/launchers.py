"""Launches CUDA kernels on torch's tensors and current stream: one launcher for each file of kernels/.

Whatever goes wrong in a kernel, from its compilation on, is an error: there is no slower way round it. Launches return
before the device has worked; tensors must live on the device, and no launcher synchronises or allocates.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsduf.engine.cuda import runtime
from vsduf.engine.cuda.runtime import require

SAMPLES = {torch.uint8: "unsigned char", torch.uint16: "unsigned short", torch.float16: "half", torch.float32: "float"}
VECTOR = 16  # bytes of the widest load, kVector in kernels/samples.cuh
FIRST, MOST_PIECES, STEPS = 64, 32, 4  # kFirst, kPieces and kSteps in kernels/join.cu
THREADS = 256
TALLEST = 65535  # blocks of a grid that lie below each other


def convolve(pixels: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """cuDNN's convolution without a bias: [h, w, in] -> [h, w, out]. kernel: [out, in, 3, 3], channels last.

    The way is chosen by rule, not by timing, and float32 is not cut to TF32, whatever the process's defaults are: the
    same pixels come out each time.
    """
    channels = pixels[None].permute(0, 3, 1, 2)  # in channels-last memory
    ones, benchmark, deterministic, tf32 = [1, 1], False, True, False
    made = torch.cudnn_convolution(channels, kernel, [padding] * 2, ones, ones, 1, benchmark, deterministic, tf32)
    return made.permute(0, 2, 3, 1)[0].contiguous()


def planes_to_window(out: Tensor, planes: Tensor, top: int, left: int) -> None:
    """A tile of a frame as channels-last pixels in 0..1.

    out: [height, width, 8] half or [height, width, 4] float, contiguous; channels beyond three are set to 0.
    planes: [3, H, W] of any sample type and stride. top, left: where the tile begins; pixels outside the frame read the
    nearest inside.
    """
    height, width, channels = out.shape
    require(channels * out.element_size() == VECTOR and out.is_contiguous(), "a window is contiguous, 16 bytes a pixel")
    require(planes.stride(2) == 1, "planes have contiguous rows")
    sizes = (planes.shape[1], planes.shape[2], top, left, width)
    args = (out.data_ptr(), planes.data_ptr(), planes.stride(1), planes.stride(0), *map(np.int32, sizes))
    _launch("planes_to_window", (out, planes), (), (-(-width // 128), height), (128,), args)


def join(out: Tensor, pieces: Sequence[Tensor], bounds: Tensor) -> None:
    """The pieces of a block's input, each channel clamped, as one tensor.

    pieces: [H, W, 64], then [H, W, G] each, contiguous. bounds: [3, F] float: low, high, padding value. out: [H, W, F],
    or [H + 2, W + 2, F], whose rim gets the padding value.
    """
    height, width, _ = pieces[0].shape
    growth = pieces[1].shape[2] if len(pieces) > 1 else FIRST
    rim, features = (out.shape[0] - height) // 2, out.shape[2]
    require(len(pieces) <= MOST_PIECES, f"at most {MOST_PIECES} pieces can be joined")
    require(out.shape[:2] == (height + 2 * rim, width + 2 * rim), "the result has the pieces' size, or 2 more each way")
    require(features == FIRST + (len(pieces) - 1) * growth == bounds.shape[1], "pieces and bounds fill the channels")
    require(all(p.is_contiguous() for p in (out, bounds, *pieces)), "pieces, bounds and result are contiguous")
    require(all(p.shape == (height, width, growth) for p in pieces[1:]), "pieces after the first have one size")
    vector = _vector(growth, out)
    block = (features // vector, max(1, THREADS * vector // features))
    grid = (-(-(width + 2 * rim) // (block[1] * STEPS)), out.shape[0])
    table = _struct([p.data_ptr() for p in pieces], MOST_PIECES)
    args = (out.data_ptr(), table, bounds.data_ptr(), *map(np.int32, (growth, height, width, rim)))
    _launch("join", (out,), (vector,), grid, block, args)


def accumulate(out: Tensor, sums: Sequence[Tensor]) -> None:
    """The sum of up to three sums. out: [H, W, G], contiguous; sums: the same shape, any stride between pixels."""
    growth, pixels = out.shape[2], out.shape[0] * out.shape[1]
    require(1 <= len(sums) <= 3 and out.is_contiguous(), "one to three sums make a contiguous result")
    require(all(s.shape == out.shape and s.stride(2) == 1 for s in sums), "sums have the result's shape")
    strides = [part.stride(1) for part in sums]
    require(all(s.stride(0) == w * out.shape[1] for s, w in zip(sums, strides, strict=True)), "sums have no gaps")
    vector = _vector(growth, out, *strides)
    packs = pixels * growth // vector
    table = _struct([s.data_ptr() for s in sums], 3, strides)
    args = (out.data_ptr(), table, np.int32(len(sums)), np.int32(growth), packs)
    _launch("accumulate", (out,), (vector,), (-(-packs // THREADS),), (THREADS,), args)


def bias_relu(x: Tensor, bias: Tensor) -> None:
    """max(x + bias, 0), in place. x: [..., C], contiguous, C a multiple of 8 (float: 4); bias: [C] float."""
    channels, vector = x.shape[-1], VECTOR // x.element_size()
    require(x.is_contiguous() and channels % vector == 0, "x is contiguous, its channels in whole vectors")
    pixels = x.numel() // channels
    block = (channels // vector, max(1, THREADS * vector // channels))
    _launch("bias_relu", (x,), (), (-(-pixels // (block[1] * STEPS)),), block, (x.data_ptr(), bias.data_ptr(), pixels))


def dynamic_filter(
    out: Tensor, frame: Tensor, logits: Tensor, residual: Tensor, bias: Tensor, corner: tuple[int, int], columns: range
) -> None:
    """`ops.dynamic_upsample` for some rows of a tile, converted to the samples of the picture.

    out: [3, R * rows, R * len(columns)], rows at a stride that R divides. frame: [3, H, W] of the same sample type, the
    source's centre frame. logits: [rows, width, 25 * R * R], residual: [rows, width, 3 * R * R], contiguous, half or
    float; bias of both: [28 * R * R] float. corner: where logits' first pixel lies in the frame, (top, left). columns:
    the pixels of each row that are wanted.
    """
    rows, width, channels = residual.shape
    scale = {12: 2, 27: 3, 48: 4}[channels]
    require(logits.is_contiguous() and residual.is_contiguous(), "logits and residual are contiguous")
    require(logits.data_ptr() % VECTOR == 0 == residual.data_ptr() % VECTOR, "logits and residual are aligned")
    require(frame.stride(2) == 1 == out.stride(2) and frame.dtype == out.dtype, "pictures have one sample type")
    require(scale == 3 or _aligned(out, scale), "rows of the result lie at whole vectors")
    pixels = 64 // logits.element_size()
    sizes = (*frame.shape[1:], *corner, width, columns.start, len(columns))
    pointers = [t.data_ptr() for t in (out, frame, logits, residual, bias)]
    args = (*pointers, out.stride(1), out.stride(0), frame.stride(1), frame.stride(0), *map(np.int32, sizes))
    _launch("dynamic_filter", (logits, out), (scale,), (-(-len(columns) // pixels), rows), (pixels * scale,), args)


def _launch(
    name: str,
    typed: Sequence[Tensor],
    numbers: Sequence[int],
    grid: tuple[int, ...],
    block: tuple[int, ...],
    args: tuple[Any, ...],
) -> None:
    """typed, numbers: whose sample types, and which numbers, are the kernel's template arguments."""
    require(len(grid) < 2 or grid[1] <= TALLEST, f"a picture has at most {TALLEST} rows")
    if 0 in grid:
        return
    kernel = _kernel(name, tuple(t.dtype for t in typed), tuple(numbers), typed[0].device)
    with runtime.stream():
        kernel(grid, block, args)


@functools.cache
def _kernel(name: str, types: tuple[torch.dtype, ...], numbers: tuple[int, ...], device: torch.device) -> Any:
    """Compiled at its first use on a device; CuPy keeps the result on disk, under a name that knows all sources."""
    instance = f"{name}<{', '.join([*(SAMPLES[t] for t in types), *map(str, numbers)])}>"
    here = folder()
    sources = {path.name: path.read_bytes() for path in sorted(here.glob("*.cu*"))}
    version = hashlib.sha256(b"\0".join(sources.values())).hexdigest()[:16]  # CuPy does not look into what is included
    options = ("--std=c++17", f"-I{here}", f"-DVSDUF_SOURCES={version}")
    module = runtime.cupy().RawModule(
        code=sources[f"{name}.cu"].decode(), options=options, name_expressions=(instance,)
    )
    return module.get_function(instance)


def folder() -> Path:
    """Returns the folder of the kernels: inside an installed package, beside the package in a checkout."""
    package = Path(str(resources.files("vsduf")))
    inside = package / "kernels"
    return inside if inside.is_dir() else package.parent / "kernels"


def _struct(pointers: Sequence[int], length: int, strides: Sequence[int] | None = None) -> np.ndarray[Any, Any]:
    """A kernel's struct, passed by value: `length` pointers, and as many ints if there are strides."""
    struct = np.zeros(1, _fields(length, strides is not None))
    struct["at"][0, : len(pointers)] = pointers
    if strides is not None:
        struct["stride"][0, : len(strides)] = strides
    return struct


@functools.cache
def _fields(length: int, strides: bool) -> np.dtype[Any]:
    fields = [("at", np.uint64, length)] + ([("stride", np.int32, length)] if strides else [])
    return np.dtype(fields, align=True)


def _vector(channels: int, tensor: Tensor, *strides: int) -> int:
    """Channels that a thread takes: the widest vector of which all these numbers are multiples."""
    vector = VECTOR // tensor.element_size()
    while any(number % vector for number in (channels, *strides)):
        vector //= 2
    return vector


def _aligned(out: Tensor, scale: int) -> bool:
    whole = scale * out.element_size()
    return out.data_ptr() % whole == 0 and out.stride(0) % scale == 0 == out.stride(1) % scale
