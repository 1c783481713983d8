"""Who takes part: core.duf.Upscale, the plain network in torch, and the inference filters of vs-mlrt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.engine.cpu.worker import on_compute_thread
from vsduf.errors import ArgumentError
from vsduf.filter.frames import planes
from vsduf.network import onnx_export
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.network.weights import Weights, save
from vsduf.upscaler import RADIUS, WINDOW, Planes

OURS, PLAIN = "core.duf.Upscale", "plain torch"
PEERS = {  # filter -> whether convolutions of volumes are fast there, and whether it wants a stream for each core
    "ov": (True, True),
    "ort": (False, False),
}


@dataclass(frozen=True)
class Contender:
    """One way to make frames: `make(first, count)` makes those frames in order and gives the last one's planes.

    name: of the filter. form: "streaming" or "paper". half: whether it computes in half precision.
    """

    name: str
    form: str
    make: Callable[[int, int], Planes]
    half: bool = False


def form_of(weights: Weights) -> str:
    """The network's form in a word."""
    return "streaming" if weights.config.streaming else "paper"


def clip_of(source: NDArray[np.float32]) -> vs.VideoNode:
    """The frames [N, 3, H, W] as an RGBS clip, all of them in memory already, so that nobody waits for them."""
    length, _, height, width = source.shape
    blank = vs.core.std.BlankClip(format=vs.RGBS, width=width, height=height, length=length, keep=True)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane, values in zip(planes(frame), source[n], strict=True):
            plane[...] = values
        return frame

    clip = blank.std.ModifyFrame(blank, fill)
    clip.std.SetVideoCache(mode=1, fixedsize=True, maxsize=length)
    deque(clip.frames(), maxlen=0)
    return clip


def ours(clip: vs.VideoNode, weights: Weights, folder: Path, device_id: int, half: bool) -> Contender:
    """`core.duf.Upscale` in a real VapourSynth graph; raises ArgumentError where the plugin is not installed."""
    if not hasattr(vs.core, "duf"):
        raise ArgumentError("core.duf is not in VapourSynth's plugin folder; install vsduf again into this environment")
    path = folder / f"{form_of(weights)}.safetensors"
    save(path, weights.state, weights.metadata, torch.float32)
    node = vs.core.duf.Upscale(clip, weights.config.scale, model=str(path), device_id=device_id)
    return Contender(OURS, form_of(weights), _maker(node[RADIUS:-RADIUS]), half)


def plain(source: NDArray[np.float32], weights: Weights, device: torch.device, half: bool = False) -> Contender:
    """The network as it is written down, on all seven frames of every window, which go to the device and come back.

    On the same thread as ours: see `worker`.
    """
    dtype = torch.float16 if half else torch.float32
    network = weights.network().to(device, dtype)

    @torch.inference_mode()
    def frame(n: int) -> Planes:
        window = torch.from_numpy(source[n : n + WINDOW]).to(device, dtype).transpose(0, 1)[None]
        picture = dynamic_upsample(window[:, :, RADIUS].float(), *(t.float() for t in network(window)))
        return list(picture[0].cpu().numpy())

    def make(first: int, count: int) -> Planes:
        return on_compute_thread(lambda: [frame(n) for n in range(first, first + count)][-1])

    return Contender(f"{PLAIN}, half" if half else PLAIN, form_of(weights), make, half)


def peers(clip: vs.VideoNode, weights: Weights, folder: Path) -> Iterator[Contender]:
    """`core.ov.Model` and `core.ort.Model` on seven shifted clips, with the graph and the streams that suit each best.

    Raises ArgumentError where one of them is not installed.
    """
    missing = [name for name in PEERS if not hasattr(vs.core, name)]
    if missing:
        raise ArgumentError(f"VapourSynth has no core.{missing[0]}; pip install 'vsduf[bench]'")
    shifted = [clip[k : clip.num_frames - WINDOW + 1 + k] for k in range(WINDOW)]
    for name, (volumes, stream_each) in PEERS.items():
        path = folder / f"{form_of(weights)}-{name}.onnx"
        onnx_export.save(weights.network(), clip.height, clip.width, path, volumes=volumes)
        streams = vs.core.num_threads if stream_each else 1
        node: Any = getattr(vs.core, name).Model(shifted, str(path), num_streams=streams)
        yield Contender(f"core.{name}.Model", form_of(weights), _maker(node))


def _maker(node: vs.VideoNode) -> Callable[[int, int], Planes]:
    """As vspipe does it: as many frames asked for at a time as the core has threads."""

    def make(first: int, count: int) -> Planes:
        return planes(deque(node[first : first + count].frames(), maxlen=1)[0])

    return make
