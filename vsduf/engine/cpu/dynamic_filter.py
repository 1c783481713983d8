"""The CPU's fused dynamic filter: ctypes door to vsduf_dynamic_filter in the plugin's library."""

from __future__ import annotations

import ctypes

import numpy as np
import torch
from torch import Tensor

from vsduf.engine.cpu.library import library
from vsduf.network.dynamic_upsample import scale_of
from vsduf.upscaler import Planes

SAMPLES = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 1, np.dtype(np.float32): 2}


def dynamic_filter(out: Planes, frame: Tensor, logits: Tensor, residual: Tensor, bias: Tensor, columns: range) -> None:
    """`ops.dynamic_upsample` for some rows of a frame, converted and laid into planes.

    out: three writable arrays [R * rows, R * len(columns)] of uint8, uint16 or float32, rows at any equal stride.
    frame: [3, rows + 4, width + 4], the centre frame with two more pixels at every side. logits: [rows, width,
    25 * R * R], residual: [rows, width, 3 * R * R], bias of both: [28 * R * R]. All float32. columns: the pixels of
    each row that are wanted.
    """
    rows, width, channels = residual.shape
    scale = scale_of(channels)
    if not (logits.is_contiguous() and residual.is_contiguous() and frame.stride(2) == 1):
        raise ValueError("dynamic_filter takes contiguous logits and residual, and a frame of contiguous rows")
    pointers = (ctypes.c_void_p * 3)(*(p.ctypes.data for p in out))
    item = out[0].itemsize
    failed = library().vsduf_dynamic_filter(
        *(t.data_ptr() for t in (logits, residual, bias, frame)), pointers, frame.stride(1), frame.stride(0),
        out[0].strides[0] // item, rows, width, columns.start, columns.stop, scale, SAMPLES[out[0].dtype],
        torch.get_num_threads(),
    )  # fmt: skip
    if failed:
        raise ValueError(f"no dynamic filter for scale {scale} and {out[0].dtype}")
