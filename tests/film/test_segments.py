"""A film of segments is the film of one pass: every frame once, in order, at its time, with the same sound."""

from fractions import Fraction

import pytest
import vapoursynth as vs
from helpers import films

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import Settings, open_source, prepare
from vsduf.film.coded import Coded
from vsduf.film.output import claim
from vsduf.film.packets import spans
from vsduf.film.segments import Segments
from vsduf.film.work import Work, parts, unfinished

WAYS = [
    *[("libx265", ".mp4"), ("libvpx-vp9", ".webm"), ("ffv1", ".mkv"), ("prores_ks", ".mov"), ("mpeg2video", ".mkv")],
    *[("libsvtav1", ".mp4"), ("libx264rgb", ".mkv"), ("mjpeg", ".avi"), ("dnxhd", ".mov")],
]


def write(film, clip, target, codec, segments=True, identity="one", restart=False, seconds=0.2, progress=None):
    """Encodes `clip` as a film, and returns the sentences said meanwhile."""
    said = []
    with claim(target, film.path, True) as output:
        encoding = prepare(film, output, Settings(codec), clip.format)
        work = Work(output.work, target, clip.num_frames, {"name": identity}, ["upscale", "a film"])
        chosen = Segments(work, seconds, film.clip, restart) if segments else None
        encoding.write(clip, progress or (lambda done: None), said.append, chosen)
    return said


@pytest.fixture(scope="module")
def films_of(tmp_path_factory):
    """A film of 36 frames with everything, and one of 20 frames at irregular times."""
    folder = tmp_path_factory.mktemp("films")
    irregular = films.picture_film(
        folder / "irregular.mkv", "setpts=N*(3+mod(N\\,3))/100/TB", "testsrc2=s=48x32:r=25:d=0.8", "-fps_mode", "vfr"
    )
    return {"full": films.full_film(folder), "irregular": irregular}


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".mov", ".ts", ".avi"])
def test_in_each_container_it_is_the_film_of_one_pass(ending, films_of, tmp_path, each_ffmpeg):
    check_both_ways("libx264", ending, films_of, tmp_path)


@pytest.mark.parametrize(("codec", "ending"), WAYS)
def test_by_each_encoder_it_is_the_film_of_one_pass(codec, ending, films_of, tmp_path):
    check_both_ways(codec, ending, films_of, tmp_path)


def check_both_ways(codec, ending, films_of, tmp_path):
    film = open_source(films_of["full"])
    clip = films.larger(film.clip, 6)
    one, other = tmp_path / f"one{ending}", tmp_path / f"other{ending}"
    write(film, clip, one, codec, segments=False)
    write(film, clip, other, codec)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([one.name, other.name])
    ours, theirs = spans(other, range(3)), spans(one, range(3))
    tick = Fraction(1, 40_000)  # MPEG-TS counts 90,000 a second
    assert {n: span.count for n, span in ours.items()} == {n: span.count for n, span in theirs.items()}
    assert all(abs(span.first - theirs[n].first) <= tick for n, span in ours.items())
    assert all(abs(span.last - theirs[n].last) <= tick for n, span in ours.items())
    if ending != ".avi":  # whose times bestsource does not give
        times = zip(films.opened(other)[1], films.opened(one)[1], strict=True)
        assert max(abs(a - b) for a, b in times) <= tick
    first, second = (vs.core.bs.VideoSource(path, cachemode=0) for path in (one, other))
    kept = ("_Matrix", "_Range", "_Transfer", "_Primaries", "_SARNum", "_SARDen", "_ChromaLocation")
    with first.get_frame(20) as a, second.get_frame(20) as b:
        assert [a.props.get(name) for name in kept] == [b.props.get(name) for name in kept]
    if codec in ("ffv1", "prores_ks", "dnxhd"):  # each frame of its own
        assert films.same_frames(first, second)


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_irregular_times_stay(ending, films_of, tmp_path):
    film = open_source(films_of["irregular"])
    for segments in (False, True):
        write(film, film.clip, tmp_path / f"{segments}{ending}", "libx264", segments)
    assert not film.timeline.constant
    assert films.opened(tmp_path / f"True{ending}")[1] == films.opened(tmp_path / f"False{ending}")[1]


class Stop(Exception):
    pass


def stopped_at(frame, film, clip, target, **options):
    """Begins a film, and stops with `frame` done."""

    def stop(done):
        if done >= frame:
            raise Stop

    with pytest.raises(Stop):
        write(film, clip, target, "libx264", progress=stop, **options)


def test_a_stopped_run_is_gone_on_with(films_of, tmp_path):
    film, target = open_source(films_of["full"]), tmp_path / "film.mkv"
    clip = films.larger(film.clip)
    stopped_at(25, film, clip, target)
    ((folder, manifest),) = unfinished(tmp_path)
    assert not target.exists()
    assert (manifest["film"], manifest["done"], manifest["frames"]) == ("film.mkv", 20, 36)
    assert manifest["command"] == ["upscale", "a film"]
    made = []
    counted = clip.std.FrameEval(lambda n: made.append(n) or clip)
    assert write(film, counted, target, "libx264") == [f"20 of 36 frames are encoded already, in {folder}"]
    assert sorted(set(made)) == list(range(20, 36))
    write(film, clip, tmp_path / "whole.mkv", "libx264")
    assert films.same_frames(films.opened(target)[0], films.opened(tmp_path / "whole.mkv")[0])
    assert unfinished(tmp_path) == []


def test_another_film_is_refused_and_nothing_is_lost(films_of, tmp_path):
    film, target = open_source(films_of["full"]), tmp_path / "film.mkv"
    stopped_at(15, film, film.clip, target)
    with pytest.raises(ArgumentError, match=r"holds 10 of 36 frames of film\.mkv, made with name one instead of two"):
        write(film, film.clip, target, "libx264", identity="two")
    assert unfinished(tmp_path)[0][1]["done"] == 10
    assert write(film, film.clip, target, "libx264", identity="two", restart=True) == []


def test_damaged_segments_are_made_again(films_of, tmp_path):
    film, target = open_source(films_of["full"]), tmp_path / "film.mkv"
    stopped_at(35, film, film.clip, target)
    folder = unfinished(tmp_path)[0][0]
    first, second, *_ = parts(folder)
    first.path.write_bytes(first.path.read_bytes()[:-100])
    second.path.write_bytes(b"")
    (folder / "00000020-00000030.mkv.part").write_text("half")
    said = write(film, film.clip, target, "libx264")
    assert [text for text in said if "is damaged" in text] == [
        f"{part.path.name} is damaged; its frames are made again" for part in (first, second)
    ]
    write(film, film.clip, tmp_path / "whole.mkv", "libx264")
    assert films.same_frames(films.opened(target)[0], films.opened(tmp_path / "whole.mkv")[0])


def test_segments_begin_at_scene_cuts(films_of, tmp_path):
    film = open_source(films_of["full"])
    cuts = film.clip.std.FrameEval(
        lambda n: film.clip.std.SetFrameProps(_SceneChangePrev=1) if n in (3, 13, 14) else film.clip
    )
    segments = Segments(Work(tmp_path, tmp_path, 36, {}, []), 0.4, cuts)
    assert [segments.end(first, film.timeline) for first in (0, 13, 33)] == [13, 33, 36]
    without = Segments(Work(tmp_path, tmp_path, 36, {}, []), 0.4)
    assert [without.end(first, film.timeline) for first in (0, 30)] == [10, 36]


def test_headers_that_differ_are_refused(films_of, tmp_path):
    film, target = open_source(films_of["full"]), tmp_path / "film.mkv"
    stopped_at(15, film, film.clip, target)
    first = parts(unfinished(tmp_path)[0][0])[0].path
    other = films.picture_film(tmp_path / "other.mkv", "null", "testsrc2=s=48x32:r=25:d=0.4", "-c:v", "libx264")
    other.replace(first)
    with pytest.raises(MediaError, match="libx264 writes headers that differ between segments"):
        write(film, film.clip, target, "libx264")
    assert not target.exists()


def test_what_is_no_film_is_not_read(tmp_path):
    for name, content in (("empty", b""), ("noise", bytes(range(256)) * 9), ("zeros", bytes(100))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=f"{name} .*; delete it"):
            Coded(tmp_path / name)
