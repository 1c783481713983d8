"""Batches: shapes, repeatability, temporal augmentation, synthetic motion."""

import numpy as np
import pytest
import torch
from helpers.footage import moving, texture

from vsduf.evaluation import bicubic
from vsduf.evaluation.metrics import luma, psnr
from vsduf.training.camera import Camera, moving_photo
from vsduf.training.footage import Footage
from vsduf.training.samples import SampleConfig, Sampler


def sampler(clips=(), photos=(), seed=0, **config):
    footage = Footage([torch.from_numpy(c) for c in clips], [torch.from_numpy(p) for p in photos])
    return Sampler(footage, SampleConfig(**{"patch": 8, "batch": 2, **config}), Camera(), np.random.default_rng(seed))


@pytest.mark.parametrize("siting", ["center", "top-left"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_low_and_high_resolution_belong_together(scale, siting):
    """Interpolated, LR lies where HR is: a pixel off would cost several dB."""
    draw = sampler([moving(20, 120, 120)], [texture(200, 200)], scale=scale, siting=siting, patch=20, batch=4)
    window, hr = draw.batch()
    assert window.shape == (4, 3, 7, 20, 20)
    assert hr.shape == (4, 3, 20 * scale, 20 * scale)
    up = bicubic.upscale(window[:, :, 3], scale, siting)
    other = torch.roll(up, 2, -1)
    assert float((psnr(luma(up), luma(hr)) - psnr(luma(other), luma(hr))).min()) > 0.5
    assert torch.equal((window * 255).round() / 255, window)


def test_the_same_state_gives_the_same_batch():
    clips, photos = [moving(12, 80, 80)], [texture(100, 100)]
    a, b = sampler(clips, photos), sampler(clips, photos)
    for _ in range(3):
        assert all(torch.equal(x, y) for x, y in zip(a.batch(), b.batch(), strict=True))
    assert not torch.equal(a.batch()[0], a.batch()[0])


def test_temporal_augmentation_draws_minus_three_to_three():
    draw = sampler([moving(19, 80, 80)])
    steps = set()
    for _ in range(200):
        times = draw._times(19)
        assert 0 <= min(times) <= max(times) < 19
        steps |= set(np.diff(times))
    assert steps == set(range(-3, 4))


def test_short_clips_are_not_sped_up_too_far():
    draw = sampler([moving(7, 80, 80)])
    assert {tuple(draw._times(7)) for _ in range(100)} >= {tuple(range(7)), tuple(range(6, -1, -1))}


def test_patches_are_taken_where_something_moves():
    clip = np.zeros((9, 3, 96, 96), np.uint8)
    clip[::2, :, :48, :48] = 200
    draw = sampler([clip], photo_share=0.0, batch=1)
    draw._times = lambda frames: list(range(1, 8))
    moved = [float(draw.batch()[0].std()) > 0.01 for _ in range(40)]
    assert sum(moved) > 32  # a place drawn blindly would see it in about half of the cases


def test_photographs_move_a_little_and_smoothly():
    rng = np.random.default_rng(3)
    photos = [torch.from_numpy(texture(240, 240))]
    still = Camera(pan=0, turn=0, zoom=0, tilt=0, layers=0)
    frames = moving_photo(photos, 64, rng, still)
    assert frames.shape == (7, 3, 64, 64)
    assert float((frames - frames[:1]).abs().max()) < 1e-4
    frames = moving_photo(photos, 64, rng, Camera(layers=0))
    near, far = (frames[3] - frames[2]).abs().mean(), (frames[6] - frames[0]).abs().mean()
    assert 0 < near < far


def test_layers_move_their_own_ways():
    """With two layers no single shift explains all of the change."""
    rng = np.random.default_rng(0)
    photos = [torch.from_numpy(texture(300, 300, seed)) for seed in (1, 2)]
    frames = moving_photo(photos, 96, rng, Camera(pan=4, turn=0, zoom=0, tilt=0, layers=1.0))
    assert frames.shape == (7, 3, 96, 96)
    assert 0 <= float(frames.min()) <= float(frames.max()) <= 1
