"""Alpha channels: every value arrives where the file can hold them; elsewhere a note says that they are left out."""

import contextlib

import numpy as np
import pytest
import vapoursynth as vs
from helpers import films

from vsduf.errors import MediaError
from vsduf.film.codec import Settings
from vsduf.film.encoder import encode, prepare, times_of
from vsduf.film.formats import convert, has_alpha
from vsduf.film.output import claim
from vsduf.film.segments import Segments
from vsduf.film.source import open_source
from vsduf.film.work import Work

core = vs.core
FORMATS = [
    *(vs.YUV420P8, vs.YUV422P8, vs.YUV444P8, vs.YUV420P10, vs.YUV444P10, vs.YUV420P16, vs.YUV422P9, vs.YUV444P16),
    *(vs.RGB30, vs.RGB36, vs.RGB48),
]


def transparent(form=vs.YUV420P8, frames=5):
    """Noise whose alpha values are noise too, with more of it in every frame."""
    clip = films.noise(form, length=frames)
    gray = core.query_video_format(vs.GRAY, vs.INTEGER, clip.format.bits_per_sample)
    values = films.noise(gray.id, length=frames).std.FlipHorizontal()
    return clip.std.ClipToProp(values.std.SetFrameProps(_Range=1), prop="_Alpha")


def alpha_of(clip):
    return clip.std.PropToClip("_Alpha")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_alpha_value_arrives(form, each_ffmpeg, tmp_path):
    clip, out = transparent(form), tmp_path / "out.mkv"
    assert encode(clip, out, settings=Settings("ffv1")) == ()
    made = films.opened(out)[0]
    assert films.same_frames(clip, made) and films.same_frames(alpha_of(clip), alpha_of(made))


@pytest.mark.parametrize(("ending", "settings"), [("webm", Settings()), ("mkv", Settings("libvpx-vp9"))])
@pytest.mark.parametrize("cut", [False, True])
def test_vp9_holds_alpha_in_segments_and_in_one_pass(ending, settings, cut, each_ffmpeg, tmp_path):
    blank = core.std.BlankClip(None, 64, 48, vs.YUV420P8, 12, 25, 1)
    step = core.std.StackHorizontal([core.std.BlankClip(None, 32, 48, vs.GRAY8, 12, color=c) for c in (30, 200)])
    clip, work = blank.std.ClipToProp(step, prop="_Alpha"), Work(tmp_path / "work", tmp_path, 12, {}, [])
    with claim(tmp_path / f"out.{ending}", None) as output:
        encoding = prepare(None, output, settings, clip.format, times_of(clip), lambda: True)
        encoding.write(clip, segments=Segments(work, 0.2) if cut else None)
    raw = tmp_path / "alpha.mkv"
    films.ffmpeg("-c:v", "libvpx-vp9", "-i", output.path, "-vf", "alphaextract", "-c:v", "ffv1", raw)
    got = films.opened(raw)[0]
    assert got.num_frames == 12
    for frame in got.frames():
        values = np.asarray(frame[0]).astype(int)
        assert np.abs(values[:, :28] - 30).max() < 8 and np.abs(values[:, 36:] - 200).max() < 8


def test_prores_to_prores(each_ffmpeg, tmp_path):
    ramp = "format=yuva444p10le,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='X*20'"
    words = ["-c:v", "prores_ks", "-profile:v", "4444"]
    source = films.picture_film(tmp_path / "in.mov", ramp, "testsrc2=s=48x32:r=25:d=0.2", *words)
    film, out = open_source(source), tmp_path / "out.mov"
    notes = encode(film.clip, out, film, Settings("prores_ks"))
    assert notes == ("prores_ks does not take YUV444P12; it gets YUV444P10",)
    one, other = (np.asarray(alpha_of(c).get_frame(2)[0]).astype(int) for c in (film.clip, films.opened(out)[0]))
    assert one.max() > 3000 and np.abs(one - other).max() <= 4


@pytest.mark.parametrize(("name", "codec"), [("out.mkv", "libx264"), ("out.mp4", "libvpx-vp9"), ("out.ts", "")])
def test_a_note_says_where_alpha_is_left_out(name, codec, tmp_path):
    (note,) = encode(transparent(), tmp_path / name, settings=Settings(codec))
    assert note.startswith(f"the alpha channel is left out, as {codec or 'libx264'} in ")
    assert not has_alpha(films.opened(tmp_path / name)[0])


def test_the_depth_of_alpha_follows_the_picture_s():
    deep = convert(transparent(vs.YUV420P8), core.query_video_format(vs.YUV, vs.INTEGER, 16, 0, 0), alpha=True)
    with contextlib.closing(deep.get_frame(0)) as frame:
        assert frame.props["_Alpha"].format.id == vs.GRAY16
    with alpha_of(deep).get_frame(1) as got, alpha_of(transparent(vs.YUV420P8)).get_frame(1) as before:
        assert (np.asarray(got[0]) == np.asarray(before[0]).astype(int) * 257).all()


def test_alpha_of_another_size_is_refused(tmp_path):
    clip = transparent()
    with pytest.raises(MediaError, match=r"_Alpha is 20x12 on frames of 40x24; resize it to their size"):
        encode(films.larger(clip, 2), tmp_path / "out.mkv", settings=Settings("ffv1"))
    assert list(tmp_path.iterdir()) == []
