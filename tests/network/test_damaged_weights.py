"""Damaged and malicious weights files: each loads as a usable network, or is refused in one sentence."""

import errno
import os
import resource
import struct
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from helpers.conventions import to_authors, to_basicsr
from helpers.networks import random_network
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsduf.errors import WeightsError
from vsduf.network import weights
from vsduf.network.duf import DufConfig

TINY = DufConfig(2, 4, 6, stem=6, merge=6, filter_hidden=6, residual_hidden=6)
FORMATS = ["safetensors", "pth", "legacy.pth", "h5"]
MEMORY = 200e6  # bytes; a tiny network's file has 60 KB


def write(path, tensors):
    """Writes tensors under the names of the format that the file's name stands for."""
    if path.suffix == ".safetensors":
        weights.save(path, tensors, {"siting": "center"}, np.float32)
    elif path.suffix == ".pth":
        torch.save(tensors, path, _use_new_zipfile_serialization="legacy" not in path.name)
    else:
        with h5py.File(path, "w") as file:
            for name, tensor in tensors.items():
                file.create_dataset(f"params/{name}", data=np.asarray(tensor))
    return path


def named(path):
    """The tiny network's tensors under the names of the file's format."""
    state = {k: v for k, v in random_network(TINY).state_dict().items() if v.is_floating_point()}
    return {".h5": to_authors, ".pth": to_basicsr}.get(path.suffix, dict)(state)


def load(path):
    """Returns the weights of a file, which are usable, or None if it was refused, in one sentence."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        loaded = weights.load(path)
    except WeightsError as error:
        said = str(error)
    else:
        said = ""
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
    if said:
        assert "\n" not in said and str(path) in said
        return None
    with torch.inference_mode():
        assert all(result.isfinite().all() for result in loaded.network()(torch.rand(1, 3, 7, 4, 4)))
    return loaded


@pytest.fixture(scope="module", params=FORMATS)
def whole(request, tmp_path_factory):
    """A whole file of each format."""
    path = tmp_path_factory.mktemp("weights") / f"whole.{request.param}"
    write(path, named(path))
    assert load(path) is not None
    return path


damage = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 4000)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.integers(1, 4000)),
        st.tuples(st.just("number"), st.floats(0, 1), st.sampled_from([0, 1, 2**31 - 1, 2**32, 2**63 - 1, 2**64 - 1])),
        st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content, changes):
    """The bytes with each change made at a place given as a share of the length."""
    content = bytearray(content)
    for change, share, value in changes:
        at = int(share * (len(content) - 1))
        if change == "flip" and content:
            content[at] ^= value
        elif change == "cut":
            del content[at : at + value]
        elif change == "insert":
            content[at:at] = bytes(value)
        elif change == "number":
            content[at : at + 8] = struct.pack("<Q", value)
        elif change == "end":
            del content[at:]
    return bytes(content)


def check_damage(whole, changes):
    path = whole.with_name(f"damaged-{whole.name}")
    path.write_bytes(damaged(whole.read_bytes(), changes))
    load(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=damage)
def test_damaged_bytes(whole, changes):
    check_damage(whole, changes)


@pytest.mark.slow
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=damage)
def test_thousands_of_damaged_bytes(whole, changes):
    check_damage(whole, changes)


def refusal(path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError) as error:
        weights.load(path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
    assert "\n" not in str(error.value)
    return str(error.value)


def first(tensors, ending):
    return next(name for name in tensors if name.endswith(ending))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 2e8])
def test_values_that_are_no_weights_are_refused(tmp_path, suffix, value):
    path = tmp_path / f"a.{suffix}"
    tensors = named(path)
    tensors[list(tensors)[3]].view(-1)[0] = value
    if path.suffix == ".safetensors":
        with pytest.raises(WeightsError, match="holds values that are NaN or above 1e\\+08"):
            write(path, tensors)
        content = {k: v.contiguous() for k, v in tensors.items()}
        path.write_bytes(safetensors.torch.save(content, {"format": "vsduf 1"}))
    else:
        write(path, tensors)
    assert "holds values that are NaN or above 1e+08; use other weights" in refusal(path)


@pytest.mark.parametrize(("suffix", "ending"), [("pth", "running_var"), ("h5", "moving__variance:0")])
def test_a_negative_variance_is_refused(tmp_path, suffix, ending):
    path = tmp_path / f"a.{suffix}"
    tensors = named(path)
    tensors[first(tensors, ending)][0] = -1
    assert "holds a negative variance" in refusal(write(path, tensors))


def test_half_precision_that_would_overflow_is_not_written(tmp_path):
    state = random_network(TINY).state_dict()
    state["stem.bias"][0] = 70_000
    (tmp_path / "a.safetensors").write_text("older")
    with pytest.raises(WeightsError, match=r"stem\.bias holds values that are NaN or above"):
        weights.save(tmp_path / "a.safetensors", state, {})
    assert [p.read_text() for p in tmp_path.iterdir()] == ["older"]


def test_shapes_without_values_take_no_memory(tmp_path):
    """205 KB once took 7.5 GiB: the shapes claimed a network that the file had no values for."""
    shapes = {k: (4096, 0, *v.shape[2:]) for k, v in named(tmp_path / "a.safetensors").items()}
    shapes |= {f"residual_head.2.{name}": (12, 0) for name in ("weight", "bias")}
    shapes |= {f"blocks.{k}.conv2.weight": (4096, 4096, 0, 3, 3) for k in range(4)}
    path = tmp_path / "a.safetensors"
    tensors = {k: torch.zeros(shape) for k, shape in shapes.items()}
    path.write_bytes(safetensors.torch.save(tensors, {"format": "vsduf 1"}))
    assert "blocks.0.conv1.bias has the shape [4096, 0] instead of [4096]" in refusal(path)


def test_a_file_with_too_many_blocks(tmp_path):
    tensors = named(tmp_path / "a.safetensors") | {f"blocks.{k}.conv2.weight": torch.zeros(0) for k in range(4, 50_000)}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()}, {"format": "vsduf 1"}))
    assert "has scale 2 and 50000 blocks; DUF has scale 2, 3 or 4 and 4 to 100 blocks" in refusal(path)


def test_a_torch_file_that_repeats_its_values_takes_no_memory(tmp_path):
    path = tmp_path / "a.pth"
    tensors = {name: tensor.flatten()[:1].expand(10**5, 10**5) for name, tensor in named(path).items()}
    assert "bytes of weights, but has" in refusal(write(path, tensors))


def test_a_torch_file_that_unpacks_to_much_more_takes_no_memory(tmp_path):
    path = write(tmp_path / "a.pth", named(tmp_path / "a.pth"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/bomb", bytes(10**8))
    assert "bytes of weights, but has" in refusal(path)


def test_datasets_without_values_take_no_memory(tmp_path):
    path = write(tmp_path / "a.h5", named(tmp_path / "a.h5"))
    with h5py.File(path, "a") as file:
        del file["params/G_conv1_W:0"]
        file.create_dataset("params/G_conv1_W:0", (1, 3, 3, 30_000, 30_000), np.float32, chunks=True)
    assert "bytes of weights, but has" in refusal(path)


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(6, dtype=torch.int64), torch.ones(6, dtype=torch.complex64), torch.ones(6).to_sparse(), "text", None],
    ids=["integers", "complex numbers", "sparse", "text", "nothing"],
)
def test_torch_files_hold_dense_floats(tmp_path, tensor):
    path = tmp_path / "a.pth"
    said = refusal(write(path, named(path) | {"conv3d1.bias": tensor}))
    assert "conv3d1.bias" in said or "not a torch weights file" in said


@pytest.mark.parametrize(
    ("suffix", "name", "shape", "message"),
    [
        ("pth", "conv3d1.weight", (6, 3, 3, 3), "conv3d1.weight has 4 axes instead of 5"),
        ("h5", "G_conv1_b:0", (6, 1), "G_conv1_b:0 has 2 axes instead of 1"),
        ("h5", "G_rconv2_b:0", (7,), "has 7 residual channels, which are not three colours"),
        ("h5", "G_rconv2_W:0", (1, 1, 1, 6, 0), "has 0 residual channels"),
        ("safetensors", "stem.bias", (), "stem.bias has the shape [] instead of [6]"),
        ("safetensors", "merge.weight", (), "does not hold a DUF network"),
        ("safetensors", "surplus", (1,), "surplus does not belong there"),
    ],
)
def test_shapes_that_do_not_fit_are_named(tmp_path, suffix, name, shape, message):
    path = tmp_path / f"a.{suffix}"
    assert message in refusal(write(path, named(path) | {name: torch.zeros(shape)}))


def test_hdf5_with_another_structure_is_refused(tmp_path):
    for k, make in enumerate(
        (
            lambda file: file.create_dataset("params", data=[1.0]),
            lambda file: file.create_group("weights"),
            lambda file: file.update({"params": h5py.SoftLink("/params")}),
            lambda file: file.create_dataset("params/G_conv1_W:0", data="text"),
        )
    ):
        path = tmp_path / f"{k}.h5"
        with h5py.File(path, "w") as file:
            make(file)
        assert "damaged or not one of the DUF authors' files" in refusal(path)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"null",
        b'{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
        b'{"__metadata__":{"format":1}}',
        b'{"\xff":{}}',
        b"{" * 5000,
    ],
)
def test_safetensors_with_a_malformed_header_are_refused(tmp_path, header):
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert "damaged or not a safetensors file" in refusal(tmp_path / "a.safetensors")


def test_names_of_any_bytes_load(tmp_path):
    for suffix in FORMATS:
        path = tmp_path / os.fsdecode(b"\xff a." + suffix.encode())
        assert load(write(path, named(path))) is not None


def test_a_name_that_is_too_long_is_refused(tmp_path):
    assert "cannot be read (File name too long)" in refusal(tmp_path / f"{'a' * 300}.safetensors")


def test_a_full_disk_leaves_the_older_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.safetensors", named(tmp_path / "a.safetensors"))
    older = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        weights.save(path, random_network(TINY, 1).state_dict(), {})
    assert error.value.filename == str(path)
    assert path.read_bytes() == older and list(tmp_path.iterdir()) == [path]
