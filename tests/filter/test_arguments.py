"""Malformed arguments: whatever is given, the answer is a clip or one sentence that names the argument."""

import operator
import os
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from helpers.upscalers import Nearest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import vsduf
from vsduf.engine import engine
from vsduf.errors import ArgumentError
from vsduf.filter import arguments

core = vs.core
CLIP = core.std.BlankClip(format=vs.YUV420P8, width=16, height=16, length=1)
NAMES = ["scale", "model", "device_id", "fp16", "tilesize", "overlap", "num_streams", "scenecut", "width", "height"]
NAMES += ["square", "device"]
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(), st.binary(),
    st.builds(object), st.builds(Path, st.text(st.characters(exclude_characters="\0"))), st.builds(Fraction),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers()), st.just(np.arange(4)), st.just(np.int64(3)), st.just(CLIP),
)  # fmt: skip


@pytest.fixture
def stand_in(monkeypatch):
    """Replaces the engine by an upscaler that repeats pixels."""
    monkeypatch.setattr(engine, "open_engine", lambda model, scale, width, height, **options: Nearest(scale))


def check(call, **given):
    """Calls with arguments; returns the clip, or None for a refusal in one sentence."""
    try:
        return call(CLIP, **given)
    except vs.Error as error:
        text = str(error)
        assert text.startswith("Upscale: ") and "\n" not in text and len(text) < 400, text
        assert "Traceback" not in text and not re.match(r"Upscale: \w+(Error|Exception):", text), text


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, min_size=1, max_size=3))
@example({"scale": True})
@example({"width": 10**30})
@example({"tilesize": "64"})
@example({"model": ""})
@example({"device": 0})
def test_python_arguments_of_any_type(stand_in, given):
    made = check(vsduf.upscale, **given)
    if made is not None:
        assert made.width % 2 == 0 and made.height % 2 == 0
        made.get_frame(0).close()


INT64 = st.integers(-(2**63), 2**63 - 1)
NATIVE = dict.fromkeys(NAMES, INT64) | {
    "model": st.one_of(st.text(), st.binary()),
    "device": st.one_of(st.text(), st.binary()),
    "tilesize": st.one_of(INT64, st.lists(INT64, max_size=3)),
}
SMALL = st.integers(-2, 70)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional=NATIVE))
def test_native_arguments_of_any_value(stand_in, given):
    check(core.duf.Upscale, **given)


@settings(max_examples=25)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "scale": st.integers(1, 5), "model": st.sampled_from(["duf-16s-x2", "duf", "nowhere.h5", "a\nb", "/"]),
            "device_id": st.one_of(SMALL, st.sampled_from([2**31 - 1, 2**40, -(2**63)])), "fp16": st.integers(0, 2),
            "tilesize": st.lists(st.one_of(SMALL, st.just(2**31 - 1)), max_size=3),
            "device": st.one_of(st.text(), st.sampled_from(["cpu", "cuda", "xpu:1", "rocm:99", "mps:1"])),
            "overlap": st.one_of(SMALL, st.just(2**31 - 1)), "num_streams": st.one_of(SMALL, st.just(2**31 - 1)),
        },
    )
)  # fmt: skip
def test_values_that_the_engine_judges(given):
    made = check(core.duf.Upscale, **given)
    if made is not None:
        made.get_frame(0).close()


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers(value):
    assert arguments.integer("scale", value) == operator.index(value)
    with pytest.raises(ArgumentError, match=r"scale is 3\.0; give an integer"):
        arguments.integer("scale", 3.0)


@pytest.mark.parametrize(("value", "meaning"), [(True, True), (0, False), (np.True_, True), (None, None)])
def test_flags(value, meaning):
    assert arguments.flag("fp16", value) is meaning
    with pytest.raises(ArgumentError, match="fp16 is 'yes'; give True or False"):
        arguments.flag("fp16", "yes")


def test_a_model_is_a_name_or_a_path(tmp_path):
    assert arguments.model(tmp_path / "a.h5") == os.fspath(tmp_path / "a.h5")
    for wrong in ("", "a\0b", "a\nb", "\udcff", b"name", 5):
        with pytest.raises(ArgumentError, match="give a bundled model's name or a weights file's path"):
            arguments.model(wrong)


def test_tilesize_is_one_number_or_two():
    tiles = [arguments.tile(value) for value in (None, 64, [64], (64, 48))]
    assert tiles == [None, (64, 64), (64, 64), (64, 48)]
    with pytest.raises(ArgumentError, match="tilesize has 0 values"):
        arguments.tile([])
