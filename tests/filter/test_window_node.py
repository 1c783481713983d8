"""core.duf.Window, the native node behind Upscale: arguments and return values of any kind end in a filter error."""

import pytest
import vapoursynth as vs

core = vs.core
CLIP = core.std.BlankClip(format=vs.RGB24, width=8, height=8, length=3)


def window(clip=CLIP, radius=1, scale=1, render=lambda n, first, frames: frames[n - first]):
    return core.duf.Window(clip, radius, scale, render, 0)


def test_render_gets_the_frames_around_n():
    calls = []

    def render(n, first, frames):
        calls.append((n, first, len(frames)))
        return frames[n - first]

    node = window(render=render)
    for n in range(3):
        node.get_frame(n).close()
    assert calls == [(0, 0, 2), (1, 0, 3), (2, 1, 2)]


RETURNED = {
    "nothing": None, "an integer": 5, "a float": 1.5, "an empty list": [], "an empty dict": {}, "a clip": CLIP,
    "a function": len, "audio": core.std.BlankAudio(), "an audio frame": core.std.BlankAudio().get_frame(0),
    "another format": core.std.BlankClip(format=vs.GRAY8, width=8, height=8).get_frame(0),
    "another size": core.std.BlankClip(format=vs.RGB24, width=9, height=8).get_frame(0),
}  # fmt: skip


@pytest.mark.parametrize("value", RETURNED.values(), ids=RETURNED)
def test_a_value_that_is_no_picture(value):
    with pytest.raises(vs.Error, match="Window: render must return a video frame of the output's format and size"):
        window(render=lambda n, first, frames: value).get_frame(1)


def test_text_is_the_frame_s_error():
    for returned in ("no picture", b"no picture", ["no picture", "second"]):
        with pytest.raises(vs.Error, match=r"^no picture$"):
            window(render=lambda n, first, frames, text=returned: text).get_frame(1)


def test_an_exception_is_the_frame_s_error():
    with pytest.raises(vs.Error, match="ZeroDivisionError"):
        window(render=lambda n, first, frames: 1 // 0).get_frame(1)
    with pytest.raises(vs.Error, match="unexpected keyword argument"):
        window(render=lambda: None).get_frame(1)


@pytest.mark.parametrize(("arguments", "said"), [
    ({"radius": -1}, "radius must be 0 to 16"), ({"radius": 17}, "radius must be 0 to 16"),
    ({"radius": 2**40}, "radius must be 0 to 16"), ({"scale": 0}, "scale must be at least 1"),
    ({"scale": -(2**63)}, "scale must be at least 1"), ({"scale": 2**40}, "the output's sides at most 2147483647"),
    ({"clip": core.std.BlankClip(format=vs.YUV444P8)}, "the clip must be RGB"),
    ({"clip": core.std.BlankClip(format=vs.RGB24, varsize=True)}, "the clip must be RGB of constant format and size"),
    ({"clip": core.std.BlankClip(varformat=True)}, "the clip must be RGB of constant format and size"),
])  # fmt: skip
def test_arguments_that_cannot_be_used(arguments, said):
    with pytest.raises(vs.Error, match=f"Window: .*{said}"):
        window(**arguments)
