"""Which frames a window holds: at clip ends, at scene cuts, and as the node asks for them."""

import itertools

import pytest
import vapoursynth as vs
from helpers.upscalers import Nearest
from hypothesis import given
from hypothesis import strategies as st

from vsduf.filter import graph
from vsduf.filter.window import scene_starts, window

core = vs.core


def windows_of(clip, **arguments):
    upscaler = Nearest()
    node = graph.upscale_with(clip, upscaler, **arguments)
    for n in range(len(node)):
        node.get_frame(n).close()
    return upscaler.windows


def marked(frames, **marks):
    """A clip with the named property set to 1 on chosen frames."""
    clip = core.std.BlankClip(format=vs.RGB24, width=4, height=4, length=frames)
    for name, numbers in marks.items():
        tagged = clip.std.SetFrameProps(**{name: 1})
        clip = clip.std.FrameEval(lambda n, a=clip, b=tagged, on=frozenset(numbers): b if n in on else a)
    return clip


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 9])
def test_clip_ends_repeat_the_nearest_frame(frames):
    expected = [[min(max(i, 0), frames - 1) for i in range(n - 3, n + 4)] for n in range(frames)]
    assert windows_of(marked(frames)) == expected


@pytest.mark.parametrize("marks", [{"_SceneChangePrev": [4]}, {"_SceneChangeNext": [3]}])
def test_either_mark_cuts_the_window(marks):
    windows = windows_of(marked(9, **marks))
    assert windows[3] == [0, 1, 2, 3, 3, 3, 3]
    assert windows[4] == [4, 4, 4, 4, 5, 6, 7]
    assert windows[2] == [0, 0, 1, 2, 3, 3, 3]


def test_a_scene_of_one_frame_is_a_still():
    assert windows_of(marked(9, _SceneChangePrev=[4, 5]))[4] == [4] * 7


def test_marks_of_zero_and_scenecut_off_cut_nothing():
    whole = windows_of(marked(9))
    assert windows_of(marked(9).std.SetFrameProps(_SceneChangePrev=0, _SceneChangeNext=0)) == whole
    assert windows_of(marked(9, _SceneChangePrev=[4]), scenecut=False) == whole


def test_cuts_survive_the_way_through_rgb():
    clip = marked(9, _SceneChangePrev=[4]).resize.Bicubic(format=vs.YUV420P8, matrix=1)
    assert windows_of(clip)[4] == [4, 4, 4, 4, 5, 6, 7]


@given(st.integers(1, 12).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))), st.data())
def test_a_window_is_one_scene_in_order(where, data):
    count, n = where
    flags = st.fixed_dictionaries(
        {}, optional={"_SceneChangePrev": st.integers(0, 1), "_SceneChangeNext": st.integers(0, 1)}
    )
    props = data.draw(st.lists(flags, min_size=count, max_size=count))
    first, last = max(0, n - 3), min(count - 1, n + 3)
    starts = scene_starts(first, props[first : last + 1])
    numbers = window(n, starts)
    assert len(numbers) == 7 and numbers[3] == n
    assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(numbers))
    assert not any(starts[k] for k in range(numbers[0] + 1, numbers[-1] + 1))
    for i, k in enumerate(range(n - 3, n + 4)):  # a neighbour is left out only where a cut or an end lies between
        between = range(min(k, n) + 1, max(k, n) + 1)
        assert (numbers[i] == k) == (first <= k <= last and not any(starts[j] for j in between))
