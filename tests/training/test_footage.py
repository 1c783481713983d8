"""Footage: what is found, what is refused, scene cuts, and that nothing is decoded twice."""

import numpy as np
import pytest
import torch
from helpers.footage import moving, texture, write_frames, write_picture

from vsduf.errors import ArgumentError, MediaError
from vsduf.training import footage
from vsduf.training.footage import load, scenes


def test_frame_folders_and_photographs(tmp_path):
    frames = moving(9, 48, 64)
    write_frames(tmp_path / "clips" / "a", frames)
    (tmp_path / "photos").mkdir()
    photo = texture(50, 70)
    write_picture(tmp_path / "photos" / "p.png", photo)
    found = load([tmp_path / "clips"], [tmp_path / "photos"], tmp_path / "cache")
    assert [np.array_equal(clip, frames) for clip in found.clips] == [True]
    assert [np.array_equal(picture, photo) for picture in found.photos] == [True]


def test_is_decoded_once(tmp_path, monkeypatch):
    write_frames(tmp_path / "clips" / "a", moving(8, 32, 32))
    first = load([tmp_path / "clips"], [], tmp_path / "cache")
    monkeypatch.setattr(footage, "read_clip", pytest.fail)
    again = load([tmp_path / "clips"], [], tmp_path / "cache")
    assert torch.equal(first.clips[0], again.clips[0])


def test_cuts_make_scenes():
    clip = np.concatenate([moving(8, 64, 64, 0), moving(10, 64, 64, 1) // 9, moving(3, 64, 64, 2)])
    assert scenes(clip) == [range(0, 8), range(8, 18)]


def test_fast_motion_makes_none():
    assert scenes(moving(12, 64, 64, step=40)) == [range(12)]


def test_refusals(tmp_path):
    with pytest.raises(ArgumentError, match="does not exist"):
        load([tmp_path / "none"], [], tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="holds no video and no folder of 7 frames or more"):
        load([tmp_path / "empty"], [], tmp_path / "cache")
    write_frames(tmp_path / "small", moving(7, 32, 48))
    with pytest.raises(ArgumentError, match="48x32, but at least 144 pixels each way are needed; remove it, or else"):
        load([tmp_path / "small"], [], tmp_path / "cache", 144, ", or else")
    write_frames(tmp_path / "cuts", np.concatenate([moving(4, 64, 64, 0), moving(4, 64, 64, 1) // 9]))
    with pytest.raises(ArgumentError, match="no scene of 7 frames"):
        load([tmp_path / "cuts"], [], tmp_path / "cache")


def test_what_has_changed_is_decoded_again(tmp_path):
    """A picture that is written over changes neither its folder's size nor its time."""
    folder = write_frames(tmp_path / "clips" / "a", moving(8, 32, 32))
    load([tmp_path / "clips"], [], tmp_path / "cache")
    stamp = folder.stat().st_mtime_ns
    write_picture(folder / "003.png", texture(32, 32, seed=9))
    assert folder.stat().st_mtime_ns == stamp
    assert np.array_equal(load([tmp_path / "clips"], [], tmp_path / "cache").clips[0][3], texture(32, 32, seed=9))


def test_a_damaged_cache_is_made_anew(tmp_path):
    write_frames(tmp_path / "clips" / "a", moving(8, 32, 32))
    load([tmp_path / "clips"], [], tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    for damage in (kept.read_bytes()[:-100], kept.read_bytes()[:20], b""):
        kept.write_bytes(damage)
        assert np.array_equal(load([tmp_path / "clips"], [], tmp_path / "cache").clips[0], moving(8, 32, 32))


def test_a_cache_that_is_a_file(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(ArgumentError, match="cache cannot be made"):
        load([], [], tmp_path / "cache")


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "gone.mkv").symlink_to(tmp_path / "elsewhere.mkv")
    with pytest.raises(MediaError, match=r"gone\.mkv cannot be read"):
        load([tmp_path], [], tmp_path / "cache")
