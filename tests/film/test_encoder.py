"""Clips become films: every sample, time, tag and stream, and nothing left behind when it goes wrong."""

from dataclasses import replace
from fractions import Fraction

import pytest
import vapoursynth as vs
from helpers import films

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import matroska, probe, timeline
from vsduf.film.codec import Settings
from vsduf.film.encoder import encode
from vsduf.film.source import open_source

core = vs.core
LOSSLESS = Settings(codec="ffv1")
FORMATS = [
    *(vs.GRAY8, vs.GRAY10, vs.GRAY16, vs.RGB24, vs.RGB30, vs.RGB48),
    *(vs.YUV420P8, vs.YUV422P8, vs.YUV444P8, vs.YUV410P8, vs.YUV411P8, vs.YUV440P8),
    *(vs.YUV420P9, vs.YUV420P10, vs.YUV422P10, vs.YUV444P12, vs.YUV420P14, vs.YUV422P16),
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_sample_of_every_format_arrives(form, tmp_path):
    clip = films.noise(form)
    encode(clip, tmp_path / "out.mkv", settings=LOSSLESS)
    assert films.same_frames(clip, films.opened(tmp_path / "out.mkv")[0])


@pytest.mark.parametrize("form", [vs.GRAYS, vs.RGBH, vs.YUV444PS], ids=lambda form: form.name)
def test_float_samples_are_refused_by_name(form, tmp_path):
    with pytest.raises(MediaError, match=r"cannot be encoded; convert the clip to 8-16-bit integer"):
        encode(core.std.BlankClip(None, 20, 12, form, 5), tmp_path / "out.mkv", settings=LOSSLESS)


def test_everything_else_of_the_film_arrives_too(full, tmp_path):
    film, out = open_source(full), tmp_path / "out.mkv"
    clip = films.larger(film.clip)
    encode(clip, out, film, LOSSLESS)
    assert films.same_frames(clip, films.opened(out)[0])
    told = films.told(out)
    assert [(s.kind, s.codec) for s in probe.media(out).streams] == [
        ("video", "ffv1"),
        ("audio", "aac"),
        ("subtitle", "subrip"),
        ("attachment", "none"),
    ]
    for word in ("#0:0(fin)", "#0:1(ger)", "#0:2(fre)", "The Film", ": One", ": Two", ": Picture", "chapters.txt"):
        assert word in told
    assert "SAR 8:9 DAR 4:3" in told
    assert "BPS" not in told  # it was the old video's
    before, after = dict(film.clip.get_frame(3).props), dict(films.opened(out)[0].get_frame(3).props)
    for name in ("_Matrix", "_Transfer", "_Primaries", "_Range", "_ChromaLocation", "_SARNum", "_SARDen"):
        assert before[name] == after[name], name
    assert [p.name for p in tmp_path.iterdir() if p.suffix] == ["out.mkv"]


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "ts", "webm"])
def test_the_rate_is_exact_and_the_sound_stays_where_it_was(full, ending, tmp_path):
    late = tmp_path / "late.mkv"  # the pictures start 0.4 s after the sound
    codec = ["-c:a", "libopus"] if ending == "webm" else ["-c:a", "copy"]
    films.ffmpeg("-itsoffset", 0.4, "-i", full, "-i", full, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *codec, late)
    out = tmp_path / f"out.{ending}"
    film = open_source(late)
    encode(films.larger(film.clip), out, film)
    clip, times = films.opened(out)
    assert Fraction(clip.fps) == Fraction(24000, 1001)
    assert clip.num_frames == film.clip.num_frames
    was = films.opened(late)[1][0] - films.sound_start(late)
    assert abs(times[0] - films.sound_start(out) - was) <= Fraction(8 if ending == "webm" else 1, 1000)  # Opus: 6.5 ms
    assert abs(times[-1] - times[0] - (clip.num_frames - 1) * Fraction(1001, 24000)) <= Fraction(1, 1000)


def test_a_broadcast_that_starts_late_starts_at_zero(tmp_path):
    source, out = tmp_path / "in.ts", tmp_path / "out.mkv"
    films.ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=2", "-itsoffset", 0.3, "-f", "lavfi", "-i", "sine=d=2"],
        *["-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", 9000, source],
    )
    film = open_source(source)
    encode(films.larger(film.clip), out, film, LOSSLESS)
    assert film.media.clock.start > 9000
    was = films.opened(source)[1][0] - films.sound_start(source)
    times = films.opened(out)[1]
    assert abs(times[0] - films.sound_start(out) - was) <= Fraction(1, 1000)
    assert abs(times[0]) < Fraction(1, 10)


def test_pictures_before_zero_stay_before_the_sound(full, tmp_path):
    film, out = open_source(full), tmp_path / "out.mkv"
    early = timeline.constant(film.timeline.rate, film.clip.num_frames, Fraction(-1, 2))
    encode(film.clip, out, replace(film, timeline=early))
    was = films.opened(full)[1][0] - films.sound_start(full)
    assert abs(films.opened(out)[1][0] - films.sound_start(out) - was + Fraction(1, 2)) <= Fraction(1, 1000)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_frames_at_irregular_times_keep_them(ending, tmp_path):
    source = films.picture_film(tmp_path / "in.mkv", "select='lt(n,9)+not(mod(n,4))'", "testsrc2=s=48x32:r=25:d=2")
    film, out = open_source(source), tmp_path / f"out.{ending}"
    encode(films.larger(film.clip), out, film, Settings(codec="libx264"))
    assert not film.timeline.constant
    assert films.opened(out)[1] == films.opened(source)[1]
    with pytest.raises(MediaError, match="AVI cannot hold a variable frame rate"):
        encode(film.clip, tmp_path / "out.avi", film)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("kind", "rate"), [("mkv", 25), ("mp4", 1000), ("mkv", 1000), ("mkv", 2000)])
def test_the_last_frame_is_shown_at_any_rate(each_ffmpeg, kind, rate, ending, tmp_path):
    """Matroska rounds the times of 2000 frames per second, which makes the rate variable."""
    words = ["-frames:v", 12, "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    source = films.picture_film(tmp_path / f"in.{kind}", "null", f"testsrc2=s=48x32:r={rate}", *words)
    film, out = open_source(source), tmp_path / f"out.{ending}"
    encode(films.larger(film.clip), out, film)
    assert films.opened(out)[0].num_frames == 12
    shown = films.ffmpeg("-i", out, "-fps_mode", "passthrough", "-f", "framecrc", "-").splitlines()
    assert sum(not line.startswith("#") for line in shown) == 12


def test_mastering_metadata_of_hdr_films_arrives(tmp_path):
    light = {"ContentLightLevelMax": 1000, "ContentLightLevelAverage": 400}
    light |= {"MasteringDisplayPrimariesX": [0.68, 0.265, 0.15], "MasteringDisplayPrimariesY": [0.32, 0.69, 0.06]}
    light |= {"MasteringDisplayWhitePointX": 0.3127, "MasteringDisplayWhitePointY": 0.329}
    light |= {"MasteringDisplayMaxLuminance": 1000.0, "MasteringDisplayMinLuminance": 0.005}
    clip = films.noise(vs.YUV420P10).std.SetFrameProps(_Matrix=9, _Transfer=16, _Primaries=9, **light)
    encode(clip, tmp_path / "out.mkv", settings=LOSSLESS)
    props = films.opened(tmp_path / "out.mkv")[0].get_frame(0).props
    assert {name: props[name] for name in light} == {k: pytest.approx(v, rel=1e-3) for k, v in light.items()}
    assert (props["_Matrix"], props["_Transfer"], props["_Primaries"]) == (9, 16, 9)


def test_a_film_turned_by_its_player_is_stored_upright(tmp_path):
    flat = films.picture_film(tmp_path / "flat.mp4", "null", "testsrc2=s=48x32:r=25:d=0.2", "-c:v", "libx264")
    films.ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    film = open_source(tmp_path / "turned.mp4")
    encode(films.larger(film.clip), tmp_path / "out.mp4", film)
    clip, _ = films.opened(tmp_path / "out.mp4")
    assert (clip.width, clip.height) == (128, 192)
    assert "rotation" not in films.told(tmp_path / "out.mp4")
    assert film.notes == ()


@pytest.mark.parametrize(
    ("settings", "form", "words"),
    [
        (Settings("libx264", depth=12), vs.YUV420P8, r"libx264 cannot encode YUV420P12; choose another --depth"),
        (Settings("ffv1", crf=3), vs.YUV420P8, r"ffv1 has no crf; set its own option with --encoder-option"),
        (Settings("libx264", preset="bogus"), vs.YUV420P8, r"cannot write the film: .*bogus"),
        (Settings("nonesuch"), vs.YUV420P8, r"nonesuch is not a video encoder"),
    ],
)
def test_what_the_encoder_cannot_do_is_said_before_the_second_frame_is_made(settings, form, words, tmp_path):
    """ffmpeg's own refusals come after the first frame, which shows whether there is an alpha channel."""
    asked = []
    clip = films.noise(form)
    watched = clip.std.FrameEval(lambda n: (asked.append(n), clip)[1])
    with pytest.raises((MediaError, ArgumentError), match=words):
        encode(watched, tmp_path / "out.mkv", settings=settings)
    assert set(asked) <= ({0} if "cannot write" in words else set())
    assert list(tmp_path.iterdir()) == []


def test_rgb_goes_to_encoders_that_order_it_otherwise(tmp_path):
    clip = films.noise(vs.RGB24, 32, 32)
    encode(clip, tmp_path / "out.mkv", settings=Settings("libx264rgb", crf=0))
    assert films.same_frames(clip, films.opened(tmp_path / "out.mkv")[0])


def test_an_error_in_the_clip_is_the_callers_and_the_old_film_stays(tmp_path):
    def fail(n, f):
        if n == 3:
            raise RuntimeError("the third is broken")
        return f

    out = tmp_path / "out.mkv"
    out.write_text("the old film")
    clip = films.noise()
    with pytest.raises(vs.Error, match="the third is broken"):
        encode(clip.std.ModifyFrame(clip, fail), out, settings=LOSSLESS, overwrite=True)
    assert out.read_text() == "the old film"
    assert list(tmp_path.iterdir()) == [out]


def test_frames_too_large_for_ffmpeg_are_refused(monkeypatch):
    monkeypatch.setattr(matroska, "MAX_FRAME", 100)
    with pytest.raises(MediaError, match=r"a frame of 20x12 has 0 MiB"):
        matroska.header(films.noise().get_frame(0), Fraction(25))


def test_a_clip_of_another_length_than_its_source_and_one_without_a_rate_are_refused(full, tmp_path):
    film = open_source(full)
    with pytest.raises(ArgumentError, match="the clip has 1 frames and its source 36"):
        encode(film.clip[0], tmp_path / "out.mkv", film)
    with pytest.raises(ArgumentError, match="no constant frame rate"):
        encode(films.noise() + films.noise().std.AssumeFPS(fpsnum=30), tmp_path / "out.mkv")
