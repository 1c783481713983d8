"""Degraded clips: shapes, repeatability, real encoders, and the recipes that are drawn."""

import numpy as np
import pytest
from helpers.footage import moving

from vsduf.degradations.history import degraded
from vsduf.degradations.recipe import FAMILIES, HELD_OUT, Recipe, describe, draw
from vsduf.errors import MediaError
from vsduf.siting import Siting

CLEAN = Recipe()


def made(recipe, scale=2, frames=8, height=100, width=132):
    return degraded(moving(frames, height, width), scale, Siting.CENTER, recipe, np.random.default_rng(3))


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


@pytest.mark.parametrize(("scale", "shape"), [(2, (8, 3, 48, 66)), (4, (8, 3, 24, 32))])
def test_sides_are_even_and_lines_a_multiple_of_four(scale, shape):
    assert made(CLEAN, scale).shape == shape


def test_the_same_generator_state_gives_the_same_clip():
    recipe = Recipe(noise=3, codec="libx264", quality=28)
    assert np.array_equal(made(recipe), made(recipe))


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4", "libx264"])
@pytest.mark.parametrize("fields", [False, True])
def test_coarser_quality_is_further_from_clean_and_frames_stay_in_place(codec, fields):
    clean = made(CLEAN)
    near, far = (made(Recipe(codec=codec, quality=q, fields=fields)) for q in ((4, 12), (16, 36))[codec == "libx264"])
    assert near.shape == far.shape == clean.shape
    assert psnr(near, clean) > psnr(far, clean) + 1
    inner = range(1, 6)
    assert all(max(range(8), key=lambda k, n=n: psnr(near[n], clean[k])) == n for n in inner)


def test_what_ffmpeg_refuses_is_one_sentence():
    with pytest.raises(MediaError, match="ffmpeg cannot degrade a clip: "):
        made(Recipe(codec="libx264", quality=-1000.0))


@pytest.mark.parametrize("family", FAMILIES)
def test_recipes_lie_in_their_ranges_and_differ(family):
    rng = np.random.default_rng(0)
    recipes = [draw(family, rng) for _ in range(40)]
    assert len(set(recipes)) == 40
    for name, (low, high) in FAMILIES[family].ranges.items():
        assert all(low <= getattr(recipe, name) <= high for recipe in recipes)
    assert {recipe.codec for recipe in recipes} == set(FAMILIES[family].codecs)
    assert {recipe.fields for recipe in recipes} == ({False, True} if FAMILIES[family].interlaced else {False})


@pytest.mark.parametrize("name", HELD_OUT)
def test_held_out_recipes_degrade(name):
    assert 15 < psnr(made(HELD_OUT[name]), made(CLEAN)) < 45
    assert "codec" in describe(HELD_OUT[name])
