"""3x3 convolutions with a quarter of the products: Winograd's F(4x4, 3x3); vsduf/native/winograd.cpp transforms.

Pictures are [H, W, channels], contiguous, float32; a convolution's input comes in pieces, joined along channels.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vsduf.folded import Clamp
from vsduf.native_filter import library

SIDE, PRODUCTS = 4, 36
PAGE, APART = 1024, 16  # floats; products that lie whole pages apart would push each other out of the cache
KERNEL = torch.tensor(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
).div(24)  # G of winograd.cpp


class Scratch:
    """Working memory by name, which grows to what is asked for and is used again."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def floats(self, name: str, *shape: int) -> Tensor:
        """A contiguous float32 tensor of that shape with anything in it."""
        size = math.prod(shape)
        if len(self._held.get(name, ())) < size:
            self._held.pop(name, None)  # before the next is made, not after
            self._held[name] = torch.empty(size)
        return self._held[name][:size].view(shape)

    def clear(self) -> None:
        """Forgets all of it."""
        self._held.clear()

    def products(self, name: str, tiles: int, channels: int) -> Tensor:
        """[36, tiles, channels], with a gap between one of the 36 and the next."""
        plane = -(-tiles * channels // PAGE) * PAGE + APART
        return self.floats(name, PRODUCTS * plane).as_strided((PRODUCTS, tiles, channels), (plane, channels, 1))


@dataclass(frozen=True)
class Convolution:
    """kernel: [36, channels in, channels out], transformed. relu: whether negative results become 0."""

    kernel: Tensor
    bias: Tensor
    clamp: Clamp
    relu: bool


def prepare(kernel: Tensor, bias: Tensor, clamp: Clamp, *, relu: bool = False) -> Convolution:
    """A convolution with a kernel [out, in, 3, 3] of an input that is clamped first; outside it lies `clamp.rest`."""
    transformed = torch.einsum("ai,ocij,bj->abco", KERNEL, kernel.double(), KERNEL).flatten(0, 1)
    return Convolution(transformed.float().contiguous(), bias.contiguous(), clamp, relu)


def convolve(by: Convolution, pieces: Sequence[Tensor], rows: range, out: Tensor, scratch: Scratch) -> None:
    """Those rows of the convolution's result, into `out`, [len(rows), W, channels out]."""
    height, width = pieces[0].shape[:2]
    _check(pieces, by.clamp, out, (len(rows), width, by.kernel.shape[2]))
    tiles, (_, inputs, outputs) = -(-len(rows) // SIDE) * -(-width // SIDE), by.kernel.shape
    split, products = scratch.products("split", tiles, inputs), scratch.products("products", tiles, outputs)
    edge, threads = by.clamp, torch.get_num_threads()
    _functions().vsduf_winograd_split(
        *_pieces(pieces), edge.low.data_ptr(), edge.high.data_ptr(), edge.rest.data_ptr(),
        split.data_ptr(), split.stride(0), height, width, rows.start, len(rows), threads,
    )  # fmt: skip
    torch.bmm(split, by.kernel, out=products)
    _functions().vsduf_winograd_join(
        products.data_ptr(), products.stride(0), by.bias.data_ptr(), out.data_ptr(), len(rows), width, outputs, by.relu,
        threads,
    )  # fmt: skip


def clamp(pieces: Sequence[Tensor], by: Clamp, out: Tensor) -> None:
    """The pieces, of one height and width, joined along channels and clamped, into `out`, [pixels, all channels]."""
    pixels, threads = pieces[0].shape[:-1].numel(), torch.get_num_threads()
    _check(pieces, by, out, (pixels, len(by.low)))
    _functions().vsduf_clamp(*_pieces(pieces), by.low.data_ptr(), by.high.data_ptr(), out.data_ptr(), pixels, threads)


def add(terms: Sequence[Tensor]) -> Tensor:
    """The sum of two or three [H, W, channels], each of which may be some of the channels of a contiguous tensor."""
    height, width, channels = terms[0].shape
    if any(t.stride() != (width * t.stride(1), t.stride(1), 1) for t in terms) or len(terms) not in (2, 3):
        raise ValueError("add takes two or three terms with pixels at equal distances")
    out, steps = torch.empty(height, width, channels), [t.stride(1) for t in terms]
    count, threads = len(terms), torch.get_num_threads()
    distances = (ctypes.c_int * count)(*steps)
    _functions().vsduf_sum(_pointers(terms), distances, count, out.data_ptr(), channels, height * width, threads)
    return out


def _check(pieces: Sequence[Tensor], by: Clamp, out: Tensor, shape: tuple[int, ...]) -> None:
    """The library reads and writes where it is told to; raises ValueError for what would lie outside a tensor."""
    if out.shape != shape or not out.is_contiguous():
        raise ValueError(f"the result is {tuple(out.shape)}; it must be {shape}, contiguous")
    if any(p.shape[:-1] != pieces[0].shape[:-1] for p in pieces) or sum(p.shape[-1] for p in pieces) != len(by.low):
        raise ValueError(f"pieces {[tuple(p.shape) for p in pieces]} do not make a picture of {len(by.low)} channels")
    if any(t.dtype != torch.float32 for t in (*pieces, out)):
        raise ValueError("pieces and result are float32")


def _pieces(pieces: Sequence[Tensor]) -> tuple[ctypes.Array[ctypes.c_void_p], ctypes.Array[ctypes.c_int], int]:
    count = len(pieces)
    if not all(piece.is_contiguous() for piece in pieces):
        raise ValueError("the pieces of a convolution's input must be contiguous")
    return _pointers(pieces), (ctypes.c_int * count)(*(piece.shape[-1] for piece in pieces)), count


def _pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(t.data_ptr() for t in tensors))


@functools.cache
def _functions() -> ctypes.CDLL:
    pointer, integer, stride = ctypes.c_void_p, ctypes.c_int, ctypes.c_ssize_t
    given, found = [ctypes.POINTER(pointer), ctypes.POINTER(integer), integer], library()
    signatures: dict[str, list[Any]] = {
        "vsduf_winograd_split": [*given, *[pointer] * 4, stride, *[integer] * 5],
        "vsduf_winograd_join": [pointer, stride, *[pointer] * 2, *[integer] * 5],
        "vsduf_clamp": [*given, *[pointer] * 3, *[integer] * 2],
        "vsduf_sum": [*given, pointer, *[integer] * 3],
    }
    for name, arguments in signatures.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, None
    return found
