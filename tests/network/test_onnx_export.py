"""The exported graph against the plain network, in ONNX's reference implementation and in vs-mlrt's filters."""

from importlib.util import find_spec

import numpy as np
import pytest
import vapoursynth as vs
from helpers.engines import expected
from helpers.footage import moving
from helpers.networks import random_weights

from vsduf.bench.contenders import PEERS, clip_of
from vsduf.errors import ArgumentError, WeightsError
from vsduf.network import onnx_export, weights
from vsduf.network.duf import DufConfig
from vsduf.network.onnx_export import Options
from vsduf.upscaler import WINDOW

needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="the package onnx is missing")
FILTERS = [
    pytest.param(name, marks=pytest.mark.skipif(not hasattr(vs.core, name), reason=f"core.{name} is missing"))
    for name in PEERS
]


def psnr(found, wanted):
    return -10 * np.log10(np.square(found.astype(np.float64) - wanted).mean())


def reference(model, frames):
    """Runs a graph in ONNX's reference implementation on LR frames [7, 3, H, W]."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, {"input": frames.reshape(1, 21, *frames.shape[2:])})[0]


@needs_onnx
@pytest.mark.parametrize("volumes", [True, False], ids=["volumes", "pictures"])
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(DufConfig(4, 4, 4), id="paper"),
        pytest.param(DufConfig(2, 6, 8), id="paper, three blocks that keep time"),
        pytest.param(DufConfig(3, 5, 4, streaming=True), id="streaming"),
        pytest.param(DufConfig.of_depth(16, 2, streaming=True, width="light"), id="light"),
    ],
)
def test_one_graph_gives_the_networks_picture_at_any_size(config, volumes, tmp_path):
    import onnx

    model = random_weights(config)
    onnx_export.save(model, tmp_path / "duf.onnx", Options(volumes=volumes))
    graph = onnx.load(tmp_path / "duf.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert "Shape" not in {node.op_type for node in graph.graph.node}
    for height, width in ((5, 7), (8, 4)):
        frames = np.random.default_rng(0).random((WINDOW, 3, height, width), np.float32)
        np.testing.assert_allclose(reference(graph, frames)[0], expected(model, frames, 3), atol=1e-4)


@needs_onnx
def test_frames_are_extended_for_networks_without_learnt_borders():
    model = random_weights(DufConfig(2, 4, 4), border="")
    frames = np.random.default_rng(0).random((WINDOW, 3, 6, 5), np.float32)
    found = reference(onnx_export.export(model, Options()), frames)[0]
    np.testing.assert_allclose(found, expected(model, frames, 3), atol=1e-4)
    learnt = reference(onnx_export.export(random_weights(DufConfig(2, 4, 4)), Options()), frames)[0]
    assert np.abs(found - learnt).max() > 1e-3


@needs_onnx
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_of_top_left_networks_are_shifted_as_the_filter_does(scale):
    frames = moving(WINDOW, 20, 22).astype(np.float32) / 255
    unshifted, shifted = (
        reference(onnx_export.export(random_weights(DufConfig(scale, 4, 4), siting=siting), Options()), frames)[0]
        for siting in ("center", "top-left")
    )
    back = -(scale - 1) / 2
    wanted = clip_of(unshifted[None]).resize.Lanczos(src_left=back, src_top=back, filter_param_a=4).get_frame(0)
    inner = (..., slice(8, -8), slice(8, -8))  # zimg mirrors at the border, the graph repeats
    np.testing.assert_allclose(shifted[inner], np.stack([np.asarray(p) for p in wanted])[inner], atol=2e-5)


@needs_onnx
def test_graph_states_what_it_takes_and_where_it_comes_from():
    model = random_weights(DufConfig(4, 4, 4), licence="CC0", siting="top-left")

    def ends(options):
        graph = onnx_export.export(model, options).graph
        kinds = [v.type.tensor_type for v in (graph.input[0], graph.output[0])]
        assert [kind.elem_type for kind in kinds] == [1, 1]  # float32
        return [[d.dim_value or d.dim_param for d in kind.shape.dim] for kind in kinds]

    assert ends(Options((8, 6))) == [[1, 21, 6, 8], [1, 3, 24, 32]]
    assert ends(Options(half=True)) == [[1, 21, "height", "width"], [1, 3, "out_height", "out_width"]]
    properties = {p.key: p.value for p in onnx_export.export(model, Options()).metadata_props}
    assert properties["licence"] == "CC0"
    assert (properties["scale"], properties["siting"]) == ("4", "center")  # the shift is in the graph
    other = {
        p.key: p.value for p in onnx_export.export(random_weights(DufConfig(4, 4, 4), 1), Options()).metadata_props
    }
    assert len(properties["weights_sha256"]) == 64 and properties["weights_sha256"] != other["weights_sha256"]


@needs_onnx
@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
@pytest.mark.parametrize("name", FILTERS)
def test_one_file_serves_three_sizes_in_a_filter(name, half, tmp_path):
    model = weights.load("duf-16s-x4")
    onnx_export.save(model, tmp_path / "duf.onnx", Options(half=half))
    for width, height in ((24, 16), (37, 23), (16, 31)):
        frames = moving(WINDOW, height, width).astype(np.float32) / 255
        clips, options = [clip_of(frames)[k] for k in range(WINDOW)], PEERS[name].options
        node = getattr(vs.core, name).Model(clips, str(tmp_path / "duf.onnx"), **options)
        found = np.stack([np.asarray(plane) for plane in node.get_frame(0)])
        assert psnr(found, expected(model, frames, 3)) > (60 if half else 120)


@needs_onnx
@pytest.mark.parametrize("name", FILTERS)
def test_tiles_with_the_overlap_of_the_snippet_have_no_seams(name, tmp_path):
    model = random_weights(DufConfig(2, 4, 8, streaming=True))
    onnx_export.save(model, tmp_path / "duf.onnx", Options())
    frames = moving(WINDOW, 40, 44).astype(np.float32) / 255
    clips = [clip_of(frames)[k] for k in range(WINDOW)]
    overlap = onnx_export.overlap(model.config)
    options = {"tilesize": [32, 32], "overlap": overlap, **PEERS[name].options}
    node = getattr(vs.core, name).Model(clips, str(tmp_path / "duf.onnx"), **options)
    found = np.stack([np.asarray(plane) for plane in node.get_frame(0)])
    assert psnr(found, expected(model, frames, 3)) > 100


@needs_onnx
def test_weights_that_float16_cannot_hold_are_refused():
    model = random_weights(DufConfig(2, 4, 4))
    model.state["merge.bias"][0] = 1e5
    with pytest.raises(WeightsError, match="float16 cannot hold"):
        onnx_export.export(model, Options(half=True))


def test_missing_onnx_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ArgumentError, match=r"pip install 'vsduf\[bench\]'"):
        onnx_export.export(random_weights(DufConfig(4, 4, 4)), Options())
