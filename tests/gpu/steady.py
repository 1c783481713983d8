"""A network in the middle of a clip, with all frames on the device."""

from __future__ import annotations

import torch
from gpu.bench import HALF
from helpers.networks import random_weights

from vsduf.engine.cuda.network import STRIP, CudaTileNetwork, to_device
from vsduf.engine.engine import IDLE_FRAMES
from vsduf.engine.feature_cache import FeatureCache
from vsduf.engine.folded import fold
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import cut
from vsduf.network.duf import DufConfig

FRAMES = 8  # source frames, in a circle


class Steady:
    """Each call queues the next picture. strip: pixels of a strip of merge and heads."""

    def __init__(self, config: DufConfig, height: int, width: int, device: torch.device, strip: int = STRIP) -> None:
        self.config, self.size = config, (height, width)
        network = to_device(fold(random_weights(config)), device, HALF, strip)
        self._source = torch.randint(0, 255, (FRAMES, 3, height, width), device=device, dtype=torch.uint8)
        (tile,) = cut(height, width, None, 0)
        self._cache = FeatureCache(CudaTileNetwork(network, tile, 0, Scratch(device, HALF)), IDLE_FRAMES)
        self.picture = torch.empty(3, config.scale * height, config.scale * width, device=device, dtype=torch.uint8)
        self._n = 3

    def __call__(self) -> None:
        pieces = self._cache(range(self._n - 3, self._n + 4), lambda n: self._source[n % FRAMES])
        self._cache.network.finish(pieces, self._source[self._n % FRAMES], self.picture)
        self._n += 1

    def multiply_adds(self) -> float:
        """Returns the multiply-adds of a picture in the middle of a clip, with the features of earlier ones cached."""
        config, scale = self.config, self.config.scale**2
        heads = config.merge * (config.filter_hidden + config.residual_hidden)
        last = config.filter_hidden * 25 * scale + config.residual_hidden * 3 * scale
        per_pixel = 27 * config.stem + 9 * config.features * config.merge + heads + last
        for k in range(config.blocks):
            features = config.stem + k * config.growth
            apart = config.streaming and k < config.full_window_blocks
            per_pixel += features**2 + 9 * features * config.growth * (1 if apart else 3)
        return per_pixel * self.size[0] * self.size[1]
