"""Pixelwise passes on the CPU, one for each function of vsduf/native/pixels.cpp: clamp and sum."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from vsduf.engine.cpu.library import check, library, pieces_of, pointers
from vsduf.engine.folded import Clamp


def clamp(pieces: Sequence[Tensor], by: Clamp, out: Tensor) -> None:
    """The pieces, of one height and width, joined along channels and clamped, into `out`, [pixels, all channels]."""
    pixels, threads = pieces[0].shape[:-1].numel(), torch.get_num_threads()
    check(pieces, by, out, (pixels, len(by.low)))
    library().vsduf_clamp(*pieces_of(pieces), by.low.data_ptr(), by.high.data_ptr(), out.data_ptr(), pixels, threads)


def add(terms: Sequence[Tensor]) -> Tensor:
    """The sum of two or three [H, W, channels], each of which may be some of the channels of a contiguous tensor."""
    height, width, channels = terms[0].shape
    if any(t.stride() != (width * t.stride(1), t.stride(1), 1) for t in terms) or len(terms) not in (2, 3):
        raise ValueError("add takes two or three terms with pixels at equal distances")
    out, steps = torch.empty(height, width, channels), [t.stride(1) for t in terms]
    count, threads = len(terms), torch.get_num_threads()
    distances = (ctypes.c_int * count)(*steps)
    library().vsduf_sum(pointers(terms), distances, count, out.data_ptr(), channels, height * width, threads)
    return out
