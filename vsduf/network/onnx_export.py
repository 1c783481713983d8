"""Writes the plain network as an ONNX graph, for the inference filters that take one clip per frame of a window.

Batch norms after a convolution are folded into it. The dynamic filters are a convolution that lays each pixel's 25
neighbours side by side, a product and a sum, which is what the runtimes are fastest at.

The graph is written by hand: torch.onnx.export's (torch 2.15) runs at 0.94 to 1.24 times the speed in core.ov and
core.ort, but takes 10 to 40 s to make instead of 0.2 s, needs onnxscript, and computes shapes inside the graph if the
frame size is left open, which not every runtime supports.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vsduf.errors import ArgumentError
from vsduf.network.duf import DenseBlock, Duf
from vsduf.network.dynamic_upsample import TAPS
from vsduf.upscaler import RADIUS, WINDOW

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, IR_VERSION = 17, 8  # of 2022, which every current runtime reads
SIDE = (0, 1, 1)  # padding of a 3x3 convolution of volumes


def save(network: Duf, height: int, width: int, path: Path, *, volumes: bool = True) -> None:
    """Writes `export`'s graph to a file; raises ArgumentError if the package onnx is missing."""
    model = export(network, height, width, volumes=volumes)
    path.write_bytes(model.SerializeToString())


def export(network: Duf, height: int, width: int, *, volumes: bool = True) -> ModelProto:
    """Returns a graph from `input`, [1, 21, H, W], to `output`, [1, 3, R * H, R * W].

    network: in evaluation mode. height, width: of the frames, LR pixels. The input's channels are R, G and B of the
    oldest frame, of the next one, and so on. volumes: 3-D convolutions, as in the paper; without them frames are a
    batch of pictures, and a kernel of three frames takes three pictures side by side, which is the same arithmetic for
    runtimes whose 3-D convolutions are slow.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ArgumentError("writing ONNX needs the package onnx; pip install 'vsduf[bench]'")
    graph = _Graph(height, width)
    trunk = _volumes if volumes else _pictures
    x = graph.relu(graph.norm(trunk(graph, network), network.norm))
    x = graph.relu(graph.conv(x, network.merge.weight[:, :, 0], network.merge.bias, (1, 1)))
    filters, residual = (_head(graph, x, head) for head in (network.filter_head, network.residual_head))
    return graph.finish(_dynamic_upsample(graph, filters, residual, network.config.scale), network.config.scale)


class _Graph:
    """Collects nodes and constants in order; the methods that add one return the name of its result."""

    def __init__(self, height: int, width: int) -> None:
        from onnx import helper, numpy_helper

        self.height, self.width = height, width
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def floats(self, values: Tensor) -> str:
        return self._constant(values.detach().float().contiguous().numpy())

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

    def reshape(self, x: str, *shape: int) -> str:
        return self.add("Reshape", x, self.integers(*shape, self.height, self.width))

    def slice(self, x: str, start: int, stop: int, axis: int) -> str:
        return self.add("Slice", x, self.integers(start), self.integers(stop), self.integers(axis))

    def finish(self, result: str, scale: int) -> ModelProto:
        import onnx

        self.nodes.append(self.helper.make_node("Identity", [result], ["output"]))
        float32, (h, w) = onnx.TensorProto.FLOAT, (self.height, self.width)
        ends = [("input", [1, 3 * WINDOW, h, w]), ("output", [1, 3, scale * h, scale * w])]
        source, target = (self.helper.make_tensor_value_info(name, float32, shape) for name, shape in ends)
        graph = self.helper.make_graph(self.nodes, "duf", [source], [target], self.constants)
        opsets = [self.helper.make_opsetid("", OPSET)]
        return self.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="vsduf")


def _volumes(graph: _Graph, network: Duf) -> str:
    """Adds stem and dense blocks, [1, 21, H, W] -> [1, F, H, W]; in between [1, C, T, H, W]."""
    x = graph.add("Transpose", graph.reshape("input", 1, WINDOW, 3), perm=[0, 2, 1, 3, 4])
    x = graph.conv(x, network.stem.weight, network.stem.bias, SIDE)
    for block in _blocks(network):
        y = graph.relu(graph.norm(x, block.norm1))
        weight, bias = _mix(block)
        y = graph.relu(graph.conv(y, weight, bias, (0, 0, 0)))
        y = graph.conv(y, block.conv2.weight, block.conv2.bias, (int(block.conv2.padding[0]), 1, 1))
        x = graph.add("Concat", graph.slice(x, 1, -1, 2) if block.shrinks else x, y, axis=1)
    return graph.reshape(x, 1, network.config.features)


def _pictures(graph: _Graph, network: Duf) -> str:
    """Adds stem and dense blocks, [1, 21, H, W] -> [1, F, H, W]; in between [T, C, H, W]."""
    x, frames = graph.reshape("input", WINDOW, 3), WINDOW
    x = graph.conv(x, network.stem.weight[:, :, 0], network.stem.bias, (1, 1))
    for block in _blocks(network):
        y = graph.relu(graph.norm(x, block.norm1))
        weight, bias = _mix(block)
        y = graph.relu(graph.conv(y, weight[:, :, 0], bias, (0, 0)))
        if block.shrinks:
            x, frames = graph.slice(x, 1, frames - 1, 0), frames - 2
        if block.conv2.kernel_size[0] == 3:
            y = y if block.shrinks else graph.add("Pad", y, graph.integers(1, 0, 0, 0, 1, 0, 0, 0))
            y = graph.add("Concat", *(graph.slice(y, k, k + frames, 0) for k in range(3)), axis=1)
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


def _dynamic_upsample(graph: _Graph, logits: str, residual: str, scale: int) -> str:
    """Adds `vsduf.network.dynamic_upsample.dynamic_upsample`."""
    subpixels = scale**2
    filters = graph.add("Softmax", graph.reshape(logits, 1, TAPS, subpixels), axis=1)
    frame = graph.slice("input", 3 * RADIUS, 3 * RADIUS + 3, 1)
    around = graph.add("Pad", frame, graph.integers(0, 0, 2, 2, 0, 0, 2, 2), mode="edge")
    one_each = torch.eye(TAPS).view(TAPS, 1, 5, 5).repeat(3, 1, 1, 1)
    taps = graph.add("Conv", around, graph.floats(one_each), group=3)
    products = graph.add("Mul", filters, graph.reshape(taps, 3, TAPS, 1))
    filtered = graph.add("ReduceSum", products, graph.integers(1), keepdims=0)
    total = graph.add("Add", graph.reshape(filtered, 1, 3 * subpixels), residual)
    return graph.add("DepthToSpace", total, blocksize=scale, mode="CRD")
