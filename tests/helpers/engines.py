"""Engines on small footage, and the plain network's frames to compare with."""

import functools
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vsduf.engine.cpu.backend import CpuBackend
from vsduf.engine.engine import EXTENSION, Engine
from vsduf.engine.planning import TilePlan
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.upscaler import clamped_window

WHOLE = TilePlan(None)


def footage(frames, height, width, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, np.iinfo(dtype).max, (frames, 3, height, width), dtype, endpoint=True)
    return rng.random((frames, 3, height, width)).astype(dtype)


def make(weights, source, plan=WHOLE, overlap=None, warn=pytest.fail, threads=2, kernels=None):
    height, width = source.shape[2:]
    backend = functools.partial(CpuBackend, threads=threads, kernels=kernels)
    overlap = weights.config.receptive_radius if overlap is None else overlap
    return Engine(weights, width, height, plan=plan, overlap=overlap, warn=warn, backend=backend)


def upscale(engine, source, n):
    """Frame n as [3, R * H, R * W]."""
    window = clamped_window(n, len(source))
    height, width = source.shape[2:]
    out = np.zeros((3, height * engine.scale, width * engine.scale), source.dtype)
    engine(window, {k: list(source[k]) for k in set(window)}, list(out))
    return out


def differing(engine, source, frames, threads=4):
    """Asks for all frames from several threads; returns the numbers of those that differ from `frames`."""
    wrong = []

    def work(first):
        for n in range(first, len(frames), threads):
            if not np.array_equal(upscale(engine, source, n), frames[n]):
                wrong.append(n)

    running = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return wrong


def expected(weights, source, n):
    """The plain network's frame n, in 0..1; extended and cut off where the network has not learnt borders."""
    peak = np.iinfo(source.dtype).max if np.issubdtype(source.dtype, np.integer) else 1
    window = torch.from_numpy(source[clamped_window(n, len(source))].astype(np.float32) / peak)
    extension = 0 if weights.metadata.get("border") == "learned" else EXTENSION
    window = F.pad(window, (extension,) * 4, mode="replicate").transpose(0, 1)[None]
    with torch.inference_mode():
        picture = dynamic_upsample(window[:, :, 3], *weights.network()(window))[0].numpy()
    cut = extension * weights.config.scale
    return picture[:, cut : picture.shape[1] - cut, cut : picture.shape[2] - cut]
