"""vsduf as a vs-jetpack Scaler."""

import pytest
import vapoursynth as vs
from helpers.clips import bytes_of, noise

import vsduf

pytest.importorskip("vsscale", reason="vs-jetpack is not installed: pip install -e '.[jetpack]'")
from vskernels import Scaler

from vsduf.filter.jetpack import DUF


def test_it_is_a_scaler_by_its_name_and_its_class():
    assert isinstance(Scaler.ensure_obj(DUF), DUF) and isinstance(Scaler.ensure_obj("DUF"), DUF)


def test_it_scales_to_any_size():
    clip = noise(vs.GRAYS, 16, 16, 2)
    made = DUF(model="duf-16s-x2").scale(clip, 40, 28, scale=2)
    assert (made.width, made.height, made.format.id) == (40, 28, vs.GRAYS)
    assert bytes_of(made, 1) == bytes_of(vsduf.upscale(clip, 2, width=40, height=28), 1)
    assert DUF().supersample(clip, 3).width == 48


def test_it_shifts():
    clip = noise(vs.GRAYS, 16, 16)
    still, moved = (DUF().scale(clip, 32, 32, shift=(0, x)) for x in (0, 1))
    assert bytes_of(moved) == bytes_of(still.resize.Bicubic(src_left=1, filter_param_a=0, filter_param_b=0.5))


def test_a_wrong_option_is_refused():
    with pytest.raises(vs.Error, match="Upscale: scale is 5; give 2, 3 or 4"):
        DUF(scale=5).scale(noise(vs.GRAYS, 16, 16), 32, 32)
