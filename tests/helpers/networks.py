"""Networks with random but well-conditioned weights, for tests."""

from __future__ import annotations

import torch
from torch import nn

from vsduf.network.duf import Duf, DufConfig
from vsduf.network.weights import Weights, arrays


def random_network(config: DufConfig, seed: int = 0) -> Duf:
    """Returns a network in evaluation mode; each batch norm has one dead channel and one with a negative slope."""
    torch.manual_seed(seed)
    network = Duf(config).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.get_buffer("running_mean"), 0, 0.2)
            nn.init.uniform_(module.get_buffer("running_var"), 0.2, 2)
            nn.init.normal_(module.weight, 0.8, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
            with torch.no_grad():
                module.weight[3], module.weight[5] = 0, -0.7
    return network


def random_weights(config: DufConfig, seed: int = 0, **metadata: str) -> Weights:
    """Returns `random_network`'s weights; metadata: `border` is "learned" unless given."""
    return Weights(arrays(random_network(config, seed).state_dict()), {"border": "learned", **metadata})
