"""What the experiments compute, on networks whose answer is known; that each picture is drawn by its command."""

import errno
import os

import numpy as np
import pytest
import torch
from helpers.footage import moving, write_frames
from helpers.networks import random_network

from vsduf.cli.main import main
from vsduf.evaluation import experiments
from vsduf.evaluation.protocol import Protocol, low_resolution
from vsduf.network import catalogue, weights
from vsduf.network.duf import DufConfig

SMALL = DufConfig(scale=2, blocks=4, growth=8, streaming=True)


def still_network():
    """Looks at the centre frame only: the kernels of the other frames are zero."""
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


def test_a_network_that_does_not_is_caught():
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
    assert found.filters < 0.1
    assert found.output < 0.01
    assert found.features[last] > 0.1
    assert found.features[last] > 2 * found.filters


def test_filters_sum_to_one():
    seen = experiments.look(random_network(SMALL), torch.rand(3, 7, 9, 10))
    assert torch.allclose(seen.filters.sum(0), torch.ones(4, 9, 10), atol=1e-5)
    assert list(seen.features) == ["stem", "block 1", "block 2", "block 3", "block 4", "merge"]
    assert [len(seen.features[name]) for name in ("stem", "block 4", "merge")] == [64, 8, 256]


def test_places_are_what_they_are_called():
    picture = torch.full((3, 7, 48, 48), 0.5)
    picture[..., :24, :24] = 0.9  # one corner in the middle
    picture[:, :, 30:40, 30:40] = torch.rand(3, 7, 10, 10, generator=torch.Generator().manual_seed(0))
    places = {place.what: (place.y, place.x) for place in experiments.interesting_places(picture)}
    assert 28 <= min(places["moving texture"]) <= max(places["moving texture"]) <= 42
    y, x = places["flat"]
    assert float(picture[:, 3, y - 2 : y + 3, x - 2 : x + 3].std()) == 0


@pytest.mark.parametrize("siting", ["center", "top-left"])
def test_a_crop_is_cut_from_the_whole_frame(siting):
    network, clip, task = random_network(SMALL), moving(9, 96, 80), Protocol(2, siting)
    small = [low_resolution(frame, task) for frame in clip]
    whole = experiments.look(network, experiments.window_of(small, 4)).output
    views = experiments.crop(network, clip, 4, (33, 41, 20, 12), task)
    want = (whole[:, 41:53, 33:53].permute(1, 2, 0) * 255).round()
    assert np.abs(want.numpy() - views.ours).max() <= 1
    assert np.array_equal(views.truth, clip[4, :, 41:53, 33:53].transpose(1, 2, 0))
    assert views.cubic.shape == views.nearest.shape == views.truth.shape


def test_a_profile_is_one_row_of_every_frame():
    network, clip, task = random_network(SMALL), moving(5, 64, 50), Protocol(2)
    views = experiments.profile(network, clip, 30, 4, task)
    assert np.array_equal(views.truth, clip[:4, :, 30].transpose(0, 2, 1))
    assert views.ours.shape == views.cubic.shape == (4, 50, 3)
    crop = experiments.crop(network, clip, 2, (0, 30, 50, 1), task)
    assert np.array_equal(views.ours[2], crop.ours[0])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.safetensors"
    weights.save(path, random_network(SMALL).state_dict(), {"siting": "center"})
    return str(path)


@pytest.mark.parametrize(
    "words",
    [
        ["motion"],
        ["kernels", "--block", "2"],
        ["kernels"],
        ["activations", "CLIP"],
        ["filters", "CLIP"],
        ["filters", "CLIP", "--at", "5,6"],
        ["profile", "CLIP", "--frames", "5"],
        ["profile", "CLIP", "--frames", "99"],
        ["crops", "CLIP", "--box", "3,4,20,16"],
        ["crops", "CLIP", "--frame", "0"],
    ],
    ids=" ".join,
)
def test_the_command_draws(tmp_path, model, words):
    clip = str(write_frames(tmp_path / "clip", moving(7, 64, 72)))
    out = tmp_path / "out.png"
    words = [clip if word == "CLIP" else word for word in words]
    assert main(["show", *words, str(out), "--model", model]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


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


def test_a_full_disk_is_said_in_a_line(tmp_path, model, capsys, monkeypatch):
    def fill(figure, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("vsduf.evaluation.figures.save", fill)
    assert main(["show", "motion", str(tmp_path / "out.png"), "--model", model]) == 1
    assert capsys.readouterr().err == f"vsduf: {tmp_path}/out.png: No space left on device\n"
