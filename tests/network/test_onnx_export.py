"""The exported graph against the plain network, by ONNX's own reference implementation."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from helpers.networks import random_network

from vsduf.errors import ArgumentError
from vsduf.network import onnx_export as export
from vsduf.network.duf import DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.upscaler import WINDOW

needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="the package onnx is missing")


@needs_onnx
@pytest.mark.parametrize("volumes", [True, False], ids=["volumes", "pictures"])
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(DufConfig(4, 4, 4), id="paper"),
        pytest.param(DufConfig(2, 6, 8), id="paper, three blocks that keep time"),
        pytest.param(DufConfig(3, 5, 4, streaming=True), id="streaming"),
    ],
)
def test_graph_gives_the_networks_picture(config, volumes, tmp_path):
    import onnx
    from onnx.reference import ReferenceEvaluator

    network, height, width = random_network(config), 5, 7
    export.save(network, height, width, tmp_path / "duf.onnx", volumes=volumes)
    model = onnx.load(tmp_path / "duf.onnx")
    onnx.checker.check_model(model, full_check=True)

    window = torch.rand(1, WINDOW, 3, height, width)
    (found,) = ReferenceEvaluator(model).run(None, {"input": window.flatten(1, 2).numpy()})
    with torch.inference_mode():
        expected = dynamic_upsample(window[:, 3], *network(window.transpose(1, 2)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_onnx
def test_graph_says_what_it_takes_and_gives():
    graph = export.export(random_network(DufConfig(4, 4, 4)), 6, 8).graph
    ends = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in (graph.input[0], graph.output[0])]
    assert ends == [[1, 21, 6, 8], [1, 3, 24, 32]]


def test_missing_onnx_is_named_with_what_mends_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ArgumentError, match=r"pip install 'vsduf\[bench\]'"):
        export.export(random_network(DufConfig(4, 4, 4)), 6, 8)
