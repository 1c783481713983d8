"""Launches CUDA kernels on torch's tensors and current stream: one launcher for each file of kernels/.

An error in a kernel, from its compilation on, is raised: there is no slower way to fall back to. Launchers return
before the device has computed; their tensors must live on the device, and no launcher synchronises or allocates.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsduf.engine.cuda import runtime
from vsduf.engine.cuda.runtime import require
from vsduf.network.dynamic_upsample import scale_of

SAMPLES = {torch.uint8: "unsigned char", torch.uint16: "unsigned short", torch.float16: "half", torch.float32: "float"}
VECTOR = 16  # bytes of the widest load and store
STEPS = 4  # pixels of a thread in join and bias_relu
THREADS = 256  # most threads of a block, except in dynamic_filter
PIECES = 32  # most pieces of join
FILTER_BYTES = 64  # bytes of one tap's logits for all pixels of a block of dynamic_filter
SHARED = ("VECTOR", "STEPS", "THREADS", "PIECES", "FILTER_BYTES")  # passed to the compiler by -D
TALLEST = 65535  # blocks of a grid along its second axis
WINDOW_THREADS = 128


def convolve(pixels: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Convolves by cuDNN, without a bias: [h, w, in] -> [h, w, out], contiguous.

    kernel: [out, in, 3, 3] in channels-last memory. The algorithm is chosen by rule, not by timing, so the same pixels
    come out each time; float32 is not rounded to TF32, whatever the process's defaults are.
    """
    require(pixels.is_contiguous(), "pixels are contiguous")
    height, width, count = pixels.shape
    channels = pixels.as_strided((1, count, height, width), (1, 1, width * count, count))  # in channels-last memory
    ones, benchmark, deterministic, tf32 = [1, 1], False, True, False
    # A private call of torch's, tried with 2.14.1 and 2.15.0: F.conv2d cannot be told these flags without changing them
    # for the whole process.
    made = torch.cudnn_convolution(channels, kernel, [padding] * 2, ones, ones, 1, benchmark, deterministic, tf32)
    _, count, height, width = made.shape
    if made.is_contiguous(memory_format=torch.channels_last):
        return made.as_strided((height, width, count), (width * count, count, 1))
    return made.permute(0, 2, 3, 1)[0].contiguous()


def matmul_relu(out: Tensor, bias: Tensor, pixels: Tensor, matrix: Tensor) -> None:
    """Writes max(pixels @ matrix + bias, 0) into `out` in one call of cuBLAS: [n, in], [in, out], [out] -> [n, out]."""
    # A private call of torch's, tried with 2.14.1 and 2.15.0: the public ones run ReLU as a pass of its own.
    torch._addmm_activation(bias, pixels, matrix, out=out)


def matmul(out: Tensor, pixels: Tensor, matrix: Tensor) -> None:
    """Writes pixels @ matrix into `out` by cuBLAS: [n, in], [in, out] -> [n, out].

    float32 follows torch's global TF32 setting, as `matmul_relu` does.
    """
    torch.mm(pixels, matrix, out=out)


def planes_to_window(out: Tensor, planes: Tensor, top: int, left: int) -> None:
    """Converts a tile of a frame to channels-last pixels in 0..1.

    out: [height, width, 8] half or [height, width, 4] float, contiguous; channels beyond three are set to 0.
    planes: [3, H, W] of any sample type and stride. top, left: where the tile begins; pixels outside the frame read the
    nearest inside.
    """
    height, width, channels = out.shape
    require(channels * out.element_size() == VECTOR and out.is_contiguous(), "a window is contiguous, 16 bytes a pixel")
    require(planes.stride(2) == 1, "planes have contiguous rows")
    sizes = (planes.shape[1], planes.shape[2], top, left, width)
    args = (out.data_ptr(), planes.data_ptr(), planes.stride(1), planes.stride(0), *map(np.int32, sizes))
    grid = (-(-width // WINDOW_THREADS), height)
    _launch("planes_to_window", (out, planes), (), grid, (WINDOW_THREADS,), args)


def join(out: Tensor, pieces: Sequence[Tensor], bounds: Tensor) -> None:
    """Clamps each channel of the pieces of a block's input, and concatenates them.

    pieces: [H, W, stem], then [H, W, G] each, contiguous. bounds: [3, F] float: low, high, padding value. out:
    [H, W, F], or [H + 2, W + 2, F], whose rim gets the padding value.
    """
    height, width, stem = pieces[0].shape
    growth = pieces[1].shape[2] if len(pieces) > 1 else stem
    shape = _join_shape(height, width, stem, growth, len(pieces), out.shape, out.dtype)
    require(bounds.shape == (3, shape.features) and bounds.is_contiguous(), "bounds are contiguous, for each channel")
    require(out.is_contiguous() and pieces[0].is_contiguous(), "pieces and result are contiguous")
    for piece in pieces[1:]:
        whole = piece.numel() == shape.piece and piece.is_contiguous()
        require(whole, "pieces after the first have one size and are contiguous")
    table = _struct([p.data_ptr() for p in pieces], PIECES)
    args = (out.data_ptr(), table, bounds.data_ptr(), *shape.numbers)
    _launch("join", (out,), (shape.vector,), shape.grid, shape.block, args)


@dataclass(frozen=True)
class _Join:
    """How `join` is launched for certain shapes. piece: samples of a piece. numbers: the kernel's last arguments."""

    features: int
    piece: int
    vector: int
    grid: tuple[int, int]
    block: tuple[int, int]
    numbers: tuple[np.int32, ...]


@functools.cache  # as many entries as a network has layers, for each size of tiles
def _join_shape(
    height: int, width: int, stem: int, growth: int, count: int, out: tuple[int, ...], dtype: torch.dtype
) -> _Join:
    rim, features = (out[0] - height) // 2, out[2]
    require(count <= PIECES, f"join takes at most {PIECES} pieces")
    require(out[:2] == (height + 2 * rim, width + 2 * rim), "the result has the pieces' size, or 2 more each way")
    require(features == stem + (count - 1) * growth, "pieces fill the result's channels")
    vector = _vector(dtype, growth, stem)
    block = (features // vector, max(1, THREADS * vector // features))
    grid = (-(-(width + 2 * rim) // (block[1] * STEPS)), out[0])
    numbers = tuple(map(np.int32, (stem, growth, height, width, rim)))
    return _Join(features, height * width * growth, vector, grid, block, numbers)


def accumulate(out: Tensor, sums: Sequence[tuple[Tensor, int]]) -> None:
    """Adds up to three partial sums. out: [H, W, G], contiguous.

    sums: tensors [H, W, n * G], contiguous, and which G channels of each are added, counted in G.
    """
    growth, samples = out.shape[2], out.numel()
    require(1 <= len(sums) <= 3 and out.is_contiguous(), "one to three sums make a contiguous result")
    pointers, strides, size = [], [], out.element_size()
    for tensor, k in sums:
        stride = tensor.shape[2]
        whole = tensor.is_contiguous() and tensor.numel() * growth == samples * stride and (k + 1) * growth <= stride
        require(whole, "sums are contiguous and have the result's pixels and channels")
        pointers.append(tensor.data_ptr() + k * growth * size)
        strides.append(stride)
    vector = _vector(out.dtype, growth, *strides)
    packs = samples // vector
    args = (out.data_ptr(), _struct(pointers, 3, strides), np.int32(len(sums)), np.int32(growth), packs)
    _launch("accumulate", (out,), (vector,), (-(-packs // THREADS),), (THREADS,), args)


def shift_add(out: Tensor, product: Tensor) -> None:
    """Adds the nine taps of a 3x3 convolution at their pixels. out: [H, W, G]; product: [H, W, 9 * G]; contiguous."""
    height, width, growth = out.shape
    require(product.shape == (height, width, 9 * growth), "a product has nine taps of the result's channels")
    require(out.is_contiguous() and product.is_contiguous(), "product and result are contiguous")
    vector = _vector(out.dtype, growth)
    grid = (-(-width * growth // (vector * THREADS)), height)
    args = (out.data_ptr(), product.data_ptr(), *map(np.int32, (growth, height, width)))
    _launch("shift_add", (out,), (vector,), grid, (THREADS,), args)


def bias_relu(x: Tensor, bias: Tensor) -> None:
    """Computes max(x + bias, 0) in place. x: [..., C], contiguous, C a multiple of 8 (float: 4); bias: [C] float."""
    channels, vector = x.shape[-1], VECTOR // x.element_size()
    require(x.is_contiguous() and channels % vector == 0, "x is contiguous, its channels in whole vectors")
    pixels = x.numel() // channels
    block = (channels // vector, max(1, THREADS * vector // channels))
    _launch("bias_relu", (x,), (), (-(-pixels // (block[1] * STEPS)),), block, (x.data_ptr(), bias.data_ptr(), pixels))


def dynamic_filter(
    out: Tensor, frame: Tensor, logits: Tensor, residual: Tensor, bias: Tensor, corner: tuple[int, int], columns: range
) -> None:
    """Applies `dynamic_upsample` to some rows of a tile, and converts the result to the picture's samples.

    out: [3, R * rows, R * len(columns)], rows at a stride that R divides. frame: [3, H, W] of the same sample type, the
    source's centre frame. logits: [rows, width, 25 * R * R], residual: [rows, width, 3 * R * R], contiguous, half or
    float; bias of both: [28 * R * R] float. corner: where logits' first pixel lies in the frame, (top, left). columns:
    the pixels of each row that are wanted.
    """
    rows, width, channels = residual.shape
    scale = scale_of(channels)
    require(logits.is_contiguous() and residual.is_contiguous(), "logits and residual are contiguous")
    require(logits.data_ptr() % VECTOR == 0 == residual.data_ptr() % VECTOR, "logits and residual are aligned")
    require(frame.stride(2) == 1 == out.stride(2) and frame.dtype == out.dtype, "pictures have one sample type")
    require(scale == 3 or _aligned(out, scale), "rows of the result lie at whole vectors")
    pixels = FILTER_BYTES // logits.element_size()
    sizes = (*frame.shape[1:], *corner, width, columns.start, len(columns))
    pointers = [t.data_ptr() for t in (out, frame, logits, residual, bias)]
    args = (*pointers, out.stride(1), out.stride(0), frame.stride(1), frame.stride(0), *map(np.int32, sizes))
    _launch("dynamic_filter", (logits, out), (scale,), (-(-len(columns) // pixels), rows), (pixels * scale,), args)


def _launch(
    name: str,
    typed: Sequence[Tensor],
    numbers: tuple[int, ...],
    grid: tuple[int, ...],
    block: tuple[int, ...],
    args: tuple[Any, ...],
) -> None:
    """Launches a kernel. Its template arguments are the sample types of `typed`, then `numbers`."""
    require(len(grid) < 2 or grid[1] <= TALLEST, "a picture has at most 65535 rows")
    if 0 not in grid:
        launch = kernel(name, tuple([t.dtype for t in typed]), numbers, typed[0].device)
        launch(grid, block, args, stream=runtime.stream())


@functools.cache
def kernel(name: str, types: tuple[torch.dtype, ...], numbers: tuple[int, ...], device: torch.device) -> Any:
    """Compiles an instance of a kernel at its first use on a device."""
    instance = f"{name}<{', '.join([*(SAMPLES[t] for t in types), *map(str, numbers)])}>"
    source = (folder() / f"{name}.cu").read_text("ascii")
    module = runtime.cupy().RawModule(code=source, options=options(), name_expressions=(instance,))
    return module.get_function(instance)


@functools.cache
def options() -> tuple[str, ...]:
    """Returns the compiler's options.

    CuPy keeps compiled kernels on disk by source and options, without a look at included files, so a hash of all files
    is among the options.
    """
    here = folder()
    version = hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(here.glob("*.cu*")))).hexdigest()[:16]
    numbers = [f"-D{name}={globals()[name]}" for name in SHARED]
    return ("--std=c++17", f"-I{here}", f"-DVSDUF_SOURCES={version}", *numbers)


def folder() -> Path:
    """Returns the folder of the kernels: inside an installed package, beside the package in a checkout."""
    package = Path(str(resources.files("vsduf")))
    inside = package / "kernels"
    return inside if inside.is_dir() else package.parent / "kernels"


def _struct(pointers: Sequence[int], length: int, strides: Sequence[int] | None = None) -> np.ndarray[Any, Any]:
    """Returns a kernel's struct, passed by value: `length` pointers, and as many ints if there are strides."""
    fields, packer = _layout(length, strides is not None)
    filler = [0] * (length - len(pointers))
    values = [*pointers, *filler] if strides is None else [*pointers, *filler, *strides, *filler]
    return np.frombuffer(packer.pack(*values), fields)


@functools.cache
def _layout(length: int, strides: bool) -> tuple[np.dtype[Any], struct.Struct]:
    """Returns a struct's fields, as the compiler lays them out, and the packer of its numbers."""
    parts = [("at", np.uint64, length)] + ([("stride", np.int32, length)] if strides else [])
    fields = np.dtype(parts, align=True)
    numbers = f"={length}Q" + (f"{length}i" if strides else "")
    return fields, struct.Struct(f"{numbers}{fields.itemsize - struct.calcsize(numbers)}x")


@functools.cache
def _vector(dtype: torch.dtype, *channels: int) -> int:
    """Returns how many channels a thread computes: the widest vector that divides all of `channels`."""
    vector = VECTOR // dtype.itemsize
    while any(number % vector for number in channels):
        vector //= 2
    return vector


def _aligned(out: Tensor, scale: int) -> bool:
    whole = scale * out.element_size()
    return out.data_ptr() % whole == 0 and out.stride(0) % scale == 0 == out.stride(1) % scale
