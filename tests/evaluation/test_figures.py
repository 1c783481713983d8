"""The experiments on networks whose answer is known, and the pictures that `vsduf show` draws of them."""

import errno
import os
import re

import matplotlib.image as plt_image
import numpy as np
import pytest
import torch
from helpers.footage import moving, texture, write_frames
from helpers.networks import random_network

from vsduf.cli.main import main
from vsduf.evaluation import experiments, figures
from vsduf.evaluation.metrics import luma, psnr, ssim
from vsduf.evaluation.protocol import Protocol, low_resolution
from vsduf.network import catalogue, weights
from vsduf.network.duf import DufConfig

SMALL = DufConfig(scale=2, blocks=4, growth=8, streaming=True)


def still_network():
    """Returns a network that uses the centre frame only: the kernels of the other frames are zero."""
    network = random_network(SMALL)
    with torch.no_grad():
        for block in network.blocks:
            if block.shrinks:
                block.conv2.weight[:, :, ::2] = 0
    return network


def test_a_network_that_ignores_its_neighbours_sees_no_motion():
    found = experiments.bar_motion(still_network())
    assert found.filters == found.output == 0
    assert set(found.features.values()) == {0.0}


def test_a_network_that_uses_its_neighbours_sees_motion():
    found = experiments.bar_motion(random_network(SMALL))
    assert found.filters > 1e-4
    assert found.features["stem"] == found.features["block 1"] == 0
    assert found.features["block 4"] > 1e-3


def test_the_bars_share_their_centre_frame_and_mirror_each_other():
    found = experiments.bar_motion(still_network(), speed=2.0)
    left, right = found.windows
    assert torch.equal(left[:, 3], right[:, 3])
    assert torch.allclose(left, right.flip(1), atol=1e-6)
    assert not torch.equal(left[:, 2], right[:, 2])


@pytest.mark.parametrize("name", catalogue.bundled())
def test_bundled_models_use_motion_and_do_not_copy_it(name):
    """The paper's figure 4: opposite motions, other activations, the same filters and picture."""
    loaded = weights.load(name)
    found = experiments.bar_motion(loaded.network(), siting=loaded.siting)
    last = f"block {loaded.config.blocks}"
    assert found.filters < (0.15 if "restore" in name else 0.1)  # measured: 0.07 and 0.11, of the others 0.03 to 0.05
    assert found.output < 0.01
    assert found.features[last] > 0.1
    assert found.features[last] > 2 * found.filters


def test_filters_sum_to_one():
    outputs = experiments.layer_outputs(random_network(SMALL), torch.rand(3, 7, 9, 10))
    assert torch.allclose(outputs.filters.sum(0), torch.ones(4, 9, 10), atol=1e-5)
    assert list(outputs.features) == ["stem", "block 1", "block 2", "block 3", "block 4", "merge"]
    assert [len(outputs.features[name]) for name in ("stem", "block 4", "merge")] == [64, 8, 256]


def test_places_are_what_they_are_called():
    picture = torch.full((3, 7, 48, 48), 0.5)
    picture[..., :24, :24] = 0.9  # one corner in the middle
    picture[:, :, 30:40, 30:40] = torch.rand(3, 7, 10, 10, generator=torch.Generator().manual_seed(0))
    places = {place.what: (place.y, place.x) for place in experiments.interesting_places(picture)}
    assert 28 <= min(places["moving texture"]) <= max(places["moving texture"]) <= 42
    assert max(abs(places["corner"][0] - 23), abs(places["corner"][1] - 23)) <= 3
    y, x = places["flat"]
    assert float(picture[:, 3, y - 2 : y + 3, x - 2 : x + 3].std()) == 0


@pytest.mark.parametrize("siting", ["center", "top-left"])
def test_a_crop_is_cut_from_the_whole_frame(siting):
    network, clip, protocol = random_network(SMALL), moving(9, 96, 80), Protocol(2, siting)
    small = [low_resolution(frame, protocol) for frame in clip]
    whole = experiments.layer_outputs(network, experiments.window_of(small, 4)).output
    comparison = experiments.crop(network, clip, 4, (33, 41, 20, 12), protocol)
    want = (whole[:, 41:53, 33:53].permute(1, 2, 0) * 255).round()
    assert np.abs(want.numpy() - comparison.vsduf).max() <= 1
    assert np.array_equal(comparison.truth, clip[4, :, 41:53, 33:53].transpose(1, 2, 0))
    assert comparison.cubic.shape == comparison.nearest.shape == comparison.truth.shape


def test_a_profile_is_one_row_of_every_frame():
    network, clip, protocol = random_network(SMALL), moving(5, 64, 50), Protocol(2)
    comparison = experiments.profile(network, clip, 30, 4, protocol)
    assert np.array_equal(comparison.truth, clip[:4, :, 30].transpose(0, 2, 1))
    assert comparison.vsduf.shape == comparison.cubic.shape == (4, 50, 3)
    crop = experiments.crop(network, clip, 2, (0, 30, 50, 1), protocol)
    assert np.array_equal(comparison.vsduf[2], crop.vsduf[0])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.safetensors"
    weights.save(path, random_network(SMALL).state_dict(), {"siting": "center"})
    return str(path)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that the command saves, whose content the tests look into."""
    figures_saved = []
    save = figures.save
    monkeypatch.setattr(figures, "save", lambda figure, path: figures_saved.append(figure) or save(figure, path))
    return figures_saved


def panels(figure):
    """Title and picture of each panel that shows one; colour bars left out."""
    return {axes.get_title(): np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images}


@pytest.mark.parametrize(
    ("words", "title", "panel_count"),
    [
        (["motion"], r"Opposite motion, the same centre frame: block 4 differs by \d+%, the filters by .*%", 10),
        (["kernels", "--block", "1"], "Learnt kernels of block 1: it looks at one frame", 2),
        (["kernels"], "Learnt kernels of block 4: frame before / same / after have .* of the weight", 4),
        (["activations", "CLIP"], "What each stage makes of a frame.*\nclip, frame 3; model small", 6 * 7),
        (["filters", "CLIP"], "Each LR pixel has 4 filters of its own, here with .* of 25 taps in use", 12),
        (["filters", "CLIP", "--at", "5,6"], "Each LR pixel has 4 filters", 3),
        (["profile", "CLIP", "--frames", "5"], "vsduf flickers .* along this row\nclip, row 32, frames 0 to 4", 3),
        (["profile", "CLIP", "--frames", "99"], "clip, row 32, frames 0 to 6", 3),
        (["crops", "CLIP", "--box", "3,4,20,16"], r"clip, frame 3; .*, x 3, y 4, 20x16 pixels", 4),
        (["crops", "CLIP", "--frame", "0"], "vsduf is .* dB (closer to|farther from) the ground truth", 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_command_draws_every_panel(tmp_path, model, drawn, words, title, panel_count):
    clip = str(write_frames(tmp_path / "clip", moving(7, 64, 72)))
    out = tmp_path / "out.png"
    words = [clip if word == "CLIP" else word for word in words]
    assert main(["show", *words, str(out), "--model", model]) == 0
    (figure,) = drawn
    assert re.search(title, figure.get_suptitle())
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(pictures) == panel_count
    assert all(np.ptp(picture[~np.isnan(picture)]) > 0 for picture in map(np.ma.filled, pictures))
    width, height = figure.get_size_inches() * figures.DPI
    assert plt_image.imread(out).shape[:2] == (pytest.approx(height, abs=1), pytest.approx(width, abs=1))


def test_crops_show_the_four_pictures_with_their_scores():
    truth = np.ascontiguousarray(texture(40, 36).transpose(1, 2, 0))
    pictures = [truth, truth // 4 * 4, truth // 32 * 32, truth // 8 * 8]  # ground truth, nearest, bicubic, vsduf
    figure = figures.crops(experiments.Comparison(*pictures), "clip 5")
    shown = panels(figure)
    expected = {"ground truth": pictures[0], "low resolution": pictures[1]}
    scores = {}
    for name, picture in zip(("bicubic", "vsduf"), pictures[2:], strict=True):
        a, b = (luma(torch.from_numpy(p).permute(2, 0, 1) / 255) for p in (picture, truth))
        scores[name] = float(psnr(a, b, 0))
        expected[f"{name}\n{scores[name]:.2f} dB PSNR, {float(ssim(a, b, 0)):.3f} SSIM"] = picture
    assert shown.keys() == expected.keys()
    assert all(np.array_equal(shown[name], picture) for name, picture in expected.items())
    gain = scores["vsduf"] - scores["bicubic"]
    assert figure.get_suptitle() == f"vsduf is {gain:.2f} dB closer to the ground truth than bicubic\nclip 5"


def test_filters_show_the_taps_of_their_place():
    window, place = torch.rand(3, 7, 32, 32), experiments.Place("chosen", 9, 8)
    outputs = experiments.layer_outputs(random_network(SMALL), window)
    figure = figures.filters(outputs, window, [place], "")
    heat = panels(figure)[f"{experiments.effective_taps(outputs, place):.1f} of 25 taps in use"]
    assert heat.shape == (11, 11)  # 2x2 filters of 5x5 with a gap between
    np.testing.assert_allclose(heat[6:, :5].ravel(), outputs.filters[:, 2, 9, 8], atol=1e-6)


def test_effective_taps_of_known_filters():
    filters = torch.zeros(25, 2, 1, 1)
    filters[:, 0], filters[12, 1] = 1 / 25, 1
    outputs = experiments.LayerOutputs(filters, torch.zeros(0), {})
    assert experiments.effective_taps(outputs, experiments.Place("", 0, 0)) == pytest.approx(5)  # mean of 25 and 1


def test_flicker_of_a_profile_is_that_of_its_luma():
    truth = np.full((3, 5, 3), 100, np.uint8)
    flickering = truth.copy()
    flickering[1] += 10
    assert experiments.profile_flicker(truth, truth) == 0
    assert experiments.profile_flicker(flickering, truth) == pytest.approx(10 * 219 / 255, abs=0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kernels", "--block", "9"], "--block is 9; it must be 1 to 4"),
        (["crops", "none"], "none does not exist"),
        (["crops", "CLIP", "--box", "60,4,20,16"], "is not 11x11 or more inside 72x64"),
        (["profile", "CLIP", "--row", "64"], "--row is 64; it must be 0 to 63"),
        (["profile", "CLIP", "--frames", "1"], "--frames is 1; it must be 2 or more"),
        (["activations", "SMALL"], "holds 7 frames of 72x31; at least 32 pixels each way"),
        (["activations", "CLIP", "--frame", "7"], "--frame is 7; it must be 0 to 6"),
        (["filters", "CLIP", "--at", "1,99"], "--at is 99; it must be 0 to 31"),
    ],
)
def test_the_command_refuses(tmp_path, model, capsys, words, message):
    clip = str(write_frames(tmp_path / "clip", moving(7, 64, 72)))
    small = str(write_frames(tmp_path / "small", moving(7, 31, 72)))
    words = [{"CLIP": clip, "SMALL": small}.get(word, word) for word in words]
    assert main(["show", *words, str(tmp_path / "out.png"), "--model", model]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_sides_that_are_no_multiple_of_the_scale(tmp_path, model):
    clip = str(write_frames(tmp_path / "clip", moving(7, 35, 41)))
    for what in ("filters", "crops", "profile"):
        assert main(["show", what, clip, str(tmp_path / f"{what}.png"), "--model", model]) == 0


def test_a_full_disk_is_one_line(tmp_path, model, capsys, monkeypatch):
    def fill(figure, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("vsduf.evaluation.figures.save", fill)
    assert main(["show", "motion", str(tmp_path / "out.png"), "--model", model]) == 1
    assert capsys.readouterr().err == f"vsduf: {tmp_path}/out.png: No space left on device\n"


def test_a_missing_clip_is_what_the_command_misses(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["show", "filters", "out.png"])
    assert "'out.png' is a picture; name a video or a folder of frames before OUT.png" in capsys.readouterr().err


def test_only_pngs_are_written(tmp_path, capsys):
    clip = write_frames(tmp_path / "clip", moving(7, 64, 72))
    assert main(["show", "crops", str(clip), str(tmp_path / "film.mkv")]) == 1
    assert "film.mkv does not end in .png" in capsys.readouterr().err
