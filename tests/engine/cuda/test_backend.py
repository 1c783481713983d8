"""The engine on a CUDA device, emulated and real: pictures, transfers, threads, memory."""

import threading
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from cuda_on_cpu import fakecupy, stand_in
from helpers.cuda import choose, opened
from helpers.engines import differing, expected, footage, upscale
from helpers.networks import random_weights

from vsduf.engine import planning
from vsduf.engine.cuda import backend, launchers, runtime
from vsduf.engine.cuda import network as cuda_network
from vsduf.engine.cuda.network import CudaTileNetwork
from vsduf.engine.scratch import Scratch
from vsduf.network.duf import DufConfig

STREAMING = DufConfig(2, 6, 32, True)


@pytest.fixture(autouse=True, params=stand_in.BOTH)
def _place(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 << 30, 9 << 30))
    for place in stand_in.place(request.param, monkeypatch):
        choose(monkeypatch, place)
        yield


@pytest.fixture
def copies(monkeypatch):
    """Counts uploads and downloads of planes."""
    counts = Counter()

    def counted(name, copy):
        def count(*args):
            counts[name] += 1
            copy(*args)

        return count

    monkeypatch.setattr(runtime, "upload", counted("up", runtime.upload))
    monkeypatch.setattr(runtime, "download", counted("down", runtime.download))
    return counts


@pytest.mark.parametrize("border", ["learned", "extended"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_every_sample_type(tmp_path, dtype, border):
    content, source = random_weights(DufConfig(3, 6, 32, True), border=border), footage(4, 6, 7, dtype)
    cuda_engine = opened(tmp_path, content, source)
    got = upscale(cuda_engine, source, 1).astype(np.float64)
    if np.issubdtype(dtype, np.integer):
        peak = np.iinfo(dtype).max
        np.testing.assert_allclose(got, np.clip(expected(content, source, 1), 0, 1) * peak, atol=0.5 + 1e-5 * peak)
    else:
        np.testing.assert_allclose(got, expected(content, source, 1), atol=1e-3 if dtype == np.float16 else 2e-5)
    cuda_engine.close()


def test_each_frame_goes_up_once_and_each_picture_comes_down_once(tmp_path, copies):
    source = footage(26, 5, 6, np.uint8)
    cuda_engine = opened(tmp_path, random_weights(STREAMING), source)
    for n in range(3, 23):
        upscale(cuda_engine, source, n)
    assert copies == {"up": 3 * (20 + 6), "down": 3 * 20}
    cuda_engine.close()


def test_tiles_and_what_is_not_kept_go_up_once_too(tmp_path, copies):
    content, source = random_weights(STREAMING), footage(4, 26, 20, np.uint8)
    cuda_engine = opened(tmp_path, content, source, tilesize=(24, 22))
    cuda_engine.plan = planning.TilePlan((24, 22), cache_features=False)
    for n in range(2):
        np.testing.assert_allclose(
            upscale(cuda_engine, source, n), np.clip(expected(content, source, n), 0, 1) * 255, atol=1
        )
    assert copies["up"] == 3 * 4
    cuda_engine.close()


def test_planes_are_copied_as_they_lie(tmp_path):
    """Rows at a stride, in and out; nothing beside the picture is written."""
    content, wide = random_weights(STREAMING), footage(4, 7, 20, np.uint16)
    source = wide[..., 3:12]
    cuda_engine = opened(tmp_path, content, source)
    around = np.zeros((3, 16, 30), np.uint16)
    out = around[:, 1:15, 5:23]
    cuda_engine([1] * 7, {1: list(source[1])}, list(out))
    still = np.stack([source[1]] * 7)
    np.testing.assert_allclose(out, np.clip(expected(content, still, 3), 0, 1) * 65535, atol=1.5)
    out[...] = 0
    assert not around.any()
    cuda_engine.close()


@pytest.mark.parametrize("num_streams", [1, 3])
def test_any_order_and_several_threads_give_the_same_bytes(tmp_path, num_streams):
    content, source = random_weights(STREAMING), footage(16, 6, 8)
    linear = opened(tmp_path, content, source)
    frames = [upscale(linear, source, n) for n in range(16)]
    linear.close()
    cuda_engine = opened(tmp_path, content, source, num_streams=num_streams)
    assert differing(cuda_engine, source, frames) == []
    cuda_engine.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vsduf-cuda")]


class Status(RuntimeError):
    status = 2


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError(), Status("cudaErrorMemoryAllocation"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
])  # fmt: skip
def test_memory_running_out_halves_the_tile_and_the_frame_still_comes(tmp_path, monkeypatch, error):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 << 30, 9 << 30))
    content, source = random_weights(STREAMING), footage(4, 60, 80)
    warnings, partial_sums = [], CudaTileNetwork.partial_sums

    def starved(self, block, inputs, offsets):
        if self.width * self.height > 2500:
            raise error
        return partial_sums(self, block, inputs, offsets)

    monkeypatch.setattr(CudaTileNetwork, "partial_sums", starved)
    cuda_engine = opened(tmp_path, content, source, warn=warnings.append)
    np.testing.assert_allclose(upscale(cuda_engine, source, 1), expected(content, source, 1), atol=2e-5)
    assert len(warnings) == 1
    cuda_engine.close()


def test_cudnn_without_a_plan_is_an_error_where_memory_is_free(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("GET was unable to find an engine to execute this computation")

    cuda_engine = opened(tmp_path, random_weights(STREAMING), footage(4, 60, 80))
    monkeypatch.setattr(CudaTileNetwork, "partial_sums", broken)
    with pytest.raises(RuntimeError, match="unable to find an engine"):
        upscale(cuda_engine, footage(4, 60, 80), 1)
    cuda_engine.close()


def test_a_kernel_that_fails_is_the_frames_error_and_the_next_frame_works(tmp_path, monkeypatch):
    content, source = random_weights(STREAMING), footage(4, 5, 6)
    cuda_engine = opened(tmp_path, content, source)

    def broken(*_):
        raise fakecupy.CUDARuntimeError(700)

    with monkeypatch.context() as patch:
        patch.setattr(launchers, "dynamic_filter", broken)
        with pytest.raises(RuntimeError, match="700"):
            upscale(cuda_engine, source, 0)
    np.testing.assert_allclose(upscale(cuda_engine, source, 0), expected(content, source, 0), atol=2e-5)
    cuda_engine.close()


def test_a_device_that_cannot_be_used_is_named_in_the_error(tmp_path, monkeypatch):
    def absent(_):
        raise RuntimeError("no such device")

    monkeypatch.setattr(runtime, "use", absent)
    with pytest.raises(RuntimeError, match="no such device"):
        opened(tmp_path, random_weights(STREAMING), footage(4, 5, 6))


def test_the_network_is_copied_on_the_thread_whose_stream_computes_and_freed_by_close(tmp_path, monkeypatch):
    made = []

    def to_device(*arguments):
        network = cuda_network.to_device(*arguments)
        made.append((threading.current_thread().name, weakref.ref(network)))
        return network

    monkeypatch.setattr(backend, "to_device", to_device)
    content, source = random_weights(STREAMING), footage(4, 5, 6)
    cuda_engine = opened(tmp_path, content, source)
    upscale(cuda_engine, source, 1)
    ((thread, network),) = made
    assert thread.startswith("vsduf-cuda")
    cuda_engine.close()
    assert network() is None


def test_two_engines_do_not_plan_the_same_memory(tmp_path, monkeypatch):
    source = np.zeros((1, 3, 270, 480), np.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3 << 30, 5 << 30))
    first, second = (opened(tmp_path, random_weights(STREAMING), source, fp16=True) for _ in range(2))
    assert first.plan.size is None
    assert second.plan.size is not None
    first.close()
    second.close()
    third = opened(tmp_path, random_weights(STREAMING), source, fp16=True)
    assert third.plan == first.plan
    third.close()


def test_tiles_are_chosen_from_the_devices_memory(tmp_path, monkeypatch):
    source = np.zeros((1, 3, 540, 960), np.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2 << 30, 2 << 30))
    small = opened(tmp_path, random_weights(STREAMING), source, fp16=True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (40 << 30, 80 << 30))
    large = opened(tmp_path, random_weights(STREAMING), source, fp16=True)
    assert small.plan.size is not None
    assert min(small.plan.size) > 100  # all tiles have one working memory: smaller ones would gain little
    assert large.plan == planning.TilePlan(None)
    for cuda_engine in (small, large):
        cuda_engine.close()


def test_more_samples_than_cudnn_can_count_are_a_matter_of_memory():
    with pytest.raises(MemoryError):
        Scratch(torch.device("cpu"), torch.float16).take("clamped", 1 << 16, 1 << 15)


def test_the_filter_learns_that_halves_are_enough(tmp_path):
    for fp16 in (True, False):
        cuda_engine = opened(tmp_path, random_weights(STREAMING), footage(4, 5, 6), fp16=fp16)
        assert cuda_engine.half == fp16
        cuda_engine.close()
