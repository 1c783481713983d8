"""Kinds of files, and reading what ffmpeg prints."""

from fractions import Fraction
from pathlib import Path

import pytest
from helpers import films

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import probe
from vsduf.film.containers import CONTAINERS, container
from vsduf.film.probe import Clock

MKV = """Input #0, matroska,webm, from 'Stream #0:7: Video: fake':
  Metadata:
    title           : Stream #0:8: Audio: fake
                    : Stream #0:9: Audio: fake
  Duration: 00:00:02.02, start: -0.007000, bitrate: 148 kb/s
  Chapters:
    Chapter #0:0: start 0.000000, end 1.000000
  Stream #0:0(fin): Video: h264 (High), yuv420p(tv, smpte170m/unknown/unknown, progressive), 96x64 [SAR 8:9 DAR 4:3]
  Stream #0:1: Audio: aac (LC), 44100 Hz, mono, fltp
  Stream #0:2(eng): Subtitle: subrip (srt), start 0.200000
  Stream #0:3: Attachment: ttf
  Stream #0:4: Video: mjpeg (Baseline), yuvj444p(pc), 64x64 [SAR 1:1 DAR 1:1], 90k tbr, 90k tbn (attached pic)
"""
TS = """Input #0, mpegts, from 'in.ts':
  Duration: 00:00:07.60, start: 1.400000, bitrate: 4813 kb/s
  Program 1
    Metadata:
      service_name    : Service01
    Stream #0:0[0x100]: Video: mpeg2video (Main) ([2][0][0][0] / 0x0002), yuv420p(tv), 720x405 [SAR 1:1 DAR 16:9]
    Stream #0:1[0x101](eng): Audio: mp2 ([3][0][0][0] / 0x0003), 48000 Hz, stereo, fltp, 192 kb/s
"""
X264 = """Encoder libx264 [libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10]:
    General capabilities: dr1 delay threads
    Supported pixel formats: yuv420p yuv420p10le gray
libx264 AVOptions:
  -preset            <string>     E..V....... Set the encoding preset (default "medium")
  -crf               <float>      E..V....... Select the quality (from -1 to FLT_MAX) (default -1)
     none            0            E..V.......
"""


def test_what_ffmpeg_prints_of_a_file():
    assert probe.parse_clock(MKV) == Clock(Fraction(-7, 1000), Fraction(202, 100), True, {0: (96, 64), 4: (64, 64)})
    assert probe.parse_clock(TS) == Clock(Fraction(7, 5), Fraction(76, 10), False, {0: (720, 405)})
    assert probe.parse_clock("  Duration: N/A, start: 0.040000, bitrate: N/A") == Clock(Fraction(1, 25))
    assert probe.parse_clock("  Duration: N/A, bitrate: N/A") == Clock()


def test_what_a_file_holds(tmp_path):
    path = films.full_film(tmp_path)
    media = probe.media(path)
    assert [(s.index, s.kind, s.codec, s.tags.get("language")) for s in media.streams] == [
        (0, "video", "h264", "fin"),
        (1, "audio", "aac", "ger"),
        (2, "subtitle", "subrip", "fre"),
        (3, "attachment", "none", None),
    ]
    films.ffmpeg("-i", path, "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.04", "-map", "0:0", "-map", 1,
                 "-c:v:1", "mjpeg", "-disposition:v:1", "attached_pic", tmp_path / "cover.mp4")  # fmt: skip
    assert [s.cover for s in probe.media(tmp_path / "cover.mp4").streams if s.kind == "video"] == [False, True]


def test_what_ffmpeg_prints_of_an_encoder():
    known = probe.parse_encoder("libx264", X264)
    assert known.formats == {"yuv420p", "yuv420p10le", "gray"}
    assert known.options == {"preset", "crf"}
    assert probe.parse_encoder("x", "Codec 'x' is not recognized by FFmpeg.") is None


def test_an_encoder_of_sound_or_none_at_all_is_refused():
    for name in ("nonesuch", "libmp3lame", "aac"):
        with pytest.raises(MediaError, match=f"{name} is not a video encoder"):
            probe.encoder(name)


def test_an_old_ffmpeg_on_path_is_passed_over(tmp_path, monkeypatch):
    old = tmp_path / "ffmpeg"
    old.write_text("#!/bin/sh\necho ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    probe.program.cache_clear()
    assert probe.program() != str(old)
    old.write_text("#!/bin/sh\necho ffmpeg version n6.1 Copyright\n")
    probe.program.cache_clear()
    assert probe.program() == str(old)
    probe.program.cache_clear()


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.mkv.part"])
def test_an_unknown_kind_of_file_is_refused_with_those_that_are_known(name):
    with pytest.raises(ArgumentError, match=r"not known; end it in one of \.mkv"):
        container(Path(name))


def test_every_container_writes_the_codec_that_is_its_default():
    assert all(probe.encoder(codec).options for codec in {box.codec for box in CONTAINERS.values()})
