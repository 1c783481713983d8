"""A film that is not whole does not get its name."""

import subprocess
from fractions import Fraction

import pytest
from helpers import films

from vsduf.errors import MediaError
from vsduf.film import timeline
from vsduf.film.codec import Settings
from vsduf.film.encoder import encode
from vsduf.film.readback import Expected
from vsduf.film.source import open_source


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a small file system at the folder it returns, whenever it is called."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kilobytes):
        unmount()
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "none", folder]
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            pytest.skip("a small file system cannot be mounted here")
        return folder

    def unmount():
        subprocess.run(["umount", folder], capture_output=True, check=False)

    yield mount
    unmount()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["mkv", "mp4", "avi"])
def test_a_disk_that_fills_near_the_end_leaves_the_old_film(ending, tmp_path, small_disk, each_ffmpeg):
    source = tmp_path / "in.mkv"
    films.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x128:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2", source)
    film, whole = open_source(source), tmp_path / f"whole.{ending}"
    encode(film.clip, whole, film, Settings(preset="ultrafast"))
    size = -(-whole.stat().st_size // 4096) * 4
    for less in (4, 16):
        out = small_disk(size + 4 - less) / f"out.{ending}"  # the old film takes 4
        out.write_text("the old film")
        with pytest.raises((MediaError, OSError)):
            encode(film.clip, out, film, Settings(preset="ultrafast"), overwrite=True)
        assert [(p.name, p.read_text()) for p in out.parent.iterdir()] == [(out.name, "the old film")]


def test_what_is_missing_from_a_film_is_named(tmp_path):
    path = films.picture_film(tmp_path / "a.mkv", "null", "testsrc2=s=48x32:r=25:d=1", "-c:v", "ffv1")
    whole = path.read_bytes()
    list(Expected(timeline.constant(Fraction(25), 25)).check(path, {}))
    for times, words in (
        (timeline.constant(Fraction(25), 26), "25 of 26 frames are in it"),
        (timeline.constant(Fraction(5), 25), "its last frame comes after 0.960 s instead of 4.800"),
    ):
        with pytest.raises(MediaError, match=words):
            list(Expected(times).check(path, {}))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"the film was not written whole: \d+ of 25 frames"):
        list(Expected(timeline.constant(Fraction(25), 25)).check(path, {}))
    path.write_bytes(b"")
    with pytest.raises(MediaError, match="0 of 25 frames are in it"):
        list(Expected(timeline.constant(Fraction(25), 25)).check(path, {}))
