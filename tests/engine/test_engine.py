"""The engine against the plain network: equal pictures in any order, tiled or not, and nothing computed twice."""

import numpy as np
import psutil
import pytest
import torch
from helpers.engines import differing, expected, footage, make, upscale
from helpers.networks import random_weights

from vsduf.engine import planning
from vsduf.engine.cpu.network import CpuTileNetwork
from vsduf.engine.engine import open_engine
from vsduf.errors import ArgumentError, DeviceError, WeightsError
from vsduf.network.duf import DufConfig

FORMS = [pytest.param(False, id="paper"), pytest.param(True, id="streaming")]


@pytest.mark.parametrize("config", [
    DufConfig(4, 6, 32), DufConfig(4, 6, 32, True), DufConfig(3, 12, 16), DufConfig(3, 12, 16, True),
    DufConfig(2, 24, 16), DufConfig(2, 24, 16, True),
])  # fmt: skip
def test_equals_the_plain_network(config):
    weights, source = random_weights(config), footage(5, 9, 12)
    engine = make(weights, source)
    for n in range(5):
        np.testing.assert_allclose(upscale(engine, source, n), expected(weights, source, n), atol=3e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1), (40, 3)])
@pytest.mark.parametrize("border", ["learned", "extended"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_every_sample_type_and_size(dtype, border, size):
    weights, source = random_weights(DufConfig(3, 6, 32, True), border=border), footage(4, *size, dtype)
    got = upscale(make(weights, source), source, 1).astype(np.float64)
    if np.issubdtype(dtype, np.integer):
        peak = np.iinfo(dtype).max
        np.testing.assert_allclose(got, np.clip(expected(weights, source, 1), 0, 1) * peak, atol=0.5 + 5e-6 * peak)
    else:
        np.testing.assert_allclose(got, expected(weights, source, 1), atol=1e-3 if dtype == np.float16 else 3e-6)


@pytest.mark.parametrize("streaming", FORMS)
def test_any_order_gives_the_same_bytes(streaming):
    weights, source = random_weights(DufConfig(2, 6, 32, streaming)), footage(12, 6, 8)
    linear = make(weights, source)
    frames = [upscale(linear, source, n) for n in range(12)]
    jumping = make(weights, source)
    for n in [5, 4, 11, 0, 0, 7, 6, 8, 1, 10, 2, 9, 3, 5]:
        assert np.array_equal(upscale(jumping, source, n), frames[n]), n


@pytest.mark.parametrize(("size", "border", "cache_features", "streaming"), [
    ((24, 24), "learned", True, True), ((24, 24), "extended", False, True), ((30, 200), "extended", True, False),
    ((200, 20), "learned", False, False), ((26, 31), "extended", True, True),
])  # fmt: skip
def test_tiled_equals_untiled(size, border, cache_features, streaming):
    weights, source = random_weights(DufConfig(2, 6, 32, streaming), border=border), footage(4, 37, 45)
    whole, tiled = make(weights, source), make(weights, source, planning.TilePlan(size, cache_features))
    for n in (0, 2):
        np.testing.assert_allclose(upscale(tiled, source, n), upscale(whole, source, n), atol=3e-6)


@pytest.mark.parametrize("closes", [True, False])
def test_threads_end_with_the_engine(closes):
    weights, source = random_weights(DufConfig(2, 6, 32, True)), footage(4, 6, 8)
    before = psutil.Process().num_threads()
    engine = make(weights, source, threads=3)
    upscale(engine, source, 0)
    assert psutil.Process().num_threads() >= before + 3
    if closes:
        engine.close()
    else:
        del engine
    assert psutil.Process().num_threads() < before + 3


def test_several_threads_get_the_same_bytes():
    weights, source = random_weights(DufConfig(2, 6, 32, True)), footage(16, 6, 8)
    reference = make(weights, source)
    frames = [upscale(reference, source, n) for n in range(16)]
    assert differing(make(weights, source), source, frames) == []


def test_memory_running_out_halves_the_tile_and_the_frame_still_comes(monkeypatch):
    weights, source = random_weights(DufConfig(2, 6, 32, True)), footage(4, 60, 80)
    whole = upscale(make(weights, source), source, 1)
    warnings = []
    engine = make(weights, source, warn=warnings.append)
    partial_sums = CpuTileNetwork.partial_sums

    def starved(self, block, inputs, offsets):
        if self.tile.width * self.tile.height > 1300:
            raise MemoryError
        return partial_sums(self, block, inputs, offsets)

    monkeypatch.setattr(CpuTileNetwork, "partial_sums", starved)
    np.testing.assert_allclose(upscale(engine, source, 1), whole, atol=3e-6)
    upscale(engine, source, 2)
    assert warnings == ["memory ran out; going on with 40x32 tiles, set tilesize to begin with them"]


def test_memory_running_out_for_good_is_an_error_and_others_stay_errors(monkeypatch):
    weights, source = random_weights(DufConfig(2, 6, 32, True)), footage(4, 20, 20)
    engine = make(weights, source, warn=lambda _: None)

    def fail(*_):
        raise MemoryError

    def broken(*_):
        raise RuntimeError("something else")

    with monkeypatch.context() as patch:
        patch.setattr(CpuTileNetwork, "stem", fail)
        with pytest.raises(DeviceError, match="memory ran out"):
            upscale(engine, source, 0)
        patch.setattr(CpuTileNetwork, "stem", broken)
        with pytest.raises(RuntimeError, match="something else"):
            upscale(engine, source, 0)
    np.testing.assert_allclose(upscale(engine, source, 0), expected(weights, source, 0), atol=3e-6)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"scale": 5}, ArgumentError, "scale is 5; it must be 2, 3 or 4"),
    ({"device_id": -2}, DeviceError, "device_id is -2"),
    ({"device_id": 99}, DeviceError, "device_id is 99"),
    ({"device_id": -1, "fp16": True}, DeviceError, "fp16 does not work on the CPU"),
    ({"num_streams": 0}, ArgumentError, "num_streams is 0"),
    ({"tilesize": (8, 64)}, ArgumentError, "tilesize is 8x64"),
    ({"tilesize": (32, 32), "overlap": 16}, ArgumentError, "overlap is 16"),
    ({"overlap": -1}, ArgumentError, "overlap is -1"),
    ({"model": "nothing"}, WeightsError, "no model 'nothing'"),
    ({"scale": 3}, ArgumentError, "upscales by 2, not by 3"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_before_the_first_frame(tmp_path, arguments, error, message):
    from vsduf.network.weights import save

    path = tmp_path / "x2.safetensors"
    save(path, random_weights(DufConfig(2, 6, 32, True)).state, {})
    with pytest.raises(error, match=message):
        open_engine(**{"model": path, "scale": 2, "width": 64, "height": 48, "warn": pytest.fail, **arguments})


def test_asking_a_torch_without_cuda_for_a_device_names_the_cure(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(DeviceError, match="pip install"):
        open_engine(None, 4, 64, 48, device_id=0, warn=pytest.fail)


def test_tiles_are_chosen_from_free_memory():
    config = DufConfig(4, 6, 32, True)
    assert planning.plan_tiles(config, 270, 480, 8 << 30, overlap=8, idle_frames=2).size is None
    small = planning.plan_tiles(config, 1080, 1920, 4 << 30, overlap=8, idle_frames=2)
    assert small.size is not None
    assert not small.cache_features
    bytes_needed = small.size[0] * small.size[1] * 4 * planning.cached_channels(config, 2)
    assert bytes_needed < 4 << 30
