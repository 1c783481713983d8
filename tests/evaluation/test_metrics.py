"""PSNR, SSIM and flicker against plain NumPy, and the cases that have an answer."""

import math

import numpy as np
import pytest
import torch
from helpers.footage import moving, texture

from vsduf.evaluation.metrics import flicker, luma, psnr, ssim


def slow_ssim(a, b):
    at = np.arange(11) - 5
    line = np.exp(-(at**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    scores = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mp, mq = (weights * p).sum(), (weights * q).sum()
            vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
            both = (weights * (p - mp) * (q - mq)).sum()
            c1, c2 = 2.55**2, 7.65**2
            scores.append((2 * mp * mq + c1) * (2 * both + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(scores)


@pytest.fixture
def pair():
    a = luma(torch.from_numpy(texture(40, 36)).float() / 255)
    return a, a + 8 * torch.randn(a.shape, generator=torch.Generator().manual_seed(0))


def test_luma_of_known_colours():
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]])[:, :, None, None]
    assert luma(colours).flatten().tolist() == pytest.approx([16, 235, 16 + 255 * 0.256788], abs=1e-3)


def test_luma_rounds_and_clips_to_8_bits():
    assert luma(torch.full((3, 1, 1), 1.3)) == luma(torch.ones(3, 1, 1))
    assert luma(torch.full((3, 1, 1), 100.4 / 255)) == luma(torch.full((3, 1, 1), 100 / 255))


def test_psnr_of_a_known_error():
    a = torch.zeros(2, 40, 40)
    b = torch.stack([a[0] + 1, a[1] + 10])
    b[:, :8] = 255  # the border does not count
    assert psnr(a, b).tolist() == pytest.approx([20 * math.log10(255), 20 * math.log10(25.5)])


def test_psnr_of_equal_pictures_is_a_number():
    assert psnr(torch.zeros(2, 32, 32), torch.zeros(2, 32, 32)).tolist() == [100, 100]


def test_ssim_is_the_equation(pair):
    a, b = pair
    want = slow_ssim(a[8:-8, 8:-8].double().numpy(), b[8:-8, 8:-8].double().numpy())
    assert float(ssim(a, b)) == pytest.approx(want, abs=1e-9)
    assert float(ssim(a, a)) == pytest.approx(1)


def test_ssim_of_several_pictures_is_that_of_each(pair):
    a, b = pair
    assert ssim(torch.stack([a, a]), torch.stack([a, b])).tolist() == pytest.approx([1, float(ssim(a, b))])


def test_flicker_sees_what_changes_only():
    clip = luma(torch.from_numpy(moving(4, 40, 40)).float() / 255)
    assert flicker(clip[1] + 9, clip[0] + 9, clip[1], clip[0]) == pytest.approx(0, abs=1e-4)
    assert flicker(clip[1] + 3, clip[0] - 1, clip[1], clip[0]) == pytest.approx(4, abs=1e-4)
