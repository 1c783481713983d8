"""The filters compared: core.duf.Upscale, the network in plain torch, and the inference filters of vs-mlrt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vapoursynth as vs
from numpy.typing import NDArray

from vsduf.errors import ArgumentError
from vsduf.filter.frames import planes
from vsduf.network import onnx_export
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.network.weights import Weights, save
from vsduf.upscaler import RADIUS, WINDOW, Planes

VSDUF, PLAIN = "core.duf.Upscale", "plain torch"


@dataclass(frozen=True)
class Peer:
    """How one of vs-mlrt's filters is called.

    volumes: whether its 3-D convolutions are fast. stream_each: whether it needs a stream for each core. options:
    further arguments; OpenVINO by default computes in bfloat16 where the processor has it, which is exact to 58 dB.
    """

    volumes: bool
    stream_each: bool
    options: dict[str, Any] = field(default_factory=dict)


PEERS = {
    "ov": Peer(True, True, {"config": lambda: {"INFERENCE_PRECISION_HINT": "f32"}}),
    "ort": Peer(False, False),
}


@dataclass(frozen=True)
class Contender:
    """One filter with one network: `make(first, count)` makes those frames in order and returns the last one's planes.

    name: of the filter. form: of the network, "streaming" or "paper". half: whether it computes in half precision.
    """

    name: str
    form: str
    make: Callable[[int, int], Planes]
    half: bool = False


def form_of(weights: Weights) -> str:
    """Returns the network's form: "streaming" or "paper"."""
    return "streaming" if weights.config.streaming else "paper"


def clip_of(source: NDArray[np.float32]) -> vs.VideoNode:
    """Returns the frames [N, 3, H, W] as an RGBS clip that is cached whole, so that no filter waits for its source."""
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


def upscale_filter(clip: vs.VideoNode, weights: Weights, folder: Path, device_id: int, half: bool) -> Contender:
    """Returns `core.duf.Upscale` in a real VapourSynth graph; raises ArgumentError if the plugin is not installed.

    folder: where the weights file is written. half: the precision that the device has by default.
    """
    if not hasattr(vs.core, "duf"):
        raise ArgumentError("core.duf is not in VapourSynth's plugin folder; install vsduf again into this environment")
    path = folder / f"{form_of(weights)}.safetensors"
    save(path, weights.state, weights.metadata, np.float32)
    node = vs.core.duf.Upscale(clip, weights.config.scale, model=str(path), device_id=device_id)
    return Contender(VSDUF, form_of(weights), _maker(node[RADIUS:-RADIUS]), half)


def plain_torch(source: NDArray[np.float32], weights: Weights, device: torch.device, half: bool = False) -> Contender:
    """Returns the network as it is written down, on all seven frames of every window; copies are part of the time."""
    dtype = torch.float16 if half else torch.float32
    network = weights.network().to(device, dtype)

    @torch.inference_mode()
    def frame(n: int) -> Planes:
        window = torch.from_numpy(source[n : n + WINDOW]).to(device, dtype).transpose(0, 1)[None]
        picture = dynamic_upsample(window[:, :, RADIUS].float(), *(t.float() for t in network(window)))
        return list(picture[0].cpu().numpy())

    def make(first: int, count: int) -> Planes:
        return [frame(n) for n in range(first, first + count)][-1]

    return Contender(f"{PLAIN}, half" if half else PLAIN, form_of(weights), make, half)


def check_peers() -> None:
    """Raises ArgumentError if one of the other filters is not installed."""
    missing = [name for name in PEERS if not hasattr(vs.core, name)]
    if missing:
        raise ArgumentError(f"VapourSynth has no core.{missing[0]}; pip install 'vsduf[bench]'")


def peers(clip: vs.VideoNode, weights: Weights, folder: Path) -> Iterator[Contender]:
    """Yields `core.ov.Model` and `core.ort.Model` on seven shifted clips, each with the graph and streams that suit it.

    Each compiles the network when it is made, which takes seconds. folder: where the ONNX files are written.
    """
    shifted = [clip[k : clip.num_frames - WINDOW + 1 + k] for k in range(WINDOW)]
    for name, peer in PEERS.items():
        path = folder / f"{form_of(weights)}-{name}.onnx"
        onnx_export.save(weights, path, onnx_export.Options((clip.width, clip.height), peer.volumes))
        streams = vs.core.num_threads if peer.stream_each else 1
        node: Any = getattr(vs.core, name).Model(shifted, str(path), num_streams=streams, **peer.options)
        yield Contender(f"core.{name}.Model", form_of(weights), _maker(node))


def _maker(node: vs.VideoNode) -> Callable[[int, int], Planes]:
    """Returns a `make` that requests frames as vspipe does: as many at a time as the core has threads."""

    def make(first: int, count: int) -> Planes:
        return planes(deque(node[first : first + count].frames(), maxlen=1)[0])

    return make
