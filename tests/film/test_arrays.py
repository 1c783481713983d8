"""Clips on disk: how they are found and named, how they are read, what is refused."""

import numpy as np
import pytest
from helpers.films import picture_film
from helpers.footage import moving, texture, write_frames, write_picture
from PIL import Image

from vsduf.errors import ArgumentError, MediaError
from vsduf.film.arrays import by_name, clips_in, read_clip, read_image


def test_clips_keep_names_of_their_own(tmp_path):
    for name in ("a.v1", "a.v2", "plain"):
        write_frames(tmp_path / name, moving(7, 8, 8))
    for name in ("x.mkv", "x.avi", "y.mkv"):
        (tmp_path / name).touch()
    found = by_name(tmp_path)
    assert {n: p.name for n, p in found.items()} == {
        "a.v1": "a.v1", "a.v2": "a.v2", "plain": "plain", "x.mkv": "x.mkv", "x.avi": "x.avi", "y": "y.mkv",
    }  # fmt: skip


def test_what_counts_as_a_clip(tmp_path):
    write_frames(tmp_path / "short", moving(6, 8, 8))
    write_frames(tmp_path / "film.mkv", moving(7, 8, 8))  # a folder, whatever its name
    (tmp_path / "cover.png").touch()
    assert [p.name for p in clips_in([tmp_path])] == ["film.mkv"]
    assert sorted(by_name(tmp_path)) == ["film.mkv", "short"]
    with pytest.raises(ArgumentError, match="none does not exist"):
        clips_in([tmp_path / "none"])


def test_links_to_folders_are_followed_and_end(tmp_path):
    write_frames(tmp_path / "elsewhere" / "a", moving(7, 8, 8))
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "clips")
    assert list(by_name(tmp_path / "clips")) == ["more/a"]


def test_sixteen_bits_of_grey(tmp_path):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").tolist() == [[[0, 1, 128, 255]]] * 3


def test_a_video_is_read_as_it_is(tmp_path):
    path = picture_film(tmp_path / "film.mkv", "format=gbrp", "testsrc2=s=48x32:r=25:d=0.4")
    clip = read_clip(path)
    assert clip.shape == (10, 3, 32, 48)
    assert np.array_equal(read_clip(path, 4), clip[:4])


def test_interlaced_films_are_refused(tmp_path):
    path = picture_film(tmp_path / "film.mkv", "setfield=tff", "testsrc2=s=48x32:r=25:d=0.4", "-c:v", "ffv1")
    with pytest.raises(MediaError, match=r"is interlaced \(top field first\); deinterlace it first"):
        read_clip(path)


def test_films_that_change_their_size_are_refused(tmp_path):
    parts = [
        picture_film(tmp_path / f"{side}.ts", "null", f"testsrc2=s={side}x32:r=25:d=0.4", "-c:v", "libx264")
        for side in (48, 64)
    ]
    path = tmp_path / "film.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(MediaError, match="changes its size or format on the way"):
        read_clip(path)


def test_what_is_no_media(tmp_path):
    (tmp_path / "film.mkv").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_clip(tmp_path / "film.mkv")
    (tmp_path / "photo.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        read_image(tmp_path / "photo.png")


def test_frames_of_several_sizes(tmp_path):
    folder = write_frames(tmp_path / "a", moving(7, 32, 32))
    write_picture(folder / "999.png", texture(20, 20))
    with pytest.raises(MediaError, match="pictures of several sizes"):
        read_clip(folder)
