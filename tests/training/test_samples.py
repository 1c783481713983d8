"""Samples: shapes, repeatability, temporal augmentation, camera motion."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.footage import moving, texture

from vsduf.evaluation import bicubic
from vsduf.evaluation.degradation import degrade
from vsduf.evaluation.metrics import luma, psnr
from vsduf.training.camera import Camera, moving_photo
from vsduf.training.footage import Footage
from vsduf.training.samples import SampleConfig, Sampler


def sampler(clips=(), photos=(), **config):
    footage = Footage([torch.from_numpy(c) for c in clips], [torch.from_numpy(p) for p in photos])
    return Sampler(footage, SampleConfig(**{"patch": 8, "batch": 2, **config}), Camera())


def random(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("siting", ["center", "top-left"])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("frames", [7, 10])
def test_low_and_high_resolution_belong_together(scale, siting, frames):
    """LR, interpolated, lies where HR is: a pixel off would cost several dB. The windows of a sequence are in order."""
    clips, photos = [moving(20, 120, 120)], [texture(200, 200)]
    sequence, hr = sampler(clips, photos, scale=scale, siting=siting, patch=20, frames=frames).draw(4, random())
    assert sequence.shape == (4, 3, frames, 20, 20)
    assert hr.shape == (4 * (frames - 6), 3, 20 * scale, 20 * scale)
    up = bicubic.upscale(sequence[:, :, 3:-3].transpose(1, 2).flatten(0, 1), scale, siting)
    other = torch.roll(up, 2, -1)
    assert float((psnr(luma(up), luma(hr)) - psnr(luma(other), luma(hr))).min()) > 0.5
    assert torch.equal((sequence * 255).round() / 255, sequence)


def test_the_same_generator_state_gives_the_same_samples():
    draw = sampler([moving(12, 80, 80)], [texture(100, 100)])
    a, b = random(), random()
    for _ in range(3):
        assert all(torch.equal(x, y) for x, y in zip(draw.draw(2, a), draw.draw(2, b), strict=True))
    assert not torch.equal(draw.draw(2, a)[0], draw.draw(2, a)[0])


def speeds(length, frames, count=300):
    """The steps in time, and the frame numbers, that sequences of a clip are drawn with."""
    clip = np.arange(length, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 80, 80), np.uint8)
    draw, rng = sampler([clip], photo_share=0.0, scale=2, frames=frames), random()
    shown = [(draw.draw(1, rng)[0][0, 0, :, 4, 4] * 255).round().int().tolist() for _ in range(count)]
    return {tuple(np.diff(times)) for times in shown}, {n for times in shown for n in times}


def test_time_is_sped_up_reversed_and_stopped():
    steps, numbers = speeds(19, 7)
    assert steps == {(step,) * 6 for step in range(-3, 4)}
    assert numbers == set(range(19))


def test_clips_are_sped_up_only_as_far_as_they_are_long():
    assert speeds(10, 10)[0] == {(step,) * 9 for step in (-1, 0, 1)}


def test_a_clip_shorter_than_the_sequence_is_run_through_forwards_and_backwards():
    steps, numbers = speeds(7, 14)
    assert {abs(step) for sequence in steps for step in sequence} == {1}
    assert numbers == set(range(7))


def test_patches_are_taken_where_something_moves():
    clip = np.zeros((9, 3, 96, 96), np.uint8)
    clip[::2, :, :48, :48] = 200
    draw, rng = sampler([clip], photo_share=0.0, frames=7), random()
    moved = [float(draw.draw(1, rng)[0].std()) > 0.01 for _ in range(60)]
    assert sum(moved) > 40  # of a place drawn blindly 28, of those drawn with time stopped none


def test_degraded_sequences_lie_where_their_truth_lies():
    """LR of a history, interpolated, is nearer to its HR patch than to one a pixel away; time keeps its pace."""
    clip = moving(20, 120, 120)
    history = degrade(torch.from_numpy(clip).float(), 2).round().clamp(0, 255).to(torch.uint8)
    footage = Footage([torch.from_numpy(clip)], histories=[[history]])
    draw = Sampler(footage, SampleConfig(scale=2, patch=20, frames=9), Camera(), degraded_share=1.0)
    sequence, hr = draw.draw(6, random())
    up = bicubic.upscale(sequence[:, :, 3:-3].transpose(1, 2).flatten(0, 1), 2)
    other = torch.roll(up, 2, -1)
    assert float((psnr(luma(up), luma(hr)) - psnr(luma(other), luma(hr))).min()) > 0.5


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


def unexplained(layers, seed):
    """What is left of the change between two frames after the best single shift, as a share of it."""
    photos = [torch.from_numpy(texture(300, 300, seed)) for seed in (1, 2)]
    frames = moving_photo(photos, 96, random(seed), Camera(pan=4, turn=0, zoom=0, tilt=0, layers=layers), 9)
    assert frames.shape == (9, 3, 96, 96)
    assert 0 <= float(frames.min()) <= float(frames.max()) <= 1
    first, last = F.avg_pool2d(frames[[0, 8]], 7, 1, 3)  # so that a fraction of a pixel makes no difference
    shifts = [torch.roll(first, (y, x), (1, 2)) for y in range(-32, 33) for x in range(-32, 33)]
    left = min(float((shifted - last)[:, 32:-32, 32:-32].abs().mean()) for shifted in shifts)
    return left / float((first - last)[:, 32:-32, 32:-32].abs().mean())


def test_layers_move_independently():
    """One layer's change is explained by a single shift, that of two layers is not."""
    one, two = (sum(unexplained(layers, seed) for seed in (0, 2, 4, 5)) for layers in (0.0, 1.0))
    assert one < 0.3 * two
