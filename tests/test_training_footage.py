"""Footage: what is found, what is refused, scene cuts, and that nothing is decoded twice."""

import numpy as np
import pytest
import torch
from footage import moving, texture, write_frames, write_picture

from vsduf.errors import ArgumentError, MediaError
from vsduf.training import footage
from vsduf.training.footage import clips_in, load, scenes


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


def test_clips_keep_names_of_their_own(tmp_path):
    for name in ("a.v1", "a.v2", "plain"):
        write_frames(tmp_path / name, moving(7, 8, 8))
    for name in ("x.mkv", "x.avi", "y.mkv"):
        (tmp_path / name).touch()
    found = clips_in(tmp_path)
    assert {n: p.name for n, p in found.items()} == {
        "a.v1": "a.v1", "a.v2": "a.v2", "plain": "plain", "x.mkv": "x.mkv", "x.avi": "x.avi", "y": "y.mkv",
    }  # fmt: skip


def test_refusals(tmp_path):
    with pytest.raises(ArgumentError, match="does not exist"):
        load([tmp_path / "none"], [], tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="holds nothing to train on; put videos there"):
        load([tmp_path / "empty"], [], tmp_path / "cache")
    write_frames(tmp_path / "small", moving(7, 32, 48))
    with pytest.raises(ArgumentError, match="48x32, but a patch with its margins takes 144 pixels"):
        load([tmp_path / "small"], [], tmp_path / "cache", 144)
    write_frames(tmp_path / "cuts", np.concatenate([moving(4, 64, 64, 0), moving(4, 64, 64, 1) // 9]))
    with pytest.raises(ArgumentError, match="no scene of 7 frames"):
        load([tmp_path / "cuts"], [], tmp_path / "cache")


def test_files_that_are_no_media(tmp_path):
    (tmp_path / "film.mkv").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="cannot be decoded"):
        load([tmp_path], [], tmp_path / "cache")
    (tmp_path / "film.mkv").unlink()
    (tmp_path / "photo.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        load([], [tmp_path], tmp_path / "cache")


def test_frames_of_several_sizes(tmp_path):
    folder = write_frames(tmp_path / "a", moving(7, 32, 32))
    write_picture(folder / "999.png", texture(20, 20))
    with pytest.raises(MediaError, match="pictures of several sizes"):
        load([tmp_path], [], tmp_path / "cache")
