"""Every wait between streams is there: pictures are right in whatever order the device does what is queued."""

import numpy as np
import pytest
import torch
from cuda_on_cpu import fakecupy, stand_in
from helpers.cuda import choose, opened
from helpers.engines import differing, expected, footage, upscale
from helpers.networks import random_weights

from vsduf.engine.cuda import launchers, runtime
from vsduf.engine.cuda.frames import SourceRing
from vsduf.network.duf import DufConfig

CONFIG = DufConfig(2, 4, 8, True, stem=8, merge=16, filter_hidden=16, residual_hidden=16)
ORDERS = ["at once", "late", "copies first", "kernels first", 1, 2, 3]
LENGTH = 30


@pytest.fixture(autouse=True, params=[*ORDERS, stand_in.BOTH[1]])
def place(request, monkeypatch):
    kind, order = ("device", "at once") if request.param == "device" else ("emulated", request.param)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 << 30, 9 << 30))
    for device in stand_in.place(kind, monkeypatch, order):
        choose(monkeypatch, device)
        yield device


@pytest.fixture
def content():
    return random_weights(CONFIG)


def right(content, source, n, picture):
    wanted = np.clip(expected(content, source, n), 0, 1) * 255
    return np.abs(picture - wanted).max() < 0.51


def test_frames_in_order_and_after_a_seek(tmp_path, content):
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)
    for n in [*range(14), 25, 26, 3, 4, 29, 12]:
        assert right(content, source, n, upscale(cuda_engine, source, n)), n
    cuda_engine.close()


def test_several_threads(tmp_path, content):
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)
    frames = [upscale(cuda_engine, source, n) for n in range(LENGTH)]
    assert all(right(content, source, n, frame) for n, frame in enumerate(frames))
    assert differing(cuda_engine, source, frames, threads=6) == []
    cuda_engine.close()


def test_frames_may_be_freed_when_their_call_returns(tmp_path, content):
    """Also those that no kernel had to read, because their features were cached."""
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)
    for n in [*range(3, 17), 14, 15, 16]:
        frames = {k: list(source[k].copy()) for k in range(n - 3, n + 4)}
        out = np.zeros((3, 10, 32), np.uint8)
        cuda_engine(range(n - 3, n + 4), frames, list(out))
        for planes in frames.values():
            for plane in planes:
                plane[:] = 123
        assert right(content, source, n, out), n
    cuda_engine.close()


def test_frames_may_be_freed_when_their_call_fails(tmp_path, content, monkeypatch):
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)

    def broken(*_):
        raise fakecupy.CUDARuntimeError(700)

    frames = {k: list(source[k].copy()) for k in range(2, 9)}
    with monkeypatch.context() as patch:
        patch.setattr(launchers, "planes_to_window", broken)
        with pytest.raises(RuntimeError, match="700"):
            cuda_engine(range(2, 9), frames, list(np.zeros((3, 10, 32), np.uint8)))
    for planes in frames.values():
        for plane in planes:
            plane[:] = 123
    assert right(content, source, 5, upscale(cuda_engine, source, 5))
    cuda_engine.close()


def test_close_waits_for_what_is_queued(tmp_path, content, monkeypatch):
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)
    upscale(cuda_engine, source, 5)

    def broken(*_):
        raise fakecupy.CUDARuntimeError(700)

    monkeypatch.setattr(launchers, "dynamic_filter", broken)
    with pytest.raises(RuntimeError, match="700"):
        upscale(cuda_engine, source, 6)
    cuda_engine.close()
    assert fakecupy.simulation.pending() == 0


def test_threads_sleep_while_they_wait(tmp_path, content, monkeypatch):
    """A thread that waits for the device does so by an event that lets it sleep."""
    waits, synchronize = [], fakecupy.Event.synchronize
    monkeypatch.setattr(fakecupy.Event, "synchronize", lambda event: waits.append(event.block) or synchronize(event))
    source = footage(LENGTH, 5, 16, np.uint8)
    cuda_engine = opened(tmp_path, content, source)
    upscale(cuda_engine, source, 5)
    cuda_engine.close()
    assert all(waits)


def test_frames_that_a_call_is_going_to_read_keep_their_memory(place):
    """Three calls far apart in the clip have loaded their windows before the first of them computes."""
    source = footage(LENGTH, 5, 16, np.uint8)
    ring = SourceRing(10, place)
    windows = [range(7), range(10, 17), range(20, 27)]
    loaded = [ring.load(window, {n: list(source[n]) for n in window}) for window in windows]
    for window, slots in zip(windows, loaded, strict=True):
        with ring.reading(slots) as read:
            runtime.wait_for_all()
            assert all(np.array_equal(read(n).cpu().numpy(), source[n]) for n in window)
