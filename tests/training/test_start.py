"""Beginning from other weights: of another scale, of a wider network, and what is refused."""

import numpy as np
import pytest
import torch
from helpers.networks import random_network, random_weights

from vsduf.errors import ArgumentError
from vsduf.network import weights
from vsduf.network.duf import Duf, DufConfig
from vsduf.siting import Siting
from vsduf.training.narrow import narrowed
from vsduf.training.start import begin_from

NARROW = DufConfig(2, 5, 4, True, 8, 12, 16, 8)
WIDE = DufConfig(2, 5, 6, True, 12, 20, 30, 10)


def saved(folder, config, **metadata):
    path = folder / "start.safetensors"
    weights.save(path, random_weights(config).state, {"siting": "center", **metadata}, np.float32)
    return str(path)


def test_unread_channels_make_no_difference():
    """A wide network of which some channels are read by nothing gives the narrow network's results."""
    wide = random_network(WIDE)
    state = wide.state_dict()
    unread = [  # (kernel, its input channels that are set to zero)
        *((f"blocks.{k}.conv1", [c for c in features(k) if not kept(c)]) for k in range(WIDE.blocks)),
        ("merge", [c for c in features(WIDE.blocks) if not kept(c)]),
        *((f"blocks.{k}.conv2", range(NARROW.stem + k * NARROW.growth, 12 + 6 * k)) for k in range(WIDE.blocks)),
        *((f"{head}.0", range(NARROW.merge, WIDE.merge)) for head in ("filter_head", "residual_head")),
        ("filter_head.2", range(NARROW.filter_hidden, WIDE.filter_hidden)),
        ("residual_head.2", range(NARROW.residual_hidden, WIDE.residual_hidden)),
    ]
    for norm in (name for name in state if "norm" in name and name.endswith(".weight")):
        state[norm].abs_().clamp_(min=0.2)  # channels without a slope of their own count as unread
    for name, channels in unread:
        state[f"{name}.weight"][:, list(channels)] = 0
    wide.load_state_dict(state)
    narrow = Duf(NARROW).eval()
    narrow.load_state_dict(narrowed(wide.state_dict(), WIDE, NARROW))
    window = torch.rand(1, 3, 7, 9, 11)
    with torch.no_grad():
        for ours, theirs in zip(narrow(window), wide(window), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def features(blocks):
    """The feature channels of the wide network before a block."""
    return range(WIDE.stem + blocks * WIDE.growth)


def kept(channel):
    """Whether the test keeps a feature channel: the first of the stem, and the first of each block."""
    within = channel if channel < WIDE.stem else (channel - WIDE.stem) % WIDE.growth
    return within < (NARROW.stem if channel < WIDE.stem else NARROW.growth)


def test_a_wider_start_is_narrowed_and_another_scale_keeps_new_last_layers(tmp_path):
    path = saved(tmp_path, WIDE, licence="CC0")
    network = Duf(
        DufConfig(3, *[getattr(NARROW, n) for n in ("blocks", "growth", "streaming", "stem", "merge")], 16, 8)
    )
    last = network.filter_head[2].weight.clone()
    assert begin_from(path, network, Siting.CENTER) == {"start": "start.safetensors", "licence": "CC0"}
    assert torch.equal(network.filter_head[2].weight, last)
    assert network.stem.weight.flatten(1).norm(dim=1).min() > 0
    taken = weights.load(path).tensors()["stem.weight"]
    assert all((taken == kernel).flatten(1).all(1).any() for kernel in network.stem.weight)


@pytest.mark.parametrize("config", [DufConfig(2, 6, 6, True, 12, 20, 30, 10), DufConfig(2, 5, 3, True, 12, 20, 30, 10)])
def test_a_start_of_another_depth_or_a_narrower_one_is_refused(tmp_path, config):
    with pytest.raises(ArgumentError, match="make them alike"):
        begin_from(saved(tmp_path, config), Duf(WIDE), Siting.CENTER)
