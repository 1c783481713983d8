"""The feature cache: nothing is computed twice, nothing piles up, and what it holds is what the planner counts."""

import pytest

from vsduf.bench.arithmetic import PLAIN, CountingNetwork, multiply_adds
from vsduf.engine import planning
from vsduf.engine.feature_cache import FeatureCache
from vsduf.network.duf import DufConfig
from vsduf.upscaler import clamped_window

FORMS = [pytest.param(False, id="paper"), pytest.param(True, id="streaming")]


def caches_in_order(config, count):
    """The cache of a clip's frames after each of them, and the network behind it."""
    network = CountingNetwork(config)
    cache = FeatureCache(network)
    for n in range(count):
        network.finish(cache(clamped_window(n, count), lambda frame: frame), None, None)
        yield cache, network


@pytest.mark.parametrize(("config", "megas"), [
    (DufConfig(4, 6, 32, True), 1.728), (DufConfig(4, 6, 32), 4.86 * 0.78),
    (DufConfig.of_depth(16, streaming=True, width="medium"), 1.05),
    (DufConfig.of_depth(16, streaming=True, width="light"), 0.32),
])  # fmt: skip
def test_multiply_adds_of_thirty_frames_in_order(config, megas):
    assert multiply_adds(config, PLAIN) / 1e6 == pytest.approx(megas, rel=0.04)


@pytest.mark.parametrize("streaming", FORMS)
def test_features_do_not_pile_up(streaming):
    held = [len(cache.features()) for cache, _ in caches_in_order(DufConfig(2, 6, 32, streaming), 40)]
    assert max(held[10:37]) == min(held[10:37])


@pytest.mark.parametrize("streaming", FORMS)
def test_the_planner_counts_what_is_held(streaming):
    config = DufConfig(2, 6, 32, streaming)
    for cache, _ in caches_in_order(config, 20):
        assert sum(cache.features()) <= planning.cached_channels(config, idle_frames=2)


@pytest.mark.parametrize("streaming", FORMS)
def test_a_window_that_was_just_made_takes_its_end_alone(streaming):
    cache = FeatureCache(CountingNetwork(DufConfig(2, 6, 32, streaming)))
    window = clamped_window(9, 20)
    cache(window, lambda frame: frame)
    before = cache.network.total
    cache(window, lambda frame: frame)
    assert cache.network.total == before
