"""Films that other programs have stumbled over: each comes out whole, or what is missing is said."""

import itertools

import pytest
from helpers import films

from vsduf.errors import MediaError
from vsduf.film import encode, open_source

SOURCES = [word for text in ("testsrc2=s=64x48:r=25:d=3", "sine=d=3") for word in ("-f", "lavfi", "-i", text)]
FRAMES = 75


def film(path, *words):
    """Writes three seconds of picture and sound."""
    films.ffmpeg(*SOURCES, *words, path)
    return path


def upscaled(path):
    """Returns the film that is made of `path`, and what is said of it."""
    source = open_source(path)
    target = path.with_name(f"{path.name}.out.mkv")
    said = (*source.notes, *encode(source.clip, target, source))
    clip, times = films.opened(target)
    assert len(times) == clip.num_frames
    assert "Audio: " in films.told(target)
    return clip, times, said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.wmv", "-c:v wmv2 -c:a wmav2"),
        ("a.flv", "-c:v flv1 -ar 44100 -c:a libmp3lame"),
        ("a.vob", "-c:v mpeg2video -c:a mp2 -f vob"),
        ("packed.avi", "-c:v mpeg4 -bf 2 -c:a mp2"),
        ("wraps.ts", "-c:v mpeg2video -c:a mp2 -output_ts_offset 95442"),  # MPEG's clock begins again after 95443.7 s
    ],
)
def test_old_containers_keep_all_frames_and_their_rate(name, words, tmp_path):
    clip, times, said = upscaled(film(tmp_path / name, *words.split()))
    assert clip.num_frames == FRAMES
    assert float(times[-1] - times[0]) == pytest.approx((FRAMES - 1) / 25, abs=0.002)
    assert said == ()


def test_frames_dropped_from_an_avi_leave_their_gaps(tmp_path):
    words = ["-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "passthrough", "-enc_time_base", "1/25"]
    clip, times, said = upscaled(film(tmp_path / "a.avi", *words, "-c:v", "mpeg4", "-c:a", "mp2"))
    assert (clip.num_frames, round(times[-1] * 25), said) == (64, 74, ())
    assert max(b - a for a, b in itertools.pairwise(times)) == pytest.approx(2 / 25, abs=0.001)


def test_a_wrong_nominal_rate_does_not_move_frames(tmp_path):
    vfr = film(tmp_path / "a.mkv", "-vf", "setpts=N+gte(N\\,40)*12", "-fps_mode", "vfr", "-c:v", "libx264")
    films.ffmpeg("-i", vfr, "-c", "copy", tmp_path / "a.mp4")  # which states an average
    for path in (vfr, tmp_path / "a.mp4"):
        clip, times, _ = upscaled(path)
        assert clip.num_frames == FRAMES
        assert float(times[40] - times[39]) == pytest.approx(0.52, abs=0.002)
        assert float(times[39] - times[0]) == pytest.approx(39 / 25, abs=0.002)


def test_packets_lost_from_a_broadcast(tmp_path):
    whole = film(tmp_path / "a.ts", "-c:v", "mpeg2video", "-c:a", "mp2").read_bytes()
    middle = len(whole) // 2 // 188 * 188
    lossy = tmp_path / "lossy.ts"
    lossy.write_bytes(whole[: middle - 188 * 40] + whole[middle:])
    clip, times, _ = upscaled(lossy)
    assert FRAMES - 8 <= clip.num_frames <= FRAMES
    assert float(times[-1] - times[0]) == pytest.approx((FRAMES - 1) / 25, abs=0.05)


@pytest.mark.parametrize("ending", ["ts", "vob"])
def test_two_recordings_in_one_file_are_refused(ending, tmp_path):
    one = film(
        tmp_path / f"a.{ending}", "-c:v", "mpeg2video", "-c:a", "mp2", *(["-f", "vob"] if ending == "vob" else [])
    )
    (tmp_path / f"two.{ending}").write_bytes(one.read_bytes() * 2)
    with pytest.raises(MediaError, match="the timestamps jump back by"):
        open_source(tmp_path / f"two.{ending}")


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_film_that_ends_early_is_spoken_of(damage, tmp_path):
    whole = film(tmp_path / "a.mkv", "-c:v", "libx264", "-g", "25", "-c:a", "aac").read_bytes()
    half = len(whole) // 2
    damaged = whole[:half] if damage == "cut" else whole[:half] + b"\x55" * (len(whole) - half)
    (tmp_path / "damaged.mkv").write_bytes(damaged)
    clip, _, said = upscaled(tmp_path / "damaged.mkv")
    assert clip.num_frames < FRAMES
    assert any("before the file does, which lasts 3.0 s: what follows cannot be decoded" in text for text in said)


def test_sound_that_goes_on_is_spoken_of_too(tmp_path):
    films.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=5", tmp_path / "a.mkv")
    assert any("or only the sound goes on" in text for text in open_source(tmp_path / "a.mkv").notes)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_hdr_is_spoken_of(transfer, name, tmp_path):
    tags = f"setparams=color_trc={transfer}:color_primaries=bt2020:colorspace=bt2020nc"
    path = films.picture_film(tmp_path / "a.mkv", f"format=yuv420p10,{tags}", "testsrc2=s=64x48:r=25:d=0.2")
    assert open_source(path).notes == (f"the film is HDR ({name}); the models were trained on SDR: look at a preview",)
