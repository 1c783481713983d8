"""_Alpha: upscaled beside the picture, or refused by name."""

import numpy as np
import pytest
import vapoursynth as vs
from helpers.clips import bytes_of, noise, planes_of
from helpers.upscalers import Nearest

from vsduf.filter import graph

core = vs.core
RGB = core.std.BlankClip(format=vs.RGB24, width=32, height=32, length=9)


@pytest.mark.parametrize("fmt", [vs.GRAY8, vs.GRAY10, vs.GRAY16, vs.GRAYS])
def test_alpha_is_upscaled_too(fmt):
    plane = noise(fmt, 6, 4, 4, low=0, high=1, seed=5).std.SetFrameProps(own=7)
    source = noise(vs.RGB24, 6, 4, 4).std.ClipToProp(plane, "_Alpha").std.SetFrameProps(_SceneChangePrev=1)
    colour, alpha = Nearest(3), Nearest(3)
    result = graph.upscale_with(source, colour, alpha=alpha)
    with result.get_frame(2) as frame:
        made = frame.props["_Alpha"]
        assert (made.width, made.height, made.format.id) == (18, 12, fmt)
        assert dict(made.props) == dict(plane.get_frame(2).props)
        expected = planes_of(plane, 2)[0].repeat(3, 0).repeat(3, 1)
        assert np.abs(np.asarray(made[0]).astype(float) - expected).max() <= (1e-6 if fmt == vs.GRAYS else 0)
    assert alpha.windows == [[2] * 7]  # _Alpha has the picture's scene cuts


def test_core_duf_upscales_alpha():
    source = noise(vs.RGB24, 16, 16, 2)
    result = core.duf.Upscale(source.std.ClipToProp(noise(vs.GRAY8, 16, 16, 2, low=1, high=1), "_Alpha"))
    alpha = np.asarray(result.get_frame(1).props["_Alpha"][0])
    assert alpha.shape == (64, 64) and alpha.min() >= 250
    assert bytes_of(result, 1) == bytes_of(core.duf.Upscale(source), 1)


def test_alpha_without_an_upscaler_for_it_is_refused():
    source = noise(vs.RGB24, 8, 8).std.ClipToProp(noise(vs.GRAY8, 8, 8), "_Alpha")
    with pytest.raises(vs.Error, match="Upscale: the frames have _Alpha; give an upscaler for it"):
        graph.upscale_with(source, Nearest())


def with_alpha(plane):
    """RGB whose frames have an _Alpha plane."""
    return RGB.std.ClipToProp(plane, "_Alpha")


def changing(first, later, at=5):
    """A clip of `first`, and of `later` from a frame on."""
    return first.std.FrameEval(lambda n: later if n >= at else first)


GREY = noise(vs.GRAY8, 32, 32, 9)
CLIPS = {
    "it begins": (changing(RGB, with_alpha(GREY)), "_Alpha is on some frames only; give one to every frame"),
    "it ends": (changing(with_alpha(GREY), RGB), "_Alpha is on some frames only; give one to every frame"),
    "another format": (changing(with_alpha(GREY), with_alpha(noise(vs.GRAY16, 32, 32, 9))),
                       "its _Alpha is Gray16 of 32x32, the first frame's is Gray8 of 32x32; give all frames the same"),
    "another size": (changing(with_alpha(GREY), with_alpha(noise(vs.GRAY8, 16, 32, 9))),
                     "its _Alpha is Gray8 of 16x32, the first frame's is Gray8 of 32x32; give all frames the same"),
    "it becomes a number": (changing(with_alpha(GREY), RGB.std.SetFrameProps(_Alpha=1)), "_Alpha is on some frames"),
}  # fmt: skip


@pytest.mark.parametrize(("clip", "sentence"), CLIPS.values(), ids=CLIPS)
def test_alpha_that_changes_is_that_frame_s_error(clip, sentence):
    node = graph.upscale_with(clip, Nearest(), alpha=Nearest())
    with pytest.raises(vs.Error) as caught:
        node.get_frame(5)
    assert str(caught.value).startswith(f"Upscale: frame 5: {sentence}")
    assert str(caught.value).endswith("or remove it with std.RemoveFrameProps")
    node.get_frame(0).close()


@pytest.mark.parametrize("clip", [RGB.std.SetFrameProps(_Alpha=7), with_alpha(noise(vs.YUV444P8, 32, 32, 9))])
def test_alpha_that_is_no_plane_is_refused(clip):
    with pytest.raises(vs.Error, match="Upscale: the frames' _Alpha is not a GRAY frame; remove it"):
        graph.upscale_with(clip, Nearest(), alpha=Nearest())
