"""`vsduf weights` on files in each convention."""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import vapoursynth as vs
from helpers.conventions import to_basicsr
from helpers.networks import random_network, random_weights

import vsduf
from vsduf.cli import weights as command
from vsduf.errors import ArgumentError, WeightsError
from vsduf.network import catalogue, weights
from vsduf.network.duf import DufConfig

CITY = Path(__file__).parents[2] / "examples" / "city.mkv"


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(w) for w in words]))


def test_convert_keeps_every_number_and_says_what_it_is(tmp_path, capsys):
    network = random_network(DufConfig(2, 6, 32))
    torch.save(to_basicsr(network.state_dict()), tmp_path / "in.pth")
    assert run("convert", tmp_path / "in.pth", tmp_path / "out.safetensors") == 0
    assert "x2, 16 layers, the paper's form, sited top-left" in capsys.readouterr().out
    loaded = weights.load(tmp_path / "out.safetensors")
    assert loaded.siting == "top-left"
    assert all(torch.equal(loaded.tensors()[k], v) for k, v in network.state_dict().items() if v.is_floating_point())


def test_show_prints_metadata(tmp_path, capsys):
    weights.save(tmp_path / "a.safetensors", random_weights(DufConfig(4, 6, 32, True)).state, {"licence": "CC0"})
    run("show", tmp_path / "a.safetensors")
    printed = capsys.readouterr().out
    assert "streaming" in printed
    assert "licence: CC0" in printed


def test_list_names_every_bundled_model(capsys):
    run("list")
    head, *lines, note = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "scale", "for", "cost", "PSNR", "licence"]
    assert [line.split()[0] for line in lines] == catalogue.bundled()
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert rows["duf-16s-x4"].startswith("x4 clean video 1.73 M")
    assert rows["duf-light-x4"].startswith("x4 clean video, faster 0.32 M")
    assert note == command.NOTE


def test_list_does_not_wait_for_torch():
    script = "import sys; from vsduf.cli.main import main; main(['weights', 'list']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_convert_refuses_bad_names(tmp_path):
    with pytest.raises(ArgumentError, match="does not end in"):
        run("convert", tmp_path / "in.pth", tmp_path / "out.pth")
    with pytest.raises(ArgumentError, match="is no folder"):
        run("convert", tmp_path / "in.pth", tmp_path / "none" / "out.safetensors")
    with pytest.raises(WeightsError, match="does not exist"):
        run("convert", tmp_path / "in.pth", tmp_path / "out.safetensors")


@pytest.mark.skipif(not hasattr(vs.core, "ort") or find_spec("onnx") is None, reason="needs vsduf[bench]")
@pytest.mark.parametrize("half", [False, True], ids=["float", "half"])
def test_the_printed_script_makes_the_filters_frames(tmp_path, capsys, half):
    model, target = tmp_path / "a.safetensors", tmp_path / "a.onnx"
    content = random_weights(DufConfig(2, 4, 4, True))
    weights.save(model, content.state, content.metadata, np.float32)
    assert run("export", model, target, *["--fp16"] * half) == 0
    script = capsys.readouterr().out.replace("in.mkv", str(CITY))
    names = {}
    exec(script, names)
    clip = names["core"].bs.VideoSource(str(CITY)).resize.Bicubic(format=vs.RGBS, matrix_in_s="709")
    wanted = vsduf.upscale(clip, 2, model=str(model), device_id=-1, scenecut=False)
    for n in (0, 5, clip.num_frames - 1):
        a, b = (np.stack([np.asarray(p, np.float64) for p in c.get_frame(n)]) for c in (names["clip"], wanted))
        assert -10 * np.log10(np.square(a - b).mean()) > (55 if half else 110)


def test_export_refuses_bad_names(tmp_path):
    with pytest.raises(ArgumentError, match=r"does not end in \.onnx"):
        run("export", "duf-16s-x4", tmp_path / "out.pth")
    with pytest.raises(WeightsError, match="there is no model 'none'"):
        run("export", "none", tmp_path / "out.onnx")
    with pytest.raises(SystemExit, match="2"):
        run("export", "duf-16s-x4", tmp_path / "out.onnx", "--size", "12")
    assert list(tmp_path.iterdir()) == []
