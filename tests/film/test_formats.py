"""The nearest format that an encoder takes."""

import pytest
import vapoursynth as vs
from helpers import films

from vsduf.film import formats, probe
from vsduf.film.codec import Settings
from vsduf.film.encoder import encode

X264 = {"yuv420p", "yuv422p", "yuv444p", "nv12", "yuv420p10le", "yuv422p10le", "yuv444p10le", "gray", "gray10le"}
PRORES = {"yuv422p10le", "yuv444p10le"}


@pytest.mark.parametrize(
    ("form", "layouts", "found"),
    [
        (vs.YUV420P8, X264, vs.YUV420P8),
        (vs.YUV411P8, X264, vs.YUV422P8),
        (vs.YUV410P8, X264, vs.YUV420P8),
        (vs.YUV440P8, X264, vs.YUV444P8),
        (vs.RGB24, X264, vs.YUV444P8),
        (vs.RGB48, X264, vs.YUV444P10),
        (vs.YUV444P12, X264, vs.YUV444P10),
        (vs.GRAY8, X264, vs.GRAY8),
        (vs.GRAY16, X264, vs.GRAY10),
        (vs.YUV420P8, PRORES, vs.YUV422P10),
        (vs.RGB24, PRORES, vs.YUV444P10),
        (vs.GRAY8, PRORES, vs.YUV422P10),
        (vs.YUV420P8, {"yuv422p", "yuv422p10le", "yuv444p10le", "gbrp10le"}, vs.YUV422P8),
        (vs.RGB24, {"rgb24"}, vs.RGB24),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_nearest(form, layouts, found):
    assert formats.nearest(vs.core.get_video_format(form), layouts)[0].id == found


@pytest.mark.parametrize(
    ("codec", "ending", "form", "made"),
    [
        ("prores_ks", "mov", vs.YUV420P8, "prores"),
        ("dnxhd", "mov", vs.YUV420P8, "dnxhd"),
        ("dnxhd", "mov", vs.YUV420P10, "dnxhd"),
        ("libx264", "mkv", vs.RGB24, "h264"),
        ("libx264", "mkv", vs.YUV411P8, "h264"),
        ("libx264", "mkv", vs.YUV420P12, "h264"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_encoders_get_what_they_take(codec, ending, form, made, tmp_path, each_ffmpeg):
    clip = films.larger(films.noise(form, 32, 16), 8)
    (note,) = encode(clip, tmp_path / f"out.{ending}", settings=Settings(codec))
    assert note.startswith(f"{codec} does not take {vs.core.get_video_format(form).name}; it gets ")
    assert probe.media(tmp_path / f"out.{ending}").streams[0].codec == made
    back = films.opened(tmp_path / f"out.{ending}")[0].resize.Bicubic(
        format=clip.format.id, **({"matrix_in": 6} if form == vs.RGB24 else {})
    )
    difference = vs.core.std.PlaneStats(clip, back).get_frame(2).props["PlaneStatsDiff"]
    assert difference < 0.06
