"""A 3x3 convolution as one implicit matrix product in Triton: what cuDNN's is measured against.

No pixel is laid out nine times: each block of pixels walks over the nine taps and the input channels, loads what the
tap shows of them, and adds up in float. Pixels beyond the picture count as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor


@dataclass(frozen=True)
class Way:
    """Pixels and input channels that a block takes at a time, its warps, and loads that are under way at once."""

    pixels: int
    channels: int
    warps: int
    stages: int


WAYS = [Way(128, 32, 4, 3), Way(128, 32, 8, 4), Way(128, 64, 4, 3), Way(128, 64, 8, 3), Way(64, 64, 4, 4)]


@triton.jit
def _convolve(
    x, kernel, out, height, width, outputs,
    INPUTS: tl.constexpr, WIDE: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    row, column = pixel // width, pixel % width
    channel, output = tl.arange(0, CHANNELS), tl.arange(0, WIDE)
    total = tl.zeros((PIXELS, WIDE), tl.float32)
    for tap in range(9):
        y, z = row + tap // 3 - 1, column + tap % 3 - 1
        inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
        seen = x + (y * width + z)[:, None] * INPUTS + channel[None, :]
        weights = kernel + (tap * INPUTS + channel)[:, None] * outputs + output[None, :]
        for first in range(0, INPUTS, CHANNELS):
            a = tl.load(seen + first, mask=inside[:, None], other=0.0)
            b = tl.load(weights + first * outputs, mask=output[None, :] < outputs, other=0.0)
            total = tl.dot(a, b, total)
    place = out + pixel[:, None] * outputs + output[None, :]
    tl.store(
        place, total.to(out.dtype.element_ty), mask=(pixel < height * width)[:, None] & (output < outputs)[None, :]
    )


def taps(kernel: Tensor) -> Tensor:
    """[out, in, 3, 3] -> [9 * in, out], contiguous, as `convolve` takes it."""
    return kernel.permute(2, 3, 1, 0).flatten(0, 2).contiguous()


def convolve(pixels: Tensor, kernel: Tensor, way: Way) -> Tensor:
    """[h, w, in] and `taps` -> [h, w, out]; in must be a multiple of the way's channels."""
    height, width, inputs = pixels.shape
    outputs = kernel.shape[1]
    out = torch.empty(height, width, outputs, dtype=pixels.dtype, device=pixels.device)
    _convolve[(triton.cdiv(height * width, way.pixels),)](
        pixels, kernel, out, height, width, outputs,
        INPUTS=inputs, WIDE=triton.next_power_of_2(outputs), PIXELS=way.pixels, CHANNELS=way.channels,
        num_warps=way.warps, num_stages=way.stages,
    )  # fmt: skip
    return out
