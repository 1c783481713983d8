"""PSNR, SSIM and flicker against scikit-image and cases of known results."""

import math

import pytest
import torch
from helpers.footage import moving, texture
from skimage.metrics import structural_similarity

from vsduf.evaluation.metrics import flicker, luma, psnr, ssim


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


def test_ssim_is_scikit_images(pair):
    a, b = pair
    x, y = (picture[8:-8, 8:-8].double().numpy() for picture in (a, b))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    want = structural_similarity(x, y, data_range=255, full=True, **window)[1][5:-5, 5:-5].mean()
    assert float(ssim(a, b)) == pytest.approx(want, abs=1e-9)
    assert float(ssim(a, a)) == pytest.approx(1)


def test_ssim_of_several_pictures_is_that_of_each(pair):
    a, b = pair
    assert ssim(torch.stack([a, a]), torch.stack([a, b])).tolist() == pytest.approx([1, float(ssim(a, b))])


def test_flicker_sees_what_changes_only():
    clip = luma(torch.from_numpy(moving(4, 40, 40)).float() / 255)
    assert flicker(clip[1] + 9, clip[0] + 9, clip[1], clip[0]) == pytest.approx(0, abs=1e-4)
    assert flicker(clip[1] + 3, clip[0] - 1, clip[1], clip[0]) == pytest.approx(4, abs=1e-4)
