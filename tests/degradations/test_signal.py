"""Signal faults: each number of a recipe changes what it is called after, and nothing else."""

import numpy as np
import pytest
import torch
from helpers.footage import texture

from vsduf.degradations.recipe import Recipe
from vsduf.degradations.signal import analogue, weave


@pytest.fixture
def frames():
    return torch.from_numpy(np.stack([texture(40, 48, seed) for seed in range(6)])).float() / 255 * 0.5 + 0.25


def applied(frames, **numbers):
    return analogue(frames, Recipe(**numbers), np.random.default_rng(0))


def luma(frames):
    return (frames * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)


def detail(planes, axis):
    """The mean square of the difference between neighbours along an axis."""
    return float(planes.diff(dim=axis).square().mean())


def test_an_empty_recipe_changes_nothing(frames):
    torch.testing.assert_close(applied(frames), frames, atol=1e-6, rtol=0)


def test_blur_goes_both_ways_or_along_the_lines(frames):
    both, across = luma(applied(frames, blur=1.0)), luma(applied(frames, blur_across=1.0))
    before = luma(frames)
    assert detail(both, -1) < 0.5 * detail(before, -1)
    assert detail(both, -2) < 0.5 * detail(before, -2)
    assert detail(across, -1) < 0.5 * detail(before, -1)
    assert detail(across, -2) > detail(both, -2)


def test_a_halo_overshoots_at_an_edge():
    edge = torch.full((1, 3, 8, 40), 0.3)
    edge[..., 20:] = 0.7
    made = applied(edge, halo=0.5)
    assert float(made.max()) > 0.75
    assert float(made.min()) < 0.25
    torch.testing.assert_close(made[..., :8], edge[..., :8], atol=1e-4, rtol=0)


@pytest.mark.parametrize("numbers", [{"chroma_blur": 3.0}, {"chroma_shift": 1.5}, {"chroma_noise": 8.0}])
def test_faults_of_colour_leave_luma(frames, numbers):
    made = applied(frames, **numbers)
    assert float((luma(made) - luma(frames)).abs().max()) < 0.02
    assert float((made - frames).abs().max()) > 0.03


def test_colour_moves_to_the_right():
    frames = torch.full((1, 3, 4, 20), 0.5)
    frames[:, 0, :, 10] = 0.7
    difference = applied(frames, chroma_shift=2.0)
    difference = difference[0, 0, 0] - difference[0, 1, 0]
    assert int(difference.argmax()) == 12


@pytest.mark.parametrize("numbers", [{}, {"grain": 1.0}, {"grain_across": 1.0}])
def test_noise_has_the_deviation_and_the_grain_of_the_recipe(numbers):
    grey = torch.full((8, 3, 64, 64), 0.5)
    noise = luma(applied(grey, noise=5.0, **numbers)) - 0.5
    assert float(noise.std()) * 255 == pytest.approx(5, rel=0.05)
    apart = float((noise[1:] * noise[:-1]).mean() / noise.var())
    along, down = (float((noise.roll(1, axis) * noise).mean() / noise.var()) for axis in (-1, -2))
    assert abs(apart) < 0.05
    assert (along > 0.4) == bool(numbers)
    assert (down > 0.4) == ("grain" in numbers)


def test_fields_come_from_neighbouring_frames():
    frames = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 6, 2), np.uint8)
    woven = weave(frames)
    assert woven[0, 0, :, 0].tolist() == [0, 1, 0, 1, 0, 1]
    assert woven[3, 0, :, 0].tolist() == [3] * 6
