"""Catmull-Rom against resize.Bicubic's default, and against what its equation promises."""

import numpy as np
import pytest
import torch
import vapoursynth as vs
from helpers.footage import texture

from vsduf.evaluation import bicubic

SCALES = [2, 3, 4]


@pytest.mark.parametrize("scale", SCALES)
def test_is_what_resize_bicubic_does(scale):
    picture = texture(24, 20)
    blank = vs.core.std.BlankClip(format=vs.RGBS, width=20, height=24, length=1)

    def fill(n, f):
        frame = f.copy()
        for plane in range(3):
            np.asarray(frame[plane])[:] = picture[plane] / 255
        return frame

    want = blank.std.ModifyFrame(blank, fill).resize.Bicubic(20 * scale, 24 * scale).get_frame(0)
    got = bicubic.upscale(torch.from_numpy(picture)[None].float() / 255, scale)[0]
    edge = 3 * scale
    for plane in range(3):
        difference = np.abs(np.asarray(want[plane]) - got[plane].numpy())
        assert difference[edge:-edge, edge:-edge].max() < 1e-5


@pytest.mark.parametrize("siting", ["center", "top-left"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_ramp_stays_a_ramp(scale, siting):
    shift = (scale - 1) / 2 if siting == "center" else 0
    up = bicubic.upscale(torch.arange(12.0).expand(1, 2, 9, 12), scale, siting)
    assert up.shape == (1, 2, 9 * scale, 12 * scale)
    want = (torch.arange(12 * scale) - shift) / scale
    assert torch.allclose(up[..., 3 * scale : -3 * scale], want[3 * scale : -3 * scale].expand(1, 2, 9 * scale, -1))
