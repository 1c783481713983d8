"""What goes along with the picture: sound, subtitles, attachments, covers, chapters and tags."""

import os

import pytest
from helpers import films

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import packets, probe
from vsduf.film.codec import Settings
from vsduf.film.containers import CONTAINERS
from vsduf.film.encoder import encode
from vsduf.film.probe import Media, Stream
from vsduf.film.source import open_source
from vsduf.film.streams import Wishes, choose

FAST = {"codec": "libx264", "preset": "ultrafast"}
PICTURE, SOUND = ["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=1"], ["-f", "lavfi", "-i", "sine=d=1:r=48000"]


def made(path, *words):
    films.ffmpeg(*PICTURE, *SOUND, *words, path)
    return path


def written(source, out, **settings):
    film = open_source(source)
    notes = encode(film.clip, out, film, Settings(**FAST | settings))
    return [(s.kind, s.codec) for s in probe.media(out).streams], list(notes)


@pytest.mark.parametrize(
    ("ending", "streams", "words"),
    [
        ("mkv", [("audio", "aac"), ("subtitle", "subrip"), ("attachment", "none")], []),
        ("MP4", [("audio", "aac"), ("subtitle", "mov_text"), ("data", "bin_data")], ["mov_text for MP4", "MP4 cannot"]),
        (
            "ts",
            [("audio", "aac")],
            ["subrip) is left out: MPEG-TS", "attachment none) is left out", "the chapters are"],
        ),
        ("avi", [("audio", "aac")], ["subrip) is left out: AVI", "attachment none) is left out", "the chapters are"]),
    ],
)
def test_each_stream_goes_along_or_is_spoken_of(ending, streams, words, full, tmp_path, each_ffmpeg):
    found, notes = written(full, tmp_path / f"out.{ending}")
    assert found == [("video", "h264"), *streams]
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


@pytest.mark.parametrize(
    ("source", "sound", "target", "codec", "words"),
    [
        ("in.vob", ["pcm_dvd", "-f", "vob", "-c:v", "mpeg2video"], "out.mkv", "flac", "flac without loss"),
        ("in.m2ts", ["pcm_bluray", "-c:v", "libx264"], "out.mkv", "flac", "flac without loss"),
        ("in.wmv", ["wmav2"], "out.mp4", "alac", "(wmav2) is converted to alac without loss"),
        ("in.mkv", ["pcm_s16be"], "out.webm", "opus", "converted to libopus at 256 kb/s"),
        ("in.mkv", ["truehd", "-ac", "2", "-strict", "-2"], "out.mp4", "", ""),
        ("in.mkv", ["flac"], "out.ts", "aac", "converted to aac at 320 kb/s"),
        ("in.mkv", ["libopus"], "out.avi", "", ""),
        ("in.mov", ["adpcm_ima_qt"], "out.mkv", "", ""),
        ("in.mkv", ["pcm_s24le"], "out.mkv", "pcm_s24le", ""),
    ],
)  # fmt: skip
def test_sound_that_does_not_fit_is_converted(source, sound, target, codec, words, tmp_path, each_ffmpeg):
    path = made(tmp_path / source, "-c:a", *sound)
    vp9 = {"codec": "libvpx-vp9", "preset": "", "options": {"cpu-used": "8", "deadline": "realtime"}}
    streams, notes = written(path, tmp_path / target, **(vp9 if target.endswith("webm") else {}))
    kinds = dict(reversed(streams))
    assert "audio" in kinds
    if codec:
        assert kinds["audio"] == codec
        assert words in " ".join(notes)
    assert bool(notes) == (kinds["audio"] != probe.media(path).streams[1].codec)


def test_sound_as_wished(full, tmp_path):
    assert written(full, tmp_path / "a.mkv", audio="none")[0] == [
        ("video", "h264"),
        ("subtitle", "subrip"),
        ("attachment", "none"),
    ]
    assert ("audio", "mp3") in written(full, tmp_path / "b.mkv", audio="libmp3lame")[0]
    path = made(tmp_path / "in.vob", "-c:a", "pcm_dvd", "-f", "vob", "-c:v", "mpeg2video")
    with pytest.raises(MediaError, match=r"Matroska cannot hold the sound in stream 1 \(pcm_dvd\).*use --audio auto"):
        written(path, tmp_path / "c.mkv", audio="copy")
    with pytest.raises(ArgumentError, match="--audio is nonesuch, which is not a sound encoder"):
        written(full, tmp_path / "d.mkv", audio="nonesuch")
    assert not [name for name in os.listdir(tmp_path) if name[0] in "cd"]


def test_subtitles_that_fit_nowhere_are_left_out_with_a_note(tmp_path):
    path = tmp_path / "in.ts"
    films.ffmpeg(*PICTURE, "-f", "lavfi", "-i", "color=s=48x32:d=1", "-map", 0, "-map", 1, "-c:v:0", "libx264",
                 "-c:v:1", "libx264", path)  # fmt: skip
    assert written(path, tmp_path / "out.mkv")[1] == [
        "stream 1 (video h264) is left out: only the first video is upscaled"
    ]
    teletext = Media(streams=(Stream(0, "video", "h264"), Stream(1, "subtitle", "dvb_teletext")))
    for ending, name in (("mkv", "Matroska"), ("mp4", "MP4")):
        taken, notes = choose(path, teletext, 0, tmp_path / f"trial.{ending}", CONTAINERS[f".{ending}"], Wishes())
        assert (taken, notes) == ([], [f"stream 1 (subtitle dvb_teletext) is left out: {name} cannot hold it"])


@pytest.mark.parametrize("endings", [("mp4", "mkv", "mp4"), ("mkv", "mkv", "mkv")])
def test_a_cover_stays_a_cover(endings, tmp_path, each_ffmpeg):
    path = made(tmp_path / "in.mp4", "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.04")
    cover = ["-f", "lavfi", "-i", "testsrc=s=64x64:d=0.04", "-map", 0, "-map", 1, "-c:v:1", "mjpeg"]
    films.ffmpeg(*PICTURE, *cover, "-disposition:v:1", "attached_pic", path)
    for n, ending in enumerate(endings):
        out = tmp_path / f"{n}.{ending}"
        assert written(path, out)[1] == []
        covers = [stream for stream in probe.media(out).streams if stream.cover]
        assert [stream.codec for stream in covers] == ["mjpeg"]
        path = out


def test_tags_that_were_true_of_the_old_video_only_go(tmp_path, each_ffmpeg):
    path = tmp_path / "in.mkv"
    stale = ["BPS-eng", "NUMBER_OF_FRAMES-eng", "NUMBER_OF_BYTES", "_STATISTICS_TAGS-ger", "DURATION-eng", "alpha_mode"]
    made(path, "-c:a", "aac", *(word for name in (*stale, "comment") for word in ("-metadata:s:v", f"{name}=7")),
         "-metadata:s:a", "BPS-eng=9")  # fmt: skip
    assert {name.lower() for name in stale} <= {name.lower() for name in probe.media(path).clock.stale}
    written(path, tmp_path / "out.mkv")
    told = [line.split() for line in films.told(tmp_path / "out.mkv").splitlines()]
    assert [line[0] for line in told if line[-1:] == ["7"]] == ["COMMENT"]
    assert [line[0] for line in told if line[-1:] == ["9"]] == ["BPS-eng"]
    written(path, tmp_path / "converted.mkv", audio="flac")
    assert "BPS" not in films.told(tmp_path / "converted.mkv")


KINDS = [
    ("mkv", ["aac", "libopus", "libmp3lame"]),
    ("mp4", ["libopus"]),
    ("webm", ["libopus"]),
    ("ts", ["aac"]),
    ("avi", ["libmp3lame"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "sound"), [(ending, sound) for ending, sounds in KINDS for sound in sounds])
def test_passes_in_a_row_leave_picture_and_sound_where_they_were(ending, sound, tmp_path, each_ffmpeg):
    """After the first pass nothing moves any more; in the first, only both together."""
    video = ["-c:v", "libvpx-vp9"] if ending == "webm" else ["-c:v", "libx264"]
    path = made(tmp_path / f"in.{ending}", *video, "-c:a", sound)
    settings = {"codec": "libvpx-vp9", "preset": "", "options": {"cpu-used": "8", "deadline": "realtime"}}
    beside, first = [], []
    for n in range(3):
        spans = packets.spans(path, [0, 1])
        first.append(float(spans[0].first))
        beside.append([float(time - spans[0].first) for time in (spans[1].first, spans[1].last)])
        assert spans[0].count == 25
        film, path = open_source(path), tmp_path / f"{n}.{ending}"
        encode(film.clip, path, film, Settings(**(settings if ending == "webm" else FAST)))
    assert first[1:] == pytest.approx([first[1]] * 2, abs=1e-6)
    for later in beside:
        assert later == pytest.approx(beside[0], abs=0.0021)


@pytest.mark.parametrize("name", [b"caf\xe9:\n.mkv", b"-%03d.mkv", b"x" * 251 + b".mkv"])
def test_every_name_goes_in_and_comes_out(name, full, tmp_path):
    source, target = tmp_path / os.fsdecode(b"in" + name[2:]), tmp_path / os.fsdecode(name)
    source.write_bytes(full.read_bytes())
    assert written(source, target)[0][0] == ("video", "h264")
    assert films.opened(os.fsencode(target))[0].num_frames == 36
