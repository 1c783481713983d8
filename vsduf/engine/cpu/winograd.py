"""3x3 convolutions with a quarter of the products: Winograd's F(4x4, 3x3); vsduf/native/winograd.cpp transforms.

Pictures are [H, W, channels], contiguous, float32; a convolution's input comes in pieces, joined along channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vsduf.engine.cpu.library import check, library, pieces_of
from vsduf.engine.folded import Clamp
from vsduf.engine.scratch import Scratch

SIDE, PRODUCTS = 4, 36
KERNEL = torch.tensor(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
).div(24)  # G of winograd.cpp


@dataclass(frozen=True)
class Convolution:
    """kernel: [36, channels in, channels out], transformed. relu: whether negative results become 0."""

    kernel: Tensor
    bias: Tensor
    clamp: Clamp
    relu: bool


def prepare(kernel: Tensor, bias: Tensor, clamp: Clamp, *, relu: bool = False) -> Convolution:
    """Transforms a kernel [out, in, 3, 3]. The input is clamped first, and padded with `clamp.padding_value`."""
    transformed = torch.einsum("ai,ocij,bj->abco", KERNEL, kernel.double(), KERNEL).flatten(0, 1)
    return Convolution(transformed.float().contiguous(), bias.contiguous(), clamp, relu)


def convolve(by: Convolution, pieces: Sequence[Tensor], rows: range, out: Tensor, scratch: Scratch) -> None:
    """Those rows of the convolution's result, into `out`, [len(rows), W, channels out]."""
    height, width = pieces[0].shape[:2]
    check(pieces, by.clamp, out, (len(rows), width, by.kernel.shape[2]))
    tiles, (_, inputs, outputs) = -(-len(rows) // SIDE) * -(-width // SIDE), by.kernel.shape
    split, products = (
        scratch.planes("split", PRODUCTS, tiles, inputs),
        scratch.planes("products", PRODUCTS, tiles, outputs),
    )
    edge, threads = by.clamp, torch.get_num_threads()
    library().vsduf_winograd_split(
        *pieces_of(pieces), edge.low.data_ptr(), edge.high.data_ptr(), edge.padding_value.data_ptr(),
        split.data_ptr(), split.stride(0), height, width, rows.start, len(rows), threads,
    )  # fmt: skip
    torch.bmm(split, by.kernel, out=products)
    library().vsduf_winograd_join(
        products.data_ptr(), products.stride(0), by.bias.data_ptr(), out.data_ptr(), len(rows), width, outputs, by.relu,
        threads,
    )  # fmt: skip
