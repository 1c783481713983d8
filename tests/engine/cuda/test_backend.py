"""The engine on a CUDA device, emulated and real: pictures, transfers, threads, memory."""

import threading
from collections import Counter

import numpy as np
import pytest
import torch
from cuda_on_cpu import fakecupy, stand_in
from helpers.engines import expected, footage, upscale
from helpers.networks import random_weights

from vsduf.engine import engine, planning
from vsduf.engine.cuda import backend, launchers, runtime
from vsduf.engine.cuda.backend import CudaBackend
from vsduf.engine.cuda.network import CudaTileNetwork
from vsduf.engine.device import DeviceChoice
from vsduf.engine.scratch import Scratch
from vsduf.errors import DeviceError
from vsduf.network import weights
from vsduf.network.duf import DufConfig

STREAMING = DufConfig(2, 6, 32, True)


@pytest.fixture(autouse=True, params=stand_in.BOTH)
def _place(request, monkeypatch):
    monkeypatch.setattr(engine.device, "choose_device", lambda _, fp16: DeviceChoice(0, bool(fp16)))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 << 30, 9 << 30))
    for place in stand_in.place(request.param, monkeypatch):
        monkeypatch.setattr(backend, "_device", lambda _, place=place: place)
        yield


@pytest.fixture
def copies(monkeypatch):
    """How many planes went "up" and "down"."""
    counts = Counter()

    def counted(name, copy):
        def count(*args):
            counts[name] += 1
            copy(*args)

        return count

    monkeypatch.setattr(runtime, "upload", counted("up", runtime.upload))
    monkeypatch.setattr(runtime, "download", counted("down", runtime.download))
    return counts


def opened(tmp_path, content, source, **arguments):
    """What Upscale opens for a clip, from a file."""
    weights.save(tmp_path / "a.safetensors", content.state, content.metadata, torch.float32)
    height, width = source.shape[2:]
    arguments = {"warn": pytest.fail, "scale": content.config.scale, **arguments}
    return engine.open_engine(tmp_path / "a.safetensors", width=width, height=height, **arguments)


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
    """Rows at a stride, in and out; nothing beside the picture is touched."""
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
    cuda_engine, wrong = opened(tmp_path, content, source, num_streams=num_streams), []

    def work(first):
        for n in range(first, 16, 4):
            if not np.array_equal(upscale(cuda_engine, source, n), frames[n]):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    cuda_engine.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vsduf-cuda")]


class Status(RuntimeError):
    status = 2


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError(), Status("cudaErrorMemoryAllocation"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
])  # fmt: skip
def test_memory_running_out_halves_the_tile_and_the_frame_still_comes(tmp_path, monkeypatch, error):
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


def test_a_kernel_that_fails_is_the_frames_error_and_the_next_frame_works(tmp_path, monkeypatch):
    content, source = random_weights(STREAMING), footage(4, 5, 6)
    cuda_engine, waited = opened(tmp_path, content, source), []
    wait = cuda_engine._backend._sources.wait

    def broken(*_):
        raise fakecupy.CUDARuntimeError(700)

    with monkeypatch.context() as patch:
        patch.setattr(launchers, "dynamic_filter", broken)
        patch.setattr(cuda_engine._backend._sources, "wait", lambda: waited.append(wait()))
        with pytest.raises(RuntimeError, match="700"):
            upscale(cuda_engine, source, 0)
    assert len(waited) == 1  # nothing reads the frames any more once the caller has the error
    np.testing.assert_allclose(upscale(cuda_engine, source, 0), expected(content, source, 0), atol=2e-5)
    cuda_engine.close()


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
        assert isinstance(cuda_engine._backend, CudaBackend)
        cuda_engine.close()


def test_more_samples_than_cudnn_can_count_are_a_matter_of_memory():
    with pytest.raises(MemoryError):
        Scratch(torch.device("cpu"), torch.float16).take("clamped", 1 << 16, 1 << 15)


def test_cupy_missing_names_the_command(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(DeviceError, match="pip install cupy-cuda1"):
        runtime.cupy()
