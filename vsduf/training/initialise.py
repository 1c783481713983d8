"""Initialises a network at random, such that its first output is an interpolation of the centre frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vsduf.network.duf import Duf
from vsduf.network.dynamic_upsample import TAPS

SIGMA = 0.5  # of the first filters, in LR pixels: about as sharp as linear interpolation


def initialise(network: Duf) -> None:
    """Sets He-normal weights and zero biases (paper, section 4), with small last layers of both heads.

    The filters' biases are the logarithm of a Gaussian around each sub-pixel, so that a new network interpolates. With
    zero biases, that is uniform filters, the first thousand steps go into learning that.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        for head in (network.filter_head, network.residual_head):
            head.get_parameter("2.weight").mul_(0.05)
        network.filter_head.get_parameter("2.bias").copy_(_interpolating(network.config.scale))


def _interpolating(scale: int) -> Tensor:
    """Returns the logits of interpolating filters, [25 * R * R], channel = tap * R * R + subpixel."""
    tap = torch.arange(5, dtype=torch.float32) - 2
    place = (torch.arange(scale, dtype=torch.float32) - (scale - 1) / 2) / scale
    line = -((tap[:, None] - place[None]) ** 2) / (2 * SIGMA**2)  # [tap, subpixel]
    return (line[:, None, :, None] + line[None, :, None, :]).reshape(TAPS * scale**2)
