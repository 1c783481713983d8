"""The network as a CUDA device computes it, emulated and on a device, against the plain network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cuda_on_cpu import stand_in
from helpers.networks import random_weights

from vsduf.engine.cuda.network import CudaTileNetwork, to_device
from vsduf.engine.feature_cache import FeatureCache
from vsduf.engine.folded import fold
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import cut
from vsduf.network import catalogue, weights
from vsduf.network.duf import DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample

NARROW = [DufConfig.of_depth(16, 4, streaming=form, width=w) for w in ("light", "medium") for form in (True, False)]
CITY = str(Path(__file__).parents[3] / "examples" / "city.mkv")


@pytest.fixture(params=stand_in.BOTH)
def place(request, monkeypatch):
    yield from stand_in.place(request.param, monkeypatch)


def computed(place, content, source, dtype, sizes=None, overlap=0, strip=1 << 16):
    """The middle frame of seven [7, 3, H, W], computed tile by tile."""
    network, source = to_device(fold(content), place, dtype, strip), source.to(place)
    scale, (height, width) = content.config.scale, source.shape[2:]
    pitch = -(-width * scale // 16) * 16
    out = torch.zeros(3, height * scale, pitch, dtype=source.dtype, device=place)[..., : width * scale]
    scratch = Scratch(place, dtype)
    with torch.inference_mode():
        for tile in cut(height, width, sizes, overlap):
            tile_network = CudaTileNetwork(network, tile, 0, scratch)
            tile_network.finish(FeatureCache(tile_network)(range(7), lambda n: source[n]), source[3], out)
    return out.cpu()


def expected(content, source):
    with torch.inference_mode():
        window = source.float().transpose(0, 1)[None]
        return dynamic_upsample(window[:, :, 3], *content.network()(window))[0]


@pytest.mark.parametrize("config", [
    DufConfig(4, 6, 32, True), DufConfig(3, 6, 32), DufConfig(2, 12, 16, True), DufConfig(2, 7, 12), *NARROW,
])  # fmt: skip
def test_equals_the_plain_network(config, place):
    content, source = random_weights(config), torch.rand(7, 3, 7, 9)
    np.testing.assert_allclose(computed(place, content, source, torch.float32), expected(content, source), atol=2e-5)


@pytest.mark.parametrize("config", [DufConfig(4, 6, 32, True), DufConfig.of_depth(52, 4, streaming=True), *NARROW])
def test_half_precision_is_close(config, place):
    content = random_weights(config)
    source = torch.rand(7, 3, 12, 16)
    error = computed(place, content, source, torch.float16) - expected(content, source)
    assert 10 * torch.log10(1 / error.square().mean()) > 55


def test_tiles_and_strips_do_not_show(place):
    content, source = random_weights(DufConfig(2, 6, 32, True)), torch.rand(7, 3, 30, 41)
    whole = computed(place, content, source, torch.float32)
    tiled = computed(place, content, source, torch.float32, (26, 24), content.config.receptive_radius, strip=100)
    np.testing.assert_allclose(tiled, whole, atol=2e-5)


def test_half_precision_on_real_frames_with_the_bundled_weights(place):
    vapoursynth = pytest.importorskip("vapoursynth")
    if not hasattr(vapoursynth.core, "bs"):
        pytest.skip("bestsource is not installed")
    clip = vapoursynth.core.bs.VideoSource(CITY, cachemode=0).resize.Bicubic(format=vapoursynth.RGBS, matrix_in_s="709")
    clip = clip.std.CropAbs(64, 48, 20, 20)[10:17]
    source = torch.from_numpy(np.stack([np.stack([np.array(frame[i]) for i in range(3)]) for frame in clip.frames()]))
    bundled = weights.load(catalogue.best(4))
    error = (computed(place, bundled, source, torch.float16) - expected(bundled, source)) * 255
    assert 10 * torch.log10(255**2 / error.square().mean()) > 55
    assert error.abs().mean() < 0.1
