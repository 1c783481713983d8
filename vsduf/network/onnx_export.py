"""Writes the plain network as an ONNX graph, for the inference filters that take one clip per frame of a window.

Batch norms after a convolution are folded into it. The dynamic filters are a convolution that lays each pixel's 25
neighbours side by side, a product and a sum, which is what the runtimes are fastest at.

The graph is written by hand: torch.onnx.export's (torch 2.15) runs at 0.94 to 1.24 times the speed in core.ov and
core.ort, but takes 10 to 40 s to make instead of 0.2 s, needs onnxscript, and computes shapes inside the graph if the
frame size is left open, which not every runtime supports.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vsduf.errors import ArgumentError, WeightsError
from vsduf.network.duf import DenseBlock, Duf, DufConfig
from vsduf.network.dynamic_upsample import TAPS
from vsduf.network.weights import Weights
from vsduf.output import write_whole
from vsduf.siting import Siting
from vsduf.upscaler import RADIUS, WINDOW

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT, FLOAT16 = 1, 10  # onnx.TensorProto's types
OPSET, IR_VERSION = 17, 8  # of 2022, which every current runtime reads
SIDE = (0, 1, 1)  # padding of a 3x3 convolution of volumes
EXTENSION = 4  # LR pixels by which frames are extended for networks that were not trained on a picture's borders
LANCZOS = 4  # lobes of the kernel that shifts the picture of top-left sited networks


@dataclass(frozen=True)
class Options:
    """What kind of graph is written.

    size: width and height of the frames in LR pixels; None for a graph of any size. volumes: 3-D convolutions, as in
    the paper; without them frames are a batch of pictures, and a kernel of three frames takes three pictures side by
    side, which is the same arithmetic for runtimes whose 3-D convolutions are slow. half: float16 inside; input and
    output stay float32, which every filter takes.
    """

    size: tuple[int, int] | None = None
    volumes: bool = False
    half: bool = False


def save(weights: Weights, path: Path, options: Options) -> None:
    """Writes `export`'s graph to a file; raises as `export` does, and OSError if the file cannot be written."""
    content = export(weights, options).SerializeToString()
    write_whole(path, lambda part: part.write_bytes(content))


def export(weights: Weights, options: Options) -> ModelProto:
    """Returns a graph from `input`, [1, 21, H, W], to `output`, [1, 3, R * H, R * W], both in 0..1.

    The input's channels are R, G and B of the oldest frame, of the next one, and so on. Frames are extended inside the
    graph for networks that have not learnt a picture's borders, and the picture of top-left sited networks is shifted
    to where other resizers put it. Raises ArgumentError if the package onnx is missing, WeightsError for weights that
    float16 cannot hold.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ArgumentError("writing ONNX needs the package onnx; pip install 'vsduf[bench]'")
    network, scale = weights.network(), weights.config.scale
    graph, extension = _Graph(options), 0 if weights.metadata.get("border") == "learned" else EXTENSION
    frames = graph.add("Cast", "input", to=FLOAT16) if options.half else "input"
    frames = graph.pad(frames, extension) if extension else frames
    x = (_volumes if options.volumes else _pictures)(graph, network, frames)
    x = graph.relu(graph.norm(x, network.norm))
    x = graph.relu(graph.conv(x, network.merge.weight[:, :, 0], network.merge.bias, (1, 1)))
    filters, residual = (_head(graph, x, head) for head in (network.filter_head, network.residual_head))
    picture = _dynamic_upsample(graph, frames, filters, residual, scale)
    if extension:
        inside = extension * scale
        picture = graph.slice(graph.slice(picture, inside, -inside, 2), inside, -inside, 3)
    if weights.siting == Siting.TOP_LEFT:
        picture = _shift(graph, picture, (scale - 1) / 2)
    return graph.finish(picture, scale, _properties(weights))


def _properties(weights: Weights) -> dict[str, str]:
    """Returns the metadata of the ONNX file: the weights' own, the hash of their values, scale and siting."""
    digest = hashlib.sha256()
    for name, array in sorted(weights.state.items()):
        digest.update(name.encode() + array.tobytes())
    facts = {"scale": str(weights.config.scale), "siting": Siting.CENTER.value, "weights_sha256": digest.hexdigest()}
    return {**weights.metadata, **facts}


class _Graph:
    """Collects nodes and constants in order; the methods that add one return the name of its result."""

    def __init__(self, options: Options) -> None:
        from onnx import helper, numpy_helper

        self.options = options
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def floats(self, values: Tensor) -> str:
        numbers = values.detach().to(torch.float16 if self.options.half else torch.float32)
        if not numbers.isfinite().all():
            raise WeightsError("the weights hold values that float16 cannot hold; leave --fp16 out")
        return self._constant(numbers.contiguous().numpy())

    def integers(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, weight: Tensor, bias: Tensor | None, pads: tuple[int, ...]) -> str:
        assert bias is not None
        return self.add("Conv", x, self.floats(weight), self.floats(bias), pads=[*pads, *pads])

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def norm(self, x: str, norm: nn.BatchNorm3d) -> str:
        tensors = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        assert all(t is not None for t in tensors)
        return self.add("BatchNormalization", x, *(self.floats(t) for t in tensors if t is not None), epsilon=norm.eps)

    def reshape(self, x: str, first: int, second: int) -> str:
        """Reshapes the first two of four axes; 0 copies height and width, so that the graph fits any size."""
        return self.add("Reshape", x, self.integers(first, second, 0, 0))

    def pad(self, x: str, pixels: int) -> str:
        """Repeats the pixels at a picture's border."""
        return self.add("Pad", x, self.integers(0, 0, pixels, pixels, 0, 0, pixels, pixels), mode="edge")

    def slice(self, x: str, start: int, stop: int, axis: int) -> str:
        return self.add("Slice", x, self.integers(start), self.integers(stop), self.integers(axis))

    def finish(self, result: str, scale: int, properties: dict[str, str]) -> ModelProto:
        self.nodes.append(self.helper.make_node("Cast", [result], ["output"], to=FLOAT))
        width, height = self.options.size or ("width", "height")
        out = [scale * side if isinstance(side, int) else f"out_{side}" for side in (height, width)]
        ends = [("input", [1, 3 * WINDOW, height, width]), ("output", [1, 3, *out])]
        source, target = (self.helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in ends)
        graph = self.helper.make_graph(self.nodes, "duf", [source], [target], self.constants)
        opsets = [self.helper.make_opsetid("", OPSET)]
        model = self.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="vsduf")
        self.helper.set_model_props(model, properties)
        return model


def _volumes(graph: _Graph, network: Duf, frames: str) -> str:
    """Adds stem and dense blocks, [1, 21, H, W] -> [1, F, H, W]; in between [1, C, T, H, W]."""
    x = graph.add("Unsqueeze", graph.reshape(frames, WINDOW, 3), graph.integers(0))
    x = graph.conv(graph.add("Transpose", x, perm=[0, 2, 1, 3, 4]), network.stem.weight, network.stem.bias, SIDE)
    for block in _blocks(network):
        y = graph.relu(graph.norm(x, block.norm1))
        weight, bias = _mix(block)
        y = graph.relu(graph.conv(y, weight, bias, (0, 0, 0)))
        y = graph.conv(y, block.conv2.weight, block.conv2.bias, (int(block.conv2.padding[0]), 1, 1))
        x = graph.add("Concat", graph.slice(x, 1, -1, 2) if block.shrinks else x, y, axis=1)
    return graph.add("Squeeze", x, graph.integers(2))


def _pictures(graph: _Graph, network: Duf, frames: str) -> str:
    """Adds stem and dense blocks, [1, 21, H, W] -> [1, F, H, W]; in between [T, C, H, W]."""
    x, count = graph.reshape(frames, WINDOW, 3), WINDOW
    x = graph.conv(x, network.stem.weight[:, :, 0], network.stem.bias, (1, 1))
    for block in _blocks(network):
        y = graph.relu(graph.norm(x, block.norm1))
        weight, bias = _mix(block)
        y = graph.relu(graph.conv(y, weight[:, :, 0], bias, (0, 0)))
        if block.shrinks:
            x, count = graph.slice(x, 1, count - 1, 0), count - 2
        if block.conv2.kernel_size[0] == 3:
            y = y if block.shrinks else graph.add("Pad", y, graph.integers(1, 0, 0, 0, 1, 0, 0, 0))
            y = graph.add("Concat", *(graph.slice(y, k, k + count, 0) for k in range(3)), axis=1)
        y = graph.conv(y, torch.cat(block.conv2.weight.unbind(2), 1), block.conv2.bias, (1, 1))
        x = graph.add("Concat", x, y, axis=1)
    return x


def _blocks(network: Duf) -> list[DenseBlock]:
    return [block for block in network.blocks if isinstance(block, DenseBlock)]


def _mix(block: DenseBlock) -> tuple[Tensor, Tensor]:
    """Returns kernel and bias of a block's 1x1x1 convolution with the batch norm after it folded in."""
    norm = block.norm2
    assert norm.running_mean is not None and norm.running_var is not None and block.conv1.bias is not None
    slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = (block.conv1.bias - norm.running_mean) * slope + norm.bias
    return block.conv1.weight * slope.view(-1, 1, 1, 1, 1), bias


def _head(graph: _Graph, x: str, head: nn.Sequential) -> str:
    first, last = head[0], head[2]
    assert isinstance(first, nn.Conv2d) and isinstance(last, nn.Conv2d)
    hidden = graph.relu(graph.conv(x, first.weight, first.bias, (0, 0)))
    return graph.conv(hidden, last.weight, last.bias, (0, 0))


def _dynamic_upsample(graph: _Graph, frames: str, logits: str, residual: str, scale: int) -> str:
    """Adds `vsduf.network.dynamic_upsample.dynamic_upsample`; the 25 taps of a filter are the batch axis."""
    filters = graph.add("Softmax", graph.reshape(logits, TAPS, scale**2), axis=0)
    around = graph.pad(graph.slice(frames, 3 * RADIUS, 3 * RADIUS + 3, 1), 2)
    one_each = torch.eye(TAPS).view(TAPS, 1, 5, 5).repeat(3, 1, 1, 1)
    taps = graph.add("Conv", around, graph.floats(one_each), group=3)
    filtered = []
    for colour in range(3):
        tap = graph.reshape(graph.slice(taps, TAPS * colour, TAPS * colour + TAPS, 1), TAPS, 1)
        filtered.append(graph.add("ReduceSum", graph.add("Mul", filters, tap), graph.integers(0), keepdims=1))
    total = graph.add("Add", graph.add("Concat", *filtered, axis=1), residual)
    return graph.add("DepthToSpace", total, blocksize=scale, mode="CRD")


def _shift(graph: _Graph, picture: str, pixels: float) -> str:
    """Adds a shift to the right and down by HR pixels, by the Lanczos kernel that core.duf.Upscale uses."""
    reach = LANCZOS + math.ceil(pixels)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64) + pixels
    taps = torch.sinc(offsets) * torch.sinc(offsets / LANCZOS) * (offsets.abs() < LANCZOS)
    kernel = (taps / taps.sum()).expand(3, 1, 1, -1)
    across = graph.add("Conv", graph.pad(picture, reach), graph.floats(kernel), group=3)
    return graph.add("Conv", across, graph.floats(kernel.transpose(2, 3)), group=3)


def overlap(config: DufConfig) -> int:
    """Returns the overlap of tiles in vs-mlrt's filters that leaves no seams; they count it in pixels of the output."""
    return config.receptive_radius * config.scale


def script(config: DufConfig, path: Path) -> str:
    """Returns a VapourSynth script that upscales with the exported file: seven clips, each shifted by one frame."""
    return f"""\
import vapoursynth as vs
core = vs.core

def shifted(clip, frames):
    if frames < 0:
        return clip[0] * -frames + clip[:frames]
    return clip[frames:] + clip[-1] * frames if frames else clip

clip = core.bs.VideoSource("in.mkv")
clip = clip.resize.Bicubic(format=vs.RGBS, matrix_in_s="709")  # SD: "170m"
window = [shifted(clip, k) for k in range(-{RADIUS}, {RADIUS + 1})]
# In the place of core.ort: core.ov for Intel, core.trt for NVIDIA, core.migx for AMD, each with its own options.
# For less memory add tilesize=[480, 270], overlap={overlap(config)}; the overlap is in pixels of the output.
clip = core.ort.Model(window, {str(path)!r})
clip.set_output()
"""
