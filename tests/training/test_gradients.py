"""A step's gradients: the same from one thread and from several, and each sequence by its own seed."""

import numpy as np
import pytest
import torch
from helpers.footage import moving
from helpers.networks import random_network

from vsduf.network.duf import DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.training.camera import Camera
from vsduf.training.footage import Footage
from vsduf.training.gradients import Gradients, Loss
from vsduf.training.samples import SampleConfig, Sampler

CONFIG = DufConfig(2, 4, 4, True, 8, 12, 16, 8)
FROZEN = Loss("huber", 0.01, True)


@pytest.fixture
def sampler():
    footage = Footage([torch.from_numpy(moving(16, 64, 64))])
    return Sampler(footage, SampleConfig(scale=2, patch=8, frames=9), Camera())


def computed(sampler, threads, loss=FROZEN, seeds=(1, 2, 3), dtype=torch.float32):
    """The network after one step of gradients, and the loss."""
    network = random_network(CONFIG)
    gradients = Gradients(network, threads, dtype)
    value = gradients.step(sampler, loss, list(seeds))
    gradients.close()
    return network, float(value)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_any_number_of_threads_gives_the_same_gradients(sampler, threads):
    (one, loss), (several, theirs) = computed(sampler, 1), computed(sampler, threads)
    assert theirs == pytest.approx(loss, rel=1e-5)
    for a, b in zip(one.parameters(), several.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-3)


def averages(network):
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


def test_running_statistics_are_the_threads_mean(sampler):
    loss = Loss("huber", 0.01, False)
    one = [averages(computed(sampler, 1, loss, [seed])[0]) for seed in (1, 2)]
    means = [torch.stack(pair).mean(0) for pair in zip(*one, strict=True)]
    found = averages(computed(sampler, 2, loss, (1, 2))[0])
    for mean, buffer in zip(means, found, strict=True):
        torch.testing.assert_close(mean, buffer)


def test_frozen_norms_keep_their_statistics(sampler):
    before, after = random_network(CONFIG), computed(sampler, 2)[0]
    assert all(torch.equal(a, b) for a, b in zip(before.buffers(), after.buffers(), strict=True))


def test_the_loss_is_what_it_is_called(sampler):
    sequence, truth = sampler.draw(1, np.random.default_rng(7))
    with torch.no_grad():
        network = random_network(CONFIG)
        output = dynamic_upsample(sequence[0, :, 3:-3].transpose(0, 1), *network(sequence))
    assert computed(sampler, 1, Loss("l2", 1, True), [7])[1] == pytest.approx(
        float((output - truth).square().mean()), rel=1e-4
    )


def test_bfloat16_is_near(sampler):
    (exact, _), (near, _) = computed(sampler, 1), computed(sampler, 1, dtype=torch.bfloat16)
    pairs = zip(exact.parameters(), near.parameters(), strict=True)
    alike = [torch.cosine_similarity(a.grad.flatten(), b.grad.flatten(), 0) for a, b in pairs if a.ndim > 1]
    assert min(alike) > 0.9
