"""Weights files: three conventions, one network; and what is said of files that are none."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from helpers.conventions import to_authors, to_basicsr
from helpers.networks import random_network

from vsduf.errors import WeightsError
from vsduf.network import catalogue, weights
from vsduf.network.config import WIDTHS
from vsduf.network.duf import Duf, DufConfig
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.network.shapes import shapes_of


def write(path, network):
    """The network in the convention that the file's ending stands for."""
    state = network.state_dict()
    if path.suffix == ".safetensors":
        weights.save(path, state, {"siting": "center"}, np.float32)
    elif path.suffix == ".pth":
        torch.save({"params": to_basicsr(state)} if "params" in path.stem else to_basicsr(state), path)
    else:
        with h5py.File(path, "w") as file:
            for name, tensor in to_authors(state).items():
                file.create_dataset(f"params/{name}", data=tensor.numpy())
    return path


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a_params.pth", "a.h5"])
@pytest.mark.parametrize(
    "config", [DufConfig(2, 6, 32), DufConfig(3, 12, 16), DufConfig(4, 24, 16), DufConfig(4, 6, 32, True)]
)
def test_every_convention_gives_the_same_output(tmp_path, config, name):
    network = random_network(config)
    loaded = weights.load(write(tmp_path / name, network))
    assert loaded.config == config
    assert loaded.siting == ("center" if name.endswith("safetensors") else "top-left")
    window = torch.rand(1, 3, 7, 4, 5)
    with torch.inference_mode():
        expected, got = (dynamic_upsample(window[:, :, 3], *n(window)) for n in (network, loaded.network()))
    assert torch.equal(expected, got)


def test_the_authors_names_are_theirs():
    names = set(to_authors(random_network(DufConfig(4, 6, 32)).state_dict()))
    assert {"G_conv1_W:0", "G_conv1_b:0", "G_Rbn1a_gamma:0", "G_Rbn1a_beta:0", "G_Rbn1a_moving__mean:0"} < names
    assert {"G_Rbn6b_moving__variance:0", "G_Rconv6b_W:0", "G_fbn1_gamma:0", "G_conv2_W:0", "G_rconv2_b:0"} < names
    assert {"G_rconv1_W:0", "G_fconv1_W:0", "G_fconv2_W:0"} < names
    assert len(names) == 2 * 7 - 2 + 4 + 6 * 12


def test_basicsr_names_are_theirs():
    names = set(to_basicsr(random_network(DufConfig.of_depth(52)).state_dict()))
    assert {"conv3d1.weight", "dense_block1.dense_blocks.20.5.bias", "dense_block2.temporal_reduce3.2.weight"} < names
    assert {"bn3d2.running_var", "conv3d2.weight", "conv3d_r1.weight", "conv3d_r2.bias", "conv3d_f2.weight"} < names


def test_residual_channels_are_permuted_once(tmp_path):
    network = random_network(DufConfig(2, 6, 32))
    with h5py.File(write(tmp_path / "a.h5", network)) as file:
        theirs = torch.from_numpy(file["params/G_rconv2_b:0"][()])
    ours = network.residual_head[2].bias.detach()
    for subpixel in range(4):
        for colour in range(3):
            assert theirs[subpixel * 3 + colour] == ours[colour * 4 + subpixel]


def test_half_precision_on_disk_is_close(tmp_path):
    network = random_network(DufConfig(4, 6, 32, True))
    weights.save(tmp_path / "a.safetensors", network.state_dict(), {})
    window = torch.rand(1, 3, 7, 8, 8)
    with torch.inference_mode():
        a, b = (
            dynamic_upsample(window[:, :, 3], *n(window))
            for n in (network, weights.load(tmp_path / "a.safetensors").network())
        )
    assert 10 * torch.log10(1 / (a - b).square().mean()) > 70


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.safetensors", b"", "damaged"),
        ("a.safetensors", b"\x10\0\0\0\0\0\0\0{}", "damaged"),
        ("a.pth", b"not a zip", "damaged"),
        ("a.h5", b"not hdf5", "damaged"),
        ("a.onnx", b"", "there is no model"),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message) as error:
        weights.load(tmp_path / name)
    assert "\n" not in str(error.value)


def test_missing_and_unknown_models_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        weights.load(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="there is no model 'duf-99'"):
        weights.load("duf-99")


def test_foreign_networks_are_refused(tmp_path):
    torch.save({"conv_first.weight": torch.zeros(3)}, tmp_path / "esrgan.pth")
    with pytest.raises(WeightsError, match="not a DUF network"):
        weights.load(tmp_path / "esrgan.pth")
    state = dict(random_network(DufConfig(4, 6, 32)).state_dict())
    del state["merge.bias"]
    weights.save(tmp_path / "part.safetensors", state, {})
    with pytest.raises(WeightsError, match="whole DUF network"):
        weights.load(tmp_path / "part.safetensors")


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    torch.save({"params": print}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="damaged or not a torch weights"):
        weights.load(tmp_path / "evil.pth")


def test_the_best_model_is_chosen_by_headers_alone(monkeypatch):
    monkeypatch.setattr(weights, "load", lambda _: pytest.fail("a model was read to find the best one"))
    assert catalogue.best(3) == "duf-16s-x3"
    with pytest.raises(WeightsError, match="no model for scale 5"):
        catalogue.best(5)


@pytest.mark.parametrize("name", ["a.safetensors", "a.h5"])
def test_files_are_read_and_written_without_torch(tmp_path, name):
    write(tmp_path / name, random_network(DufConfig(2, 6, 32)))
    script = (
        "import sys; from vsduf.network import weights; loaded = weights.load(sys.argv[1])\n"
        "weights.save(weights.Path(sys.argv[2]), loaded.state, loaded.metadata); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / name, tmp_path / "out.safetensors"], check=True)
    assert weights.load(tmp_path / "out.safetensors").config == DufConfig(2, 6, 32)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_shapes_are_those_of_the_network(streaming, width):
    config = DufConfig.of_depth(16, 3, streaming=streaming, width=width)
    state = Duf(config).state_dict()
    assert shapes_of(config) == {name: tuple(v.shape) for name, v in state.items() if v.is_floating_point()}
