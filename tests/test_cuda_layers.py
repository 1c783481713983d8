"""The network as a CUDA device computes it, with its kernels run by the CPU, against the plain network."""

import numpy as np
import pytest
import torch
from cuda_on_cpu import stand_in
from networks import random_weights

from vsduf.cuda_layers import CudaLayers, Scratch, to_device
from vsduf.folded import fold
from vsduf.network import DufConfig
from vsduf.ops import dynamic_upsample
from vsduf.tiles import cut
from vsduf.trunk import Trunk

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    stand_in.install(monkeypatch)


def computed(weights, source, dtype, sizes=None, overlap=0):
    """The middle frame of seven [7, 3, H, W], tile by tile."""
    network = to_device(fold(weights.network()), CPU, dtype)
    scale, (height, width) = weights.config.scale, source.shape[2:]
    out = torch.zeros(3, height * scale, -(-width * scale // 16) * 16, dtype=source.dtype)[..., : width * scale]
    scratch = Scratch(CPU, dtype)
    with torch.inference_mode():
        for tile in cut(height, width, sizes, overlap):
            layers = CudaLayers(network, tile, 0, lambda n: source[n], scratch)
            layers.finish(Trunk(layers)(range(7)), 3, out)
    return out


def expected(weights, source):
    with torch.inference_mode():
        window = source.float().transpose(0, 1)[None]
        return dynamic_upsample(window[:, :, 3], *weights.network()(window))[0]


@pytest.mark.parametrize("config", [
    DufConfig(4, 6, 32, True), DufConfig(3, 6, 32), DufConfig(2, 12, 16, True), DufConfig(2, 7, 12),
])  # fmt: skip
def test_equals_the_plain_network(config):
    weights, source = random_weights(config), torch.rand(7, 3, 7, 9)
    np.testing.assert_allclose(computed(weights, source, torch.float32), expected(weights, source), atol=5e-6)


def test_half_precision_is_close():
    weights = random_weights(DufConfig(4, 6, 32, True))
    source = torch.rand(7, 3, 12, 16)
    error = computed(weights, source, torch.float16) - expected(weights, source)
    assert 10 * torch.log10(1 / error.square().mean()) > 55


def test_tiles_and_strips_do_not_show(monkeypatch):
    weights, source = random_weights(DufConfig(2, 6, 32, True)), torch.rand(7, 3, 30, 41)
    whole = computed(weights, source, torch.float32)
    monkeypatch.setattr("vsduf.cuda_layers.STRIP", 100)
    tiled = computed(weights, source, torch.float32, (26, 24), weights.config.receptive_radius)
    np.testing.assert_allclose(tiled, whole, atol=3e-6)
