"""The backend in ordinary torch operations against the plain network and the CPU's engine, on the CPU."""

import numpy as np
import pytest
import torch
from helpers.engines import WHOLE, differing, expected, footage, make, upscale
from helpers.networks import random_weights

from vsduf.engine import device, planning
from vsduf.engine.engine import Engine
from vsduf.engine.torch import backend, network
from vsduf.engine.torch.network import TorchTileNetwork
from vsduf.network.duf import DufConfig

STREAMING = DufConfig(2, 6, 32, True)


class OnCpu(device.DeviceChoice):
    """An Intel GPU whose work is done by the CPU."""

    device = torch.device("cpu")


def opened(content, source, *, fp16=False, plan=WHOLE, overlap=8, warn=pytest.fail):
    height, width = source.shape[2:]
    opener = backend.opener(OnCpu("xpu", 0, fp16))
    return Engine(content, width, height, plan=plan, overlap=overlap, warn=warn, backend=opener)


@pytest.mark.parametrize("config", [
    DufConfig(4, 6, 32), DufConfig(4, 6, 32, True), DufConfig(3, 12, 16), DufConfig(2, 7, 12, True),
    DufConfig.of_depth(16, 3, streaming=True, width="light"), DufConfig.of_depth(16, 2, width="medium"),
])  # fmt: skip
def test_equals_the_plain_network(config):
    content, source = random_weights(config), footage(5, 9, 12)
    engine = opened(content, source)
    for n in range(5):
        np.testing.assert_allclose(upscale(engine, source, n), expected(content, source, n), atol=1e-5)
    engine.close()


@pytest.mark.parametrize("border", ["learned", "extended"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_every_sample_type_as_on_the_cpu(dtype, border):
    content, source = random_weights(DufConfig(3, 6, 32, True), border=border), footage(4, 6, 7, dtype)
    engine, cpu = opened(content, source), make(content, source)
    got, wanted = (upscale(e, source, 1).astype(np.float64) for e in (engine, cpu))
    np.testing.assert_allclose(got, wanted, atol=1 if np.issubdtype(dtype, np.integer) else 1e-3)
    engine.close()


@pytest.mark.parametrize(("size", "cache_features"), [((24, 24), True), ((24, 24), False), ((30, 200), True)])
def test_tiles_and_strips_do_not_show(monkeypatch, size, cache_features):
    content, source = random_weights(STREAMING), footage(4, 37, 45)
    whole = opened(content, source)
    monkeypatch.setattr(network, "STRIP", 100)
    tiled = opened(content, source, plan=planning.TilePlan(size, cache_features))
    for n in (0, 2):
        np.testing.assert_allclose(upscale(tiled, source, n), upscale(whole, source, n), atol=1e-5)


def test_half_precision_is_close():
    content, source = random_weights(DufConfig(4, 6, 32, True)), footage(4, 12, 16)
    error = upscale(opened(content, source, fp16=True), source, 1) - expected(content, source, 1)
    assert 10 * np.log10(1 / np.square(error).mean()) > 50


def test_any_order_and_several_threads_give_the_same_bytes():
    content, source = random_weights(STREAMING), footage(16, 6, 8)
    linear = opened(content, source)
    frames = [upscale(linear, source, n) for n in range(16)]
    assert differing(opened(content, source), source, frames) == []


@pytest.mark.parametrize("error", [
    MemoryError(), torch.OutOfMemoryError(), RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
])  # fmt: skip
def test_memory_running_out_halves_the_tile_and_the_frame_still_comes(monkeypatch, error):
    content, source = random_weights(STREAMING), footage(4, 60, 80)
    warnings, partial_sums = [], TorchTileNetwork.partial_sums

    def starved(self, block, inputs, offsets):
        if self.tile.width * self.tile.height > 2500:
            raise error
        return partial_sums(self, block, inputs, offsets)

    monkeypatch.setattr(TorchTileNetwork, "partial_sums", starved)
    engine = opened(content, source, warn=warnings.append)
    np.testing.assert_allclose(upscale(engine, source, 1), expected(content, source, 1), atol=1e-5)
    assert len(warnings) == 1


def test_frames_are_kept_on_the_device(monkeypatch):
    uploads, stacked = [], backend._stacked
    monkeypatch.setattr(backend, "_stacked", lambda planes: uploads.append(1) or stacked(planes))
    content, source = random_weights(STREAMING), footage(26, 5, 6, np.uint8)
    engine = opened(content, source)
    for n in range(3, 23):
        upscale(engine, source, n)
    assert len(uploads) == 26
