"""Clips and arguments that are refused before the first frame, each in one sentence: what came, what to do."""

import re

import pytest
import torch
import vapoursynth as vs
from helpers.clips import noise

import vsduf
from vsduf.network import catalogue

core = vs.core
RGB = core.std.BlankClip(format=vs.RGB24, width=32, height=32, length=2)


def refusal(clip, **arguments):
    with pytest.raises(vs.Error) as caught:
        core.duf.Upscale(clip, **arguments)
    text = str(caught.value)
    assert text.startswith("Upscale: ") and "\n" not in text and "Traceback" not in text
    return text


CLIPS = [
    (lambda: core.std.BlankClip(format=vs.RGB24, varsize=True), "RGB24 of variable size; cut it"),
    (lambda: core.std.BlankClip(varformat=True), "variable format; convert it"),
    (lambda: core.std.BlankClip(format=vs.GRAY32, width=32, height=32), "is Gray32; convert it to at most 16 bits"),
    (lambda: RGB.std.SetFrameProps(_FieldBased=1), r"field-based \(_FieldBased=1\); deinterlace it first"),
    (lambda: RGB.std.SetFieldBased(2), r"field-based \(_FieldBased=2\); deinterlace it first"),
    (
        lambda: core.std.BlankClip(width=20000, height=8000, length=1),
        "would be 80000x32000, more than 536870912 pixels",
    ),
    (
        lambda: noise(vs.YUV444P8, 8, 8, _Matrix=0),
        "first frame cannot be read as RGB: .*YUV color family cannot have RGB",
    ),
    (lambda: noise(vs.YUV444P8, 8, 8, _Matrix=11), "first frame cannot be read as RGB: .*unrecognized matrix"),
]


@pytest.mark.parametrize(("clip", "sentence"), CLIPS, ids=[sentence[:24] for _, sentence in CLIPS])
def test_clips_that_cannot_be_upscaled(clip, sentence):
    assert re.search(sentence, refusal(clip()))


ARGUMENTS = [
    ({"scale": 1}, "scale is 1; give 2, 3 or 4"),
    ({"scale": 5}, "scale is 5; give 2, 3 or 4"),
    ({"scale": 2, "model": "duf-16s-x4"}, "'duf-16s-x4' upscales by 4, not by 2; set scale=4"),
    ({"model": "duff"}, "no model 'duff'; bundled are duf-16s-x2, "),
    ({"model": "/nowhere/at.safetensors"}, "/nowhere/at.safetensors does not exist"),
    ({"device_id": -2}, "device_id is -2; it must be -1 for the CPU"),
    ({"device_id": 99}, "device_id is 99, but"),
    ({"device_id": -1, "fp16": 1}, "fp16 does not work on the CPU"),
    ({"tilesize": 8}, "tilesize is 8x8; tiles must be at least"),
    ({"tilesize": [32, 32, 32]}, "tilesize has 3 values; give one, or width and height"),
    ({"tilesize": [32, 32], "overlap": 16}, "overlap is 16 on each side of 32x32 tiles"),
    ({"overlap": -1}, "overlap is -1; it must be 0 or more"),
    ({"num_streams": 0}, "num_streams is 0; it must be 1 to 1024"),
    ({"num_streams": 2**31 - 1}, "num_streams is 2147483647; it must be 1 to 1024"),
]


@pytest.mark.parametrize(("arguments", "sentence"), ARGUMENTS, ids=[str(a) for a, _ in ARGUMENTS])
def test_arguments_that_cannot_be_used(arguments, sentence):
    assert sentence in refusal(RGB, **arguments)


def test_a_scale_without_a_bundled_model(monkeypatch):
    monkeypatch.setattr(catalogue, "bundled", lambda: ["duf-16s-x4"])
    assert "no model for scale 2 comes with vsduf; name a weights file" in refusal(RGB, scale=2)


def test_torch_without_cuda_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "was built without CUDA; pip install" in refusal(RGB, device_id=0)


def test_damaged_and_foreign_weights(tmp_path):
    damaged, foreign = tmp_path / "damaged.safetensors", tmp_path / "foreign.txt"
    damaged.write_bytes(b"\x10" * 64)
    foreign.write_text("not weights")
    assert str(damaged) in refusal(RGB, model=str(damaged))
    assert "foreign.txt" in refusal(RGB, model=str(foreign))


def test_a_missing_clip():
    with pytest.raises(vs.Error, match="Upscale: argument clip is required"):
        core.duf.Upscale()
    with pytest.raises(vs.Error, match="Upscale: the clip is of type NoneType; give a VapourSynth video node"):
        vsduf.upscale(None)


def test_an_interlaced_frame_later_in_a_clip_is_that_frame_s_error():
    marked = RGB.std.FrameEval(lambda n: RGB.std.SetFrameProps(_FieldBased=2) if n else RGB)
    node = core.duf.Upscale(marked)
    with pytest.raises(vs.Error, match=r"Upscale: frame 1: the clip is field-based"):
        node.get_frame(1)
    node.get_frame(0).close()


def test_a_source_s_error_is_quoted():
    broken = RGB.std.FrameEval(lambda n: RGB.std.BlankClip(width=8))
    assert "first frame cannot be read as RGB" in refusal(broken)
