"""The networks: shapes and parameters layer by layer, and agreement with the numpy implementation."""

import numpy as np
import pytest
import torch
from helpers.conventions import to_authors
from helpers.networks import random_network
from helpers.numpy_duf import duf

from vsduf.network.duf import Duf, DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample

DEPTHS = [(16, 3, 32, 256), (28, 9, 16, 256), (52, 21, 16, 448)]  # layers, blocks keeping T, growth, final channels
FORMS = [pytest.param(False, id="paper"), pytest.param(True, id="streaming")]


@pytest.mark.parametrize("streaming", FORMS)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("layers", "full_window_blocks", "growth", "final"), DEPTHS)
def test_every_layer_has_the_papers_shape(layers, full_window_blocks, growth, final, scale, streaming):
    with torch.device("meta"):
        network = Duf(DufConfig.of_depth(layers, scale, streaming=streaming))
    assert network.config.layers == layers
    assert network.stem.weight.shape == (64, 3, 1, 3, 3)
    features = 64
    for k, block in enumerate(network.blocks):
        kernel_t = 3 if k >= full_window_blocks or not streaming else 1
        assert block.norm1.num_features == block.norm2.num_features == features
        assert block.conv1.weight.shape == (features, features, 1, 1, 1)
        assert block.conv2.weight.shape == (growth, features, kernel_t, 3, 3)
        features += growth
    assert len(network.blocks) == full_window_blocks + 3
    assert features == final == network.config.features
    assert network.merge.weight.shape == (256, final, 1, 3, 3)
    filter_head, residual_head = (
        [c.weight.shape for c in h if hasattr(c, "weight")] for h in (network.filter_head, network.residual_head)
    )
    assert filter_head == [(512, 256, 1, 1), (25 * scale**2, 512, 1, 1)]
    assert residual_head == [(256, 256, 1, 1), (3 * scale**2, 256, 1, 1)]
    assert all(c.bias is not None for c in network.modules() if isinstance(c, torch.nn.Conv2d | torch.nn.Conv3d))


@pytest.mark.parametrize(("layers", "millions"), [(16, 1.90), (28, 2.12), (52, 5.82)])
def test_parameter_counts_are_the_papers(layers, millions):
    with torch.device("meta"):
        network = Duf(DufConfig.of_depth(layers))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        (DufConfig.of_depth(16), 4.86),
        (DufConfig.of_depth(16, streaming=True), 1.73),
        (DufConfig.of_depth(16, streaming=True, width="medium"), 1.06),
        (DufConfig.of_depth(16, streaming=True, width="light"), 0.32),
    ],
)
def test_multiply_adds_are_those_of_the_convolutions(config, millions):
    """Counts them from the sizes that the convolutions' results have, with a window of as many frames as each form."""
    with torch.device("meta"):
        network = Duf(config)
        counted = 0

        def count(module, inputs, result):
            nonlocal counted
            frames = 1 if config.streaming else result.numel() // result.shape[1]
            counted += module.weight.numel() * frames

        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d):
                module.register_forward_hook(count)
        network.eval()(torch.empty(1, 3, 7, 1, 1))
    assert config.multiply_adds == counted
    assert counted / 1e6 == pytest.approx(millions, abs=0.006)


@pytest.mark.parametrize("streaming", FORMS)
def test_intermediate_shapes(streaming):
    network = random_network(DufConfig(4, 6, 32, streaming))
    x = network.stem(torch.rand(2, 3, 7, 5, 6))
    for k, block in enumerate(network.blocks):
        x = block(x)
        assert x.shape == (2, 96 + 32 * k, 7 if k < 3 else 7 - 2 * (k - 2), 5, 6)
    logits, residual = network(torch.rand(2, 3, 7, 5, 6))
    assert logits.shape == (2, 400, 5, 6)
    assert residual.shape == (2, 48, 5, 6)


NARROW = [
    DufConfig.of_depth(16, scale, streaming=True, width=width) for scale in (2, 4) for width in ("medium", "light")
]


@pytest.mark.parametrize(
    "config",
    [DufConfig(*numbers, form) for numbers in ((2, 6, 32), (3, 12, 16), (4, 24, 16)) for form in (False, True)]
    + NARROW,
)
def test_agrees_with_numpy(config):
    network = random_network(config).double()
    window = torch.rand(7, 3, 4, 5, dtype=torch.float64)
    with torch.inference_mode():
        batch = window.transpose(0, 1)[None]
        ours = dynamic_upsample(batch[:, :, 3], *network(batch))[0].permute(1, 2, 0).numpy()
        arrays = {k: v.numpy() for k, v in to_authors(network.state_dict()).items()}
    theirs = duf(window.permute(0, 2, 3, 1).numpy(), arrays, config.scale, config.blocks)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_streaming_keeps_frames_apart_until_the_reducing_blocks():
    network = random_network(DufConfig(4, 6, 32, streaming=True))
    window = torch.rand(1, 3, 7, 4, 4)
    changed = window.clone()
    changed[:, :, 2] = 0
    with torch.inference_mode():
        before, after = (network.blocks[:3](network.stem(w)) for w in (window, changed))
    same = [torch.equal(before[:, :, t], after[:, :, t]) for t in range(7)]
    assert same == [True, True, False, True, True, True, True]


def test_a_sequence_gives_what_its_windows_give():
    network = random_network(DufConfig(2, 5, 4, True, 8, 12, 16, 8))
    frames = torch.rand(2, 3, 10, 6, 7)
    with torch.no_grad():
        results = network(frames)
        windows = [network(frames[:, :, k : k + 7]) for k in range(4)]
    for result, parts in zip(results, zip(*windows, strict=True), strict=True):
        torch.testing.assert_close(result.unflatten(0, (2, 4)), torch.stack(parts, 1))
