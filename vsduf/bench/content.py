"""Test footage and test weights: moving detail and a network conditioned like a trained one, the same every time."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vsduf.network.duf import Duf, DufConfig
from vsduf.network.weights import Weights, arrays
from vsduf.upscaler import WINDOW

SEED = 7
# standard deviations of the heads' results: filters of a few taps, a residual of five 8-bit codes
LOGITS, RESIDUAL = 2.0, 0.02


def bench_footage(frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Returns [frames, 3, H, W] in 0..1: detail of all sizes, moving right by 2/3 pixel a frame and down by 1/3."""
    generator = torch.Generator().manual_seed(SEED)
    still = sum((_noise(generator, height, width, cell) * cell for cell in (1, 2, 4, 8, 16, 32)), torch.zeros(1))
    still = (still - still.mean()) / still.std() * 0.2 + 0.5
    spectrum = torch.fft.rfft2(still)
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    shift = torch.exp(-2j * torch.pi * (down / 3 + across * 2 / 3))
    moved = [torch.fft.irfft2(spectrum * shift**n, (height, width)) for n in range(frames)]
    return torch.stack(moved).clamp(0, 1).numpy()


def bench_weights(config: DufConfig) -> Weights:
    """Returns random weights whose layers give results of ordinary size.

    Batch norms have the statistics of the test footage, and the heads are scaled to LOGITS and RESIDUAL.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Duf(config).train()
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm3d):
                norm.momentum = 1.0  # the statistics become those of the one batch below
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.normal_(norm.bias, 0, 0.3)
        window = torch.from_numpy(bench_footage(WINDOW, 64, 96)).transpose(0, 1)[None]
        with torch.no_grad():
            network(window)
            results = network.eval()(window)
            for head, result, deviation in zip(_heads(network), results, (LOGITS, RESIDUAL), strict=True):
                gain = deviation / result.std()
                head.weight *= gain
                assert head.bias is not None
                head.bias.sub_(result.mean()).mul_(gain)
    return Weights(arrays(network.state_dict()), {"border": "learned"})


def _heads(network: Duf) -> list[nn.Conv2d]:
    last = [head[2] for head in (network.filter_head, network.residual_head)]
    return [conv for conv in last if isinstance(conv, nn.Conv2d)]


def _noise(generator: torch.Generator, height: int, width: int, cell: int) -> Tensor:
    size = (max(1, height // cell), max(1, width // cell))
    noise = torch.randn(1, 3, *size, generator=generator)
    return F.interpolate(noise, (height, width), mode="bicubic", align_corners=False)[0]
