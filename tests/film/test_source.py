"""Films are opened with their clock, or refused with a sentence."""

import os
from fractions import Fraction

import pytest
from helpers import films

from vsduf.errors import MediaError
from vsduf.film import packets, source
from vsduf.film.source import open_source


def test_a_plain_film(tmp_path):
    film = open_source(films.picture_film(tmp_path / "in.mkv"))
    assert film.clip.num_frames == 25
    assert film.timeline.constant
    assert (film.timeline.rate, film.track, film.notes) == (Fraction(25), 0, ())


def test_a_single_picture_is_a_film_of_one_frame(tmp_path):
    film = open_source(films.picture_film(tmp_path / "in.png", "null", "testsrc2=s=48x32:d=0.04", "-frames:v", 1))
    assert film.clip.num_frames == len(film.timeline.stamps) == 1


def test_the_decoders_even_size_is_spoken_of(tmp_path):
    path = films.picture_film(
        tmp_path / "in.mkv", "null", "testsrc=s=48x31:r=25:d=0.4", "-c:v", "mpeg2video", "-pix_fmt", "yuv420p"
    )
    film = open_source(path)
    assert film.clip.height == 30
    assert film.notes == ("the source is 48x31, of which the decoder gives 48x30, whole chroma samples",)


def test_interlaced_films_are_refused_unless_only_their_marks_say_so(tmp_path):
    options = ["-flags", "+ildct+ilme", "-c:v", "mpeg2video"]
    path = films.picture_film(tmp_path / "in.mkv", "setfield=tff", "testsrc2=s=48x32:r=25:d=0.4", *options)
    with pytest.raises(MediaError, match=r"in\.mkv is interlaced \(top field first\); .* --auto"):
        open_source(path)
    assert open_source(path, progressive=True).clip.get_frame(0).props["_FieldBased"] == 0


def test_what_is_no_film_is_refused_by_name(tmp_path):
    (tmp_path / "noise.mkv").write_bytes(os.urandom(5000))
    films.ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / "sound.wav")
    for name, words in {
        "missing.mkv": "does not exist",
        ".": "is a folder",
        "noise.mkv": "is not a video that ffmpeg can read",
        "sound.wav": "has no video stream",
    }.items():
        with pytest.raises(MediaError, match=words):
            open_source(tmp_path / name)


def test_a_film_that_changes_its_size_is_refused(tmp_path):
    for size in ("48x32", "64x48"):
        words = ["-c:v", "mpeg2video", "-f", "mpegts"]
        films.picture_film(tmp_path / f"{size}.ts", "null", f"testsrc2=s={size}:r=25:d=0.4", *words)
    (tmp_path / "in.ts").write_bytes((tmp_path / "48x32.ts").read_bytes() + (tmp_path / "64x48.ts").read_bytes())
    with pytest.raises(MediaError, match=r"changes its size or format|jump back"):
        open_source(tmp_path / "in.ts")


def test_frames_without_timestamps_get_the_stated_rate_and_a_note(tmp_path):
    path = films.picture_film(
        tmp_path / "in.h264", "null", "testsrc2=s=48x32:r=25:d=1", "-c:v", "libx264", "-f", "h264"
    )
    film = open_source(path)
    assert film.timeline.constant
    assert len(film.timeline.stamps) == 25
    assert film.notes == ("the frames have no timestamps; 25 frames a second are assumed",)


@pytest.mark.parametrize("ending", ["mpg", "avi"])
def test_frames_of_which_only_some_have_timestamps_keep_their_rate(ending, tmp_path):
    codec = {"mpg": ["-c:v", "mpeg2video"], "avi": ["-c:v", "mpeg4", "-bf", 2]}[ending]
    film = open_source(films.picture_film(tmp_path / f"in.{ending}", "null", "testsrc2=s=48x32:r=25:d=1", *codec))
    assert film.timeline.constant
    assert film.timeline.rate == 25
    assert film.notes == ()


def test_the_index_lies_in_the_users_cache_or_nowhere(tmp_path, monkeypatch, cache):
    path = films.picture_film(tmp_path / "in.mpg", "null", "testsrc2=s=48x32:r=25:d=1", "-c:v", "mpeg2video")
    open_source(path)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mpg"]
    assert source.index_folder() == cache / "vsduf" / "index"
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # a file: no folder can be made in it
    assert source.index_folder() is None
    assert open_source(path).clip.num_frames == 25


def test_reading_says_how_far_it_is_and_nothing_else(tmp_path, caplog):
    said = []
    open_source(films.picture_film(tmp_path / "in.mkv"), said.append)
    assert said
    assert all(0 <= percent <= 100 for percent in said)
    assert caplog.text == ""


def test_a_few_marked_frames_are_passed_on_with_a_warning(tmp_path, caplog):
    parts = []
    for n, (field, length) in enumerate((("prog", 2.04), ("tff", 0.2), ("prog", 1))):
        flags = ["-flags", "+ildct+ilme"] if field == "tff" else []
        words = ["-c:v", "mpeg2video", *flags, "-f", "mpegts"]
        source = f"testsrc2=s=48x32:r=25:d={length}"
        parts.append(films.picture_film(tmp_path / f"{n}.ts", f"setfield={field},setpts=N/25/TB", source, *words))
    films.ffmpeg("-f", "mpegts", "-i", f"concat:{'|'.join(map(str, parts))}", "-c", "copy", tmp_path / "in.mkv")
    film = open_source(tmp_path / "in.mkv")
    marked = [n for n, f in enumerate(films.opened(tmp_path / "in.mkv")[0].frames()) if f.props["_FieldBased"]]
    assert marked
    assert not any(frame.props["_FieldBased"] for frame in film.clip.frames())
    said = [record.getMessage() for record in caplog.records if "interlaced" in record.getMessage()]
    assert said == [
        f"frame {marked[0]} and perhaps others are marked as interlaced; they are taken as progressive; "
        "deinterlace the film first if they show combs"
    ]


def test_a_short_video_cd_keeps_its_rate_and_its_sound(tmp_path, each_ffmpeg):
    path = tmp_path / "in.mpg"
    films.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=352x288:r=25:d=0.48", "-f", "lavfi", "-i", "sine=d=0.48:r=44100",
                 "-c:v", "mpeg1video", "-c:a", "mp2", "-f", "vcd", path)  # fmt: skip
    film = open_source(path)
    assert (film.timeline.rate, film.timeline.constant, film.clip.num_frames) == (25, True, 12)
    spans = packets.spans(path, [stream.index for stream in film.media.streams])
    sound = next(stream.index for stream in film.media.streams if stream.kind == "audio")
    assert abs(Fraction(film.timeline.time(0), 10**9) - spans[sound].first) < Fraction(1, 10)


def test_a_note_says_that_the_decoder_drops_alpha(tmp_path):
    path = tmp_path / "in.webm"
    films.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=0.2,format=yuva420p", "-c:v", "libvpx-vp9", path)
    assert open_source(path).notes == ("the alpha channel is left out, as the decoder of this codec drops it",)
    path = films.picture_film(tmp_path / "in.mkv", "format=yuva444p", "testsrc2=s=48x32:r=25:d=0.2", "-c:v", "ffv1")
    assert open_source(path).notes == ()
