"""`vsduf upscale` as its users see it; the network is the real one only where the plugin is installed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from helpers import films, program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsduf.cli import upscale
from vsduf.cli.main import COMMANDS, main
from vsduf.film import probe
from vsduf.film.formats import has_alpha

HERE = Path(__file__).parents[1]
PLUGIN = pytest.mark.skipif(not hasattr(vs.core, "duf"), reason="the native plugin is not installed")
HELD = program.upscaling("""
go = Path(sys.argv.pop(1))
def each(n, f):
    if n == 20:
        go.with_suffix(".waiting").touch()
        while not go.exists(): time.sleep(0.02)
    return f
""")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return films.full_film(tmp_path_factory.mktemp("full"))


@pytest.fixture
def options(monkeypatch):
    """Pixels stand in for the network; what the network would have been told is kept here."""
    told = {}

    def enlarged(clip, given):
        told.update(given)
        return films.larger(clip, given.get("scale", 4))

    monkeypatch.setattr(upscale, "enlarged", enlarged)
    return told


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return films.picture_film(tmp_path / "in.mkv", "format=yuv420p", "testsrc2=s=48x32:r=25:d=0.2")


def run(*words):
    return main(["upscale", *map(str, words)])


def test_a_film_in_a_film_out(full, tmp_path, options, capsys):
    assert run(full, tmp_path / "out.mkv", "--codec", "ffv1") == 0
    clip, _ = films.opened(tmp_path / "out.mkv")
    assert films.same_frames(films.larger(films.opened(full)[0]), clip)
    assert options == {"scenecut": True, "square": False}
    said = capsys.readouterr()
    assert said.out == ""
    assert "36/36 frames" in said.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "out.mkv"]


def test_animation_makes_a_drawing_once(tmp_path, monkeypatch):
    source = films.picture_film(tmp_path / "in.mkv", "fps=25,format=yuv420p", "testsrc2=s=96x64:r=12.5:d=0.48")
    counts = []

    def enlarged(clip, options):
        counts.append(clip.num_frames)
        return films.larger(clip)

    monkeypatch.setattr(upscale, "enlarged", enlarged)
    assert run(source, tmp_path / "out.mkv", "--codec", "ffv1", "--animation") == 0
    assert counts == [6]
    clip, times = films.opened(tmp_path / "out.mkv")
    assert films.same_frames(films.larger(films.opened(source)[0]), clip)
    assert len(times) == 12


def test_every_option_reaches_the_one_that_it_is_for(full, tmp_path, options):
    words = "--scale 2 --width 96 --height 64 --square --model duf-16s-x2 --device cpu --no-fp16"
    more = "--tilesize 32x16 --overlap 4 --num-streams 2 --no-scenecut --no-subtitles --audio none"
    encoder = "--codec libx264 --preset ultrafast --crf 30 --depth 10 --encoder-option tune=grain"
    assert run(full, tmp_path / "out.mp4", *words.split(), *more.split(), *encoder.split()) == 0
    assert options == {
        **{"scale": 2, "width": 96, "height": 64, "square": True, "model": "duf-16s-x2"},
        **{"device": "cpu", "fp16": False},
        **{"tilesize": [32, 16], "overlap": 4, "num_streams": 2, "scenecut": False},
    }
    assert {stream.kind for stream in probe.media(tmp_path / "out.mp4").streams} == {"video", "data"}
    clip, _ = films.opened(tmp_path / "out.mp4")
    assert (clip.width, clip.height, clip.format.id) == (96, 64, vs.YUV420P10)
    assert "Subtitle: " not in films.told(tmp_path / "out.mp4")


def test_what_is_changed_or_left_out_is_said(full, tmp_path, options, capsys):
    assert run(full, tmp_path / "out.mp4") == 0
    said = capsys.readouterr().err
    assert "vsduf: the subtitles in stream 2 (subrip) become mov_text for MP4\n" in said
    assert "vsduf: stream 3 (attachment none) is left out: MP4 cannot hold it\n" in said


def test_programs_read_the_progress_as_json(full, tmp_path, options, capsys):
    assert run(full, tmp_path / "out.mkv", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line.keys() == {"frames", "of", "frames_per_second", "seconds_left"} for line in lines)
    assert (lines[-1]["frames"], lines[-1]["of"], lines[-1]["seconds_left"]) == (36, 36, 0)


SCRIPT = "from vapoursynth import core\nclip = core.bs.VideoSource({!r}, cachemode=0)\n{}.set_output()\n"


def test_a_scripts_clip_is_encoded_as_it_is(full, tmp_path, options):
    script, out = tmp_path / "film.vpy", tmp_path / "out.mkv"
    script.write_text(SCRIPT.format(str(full), "clip.std.FlipVertical()"))
    assert run(script, out, "--codec", "ffv1") == 0
    source = films.opened(full)[0]
    assert films.same_frames(source.std.FlipVertical(), films.opened(out)[0])
    assert [stream.kind for stream in probe.media(out).streams] == ["video"]
    assert run(full, out, "--script", script, "--codec", "ffv1", "--overwrite") == 0
    assert [stream.kind for stream in probe.media(out).streams] == ["video", "audio", "subtitle", "attachment"]
    times = films.opened(out)[1]
    assert [time - times[0] for time in times] == films.opened(full)[1]  # ffmpeg 5.1 moves all by the sound's delay
    script.write_text(SCRIPT.format(str(full), "clip[::2]"))
    assert run(full, out, "--script", script, "--codec", "ffv1", "--overwrite") == 0
    clip, times = films.opened(out)
    assert (clip.num_frames, float(times[-1] - times[0])) == (18, pytest.approx(17 * 1001 / 12000, abs=0.001))
    assert options == {}


def test_untagged_sd_is_tagged_as_what_it_was_taken_for(tmp_path, options):
    source = films.picture_film(tmp_path / "in.mkv", "format=yuv420p", "testsrc2=s=64x480:r=25:d=0.12")
    assert run(source, tmp_path / "out.mkv", "--codec", "ffv1") == 0
    assert films.opened(tmp_path / "out.mkv")[0].get_frame(0).props["_Matrix"] == vs.MATRIX_ST170_M


@pytest.mark.parametrize(
    ("source", "target", "words", "sentence"),
    [
        ("missing.mkv", "out.mkv", "", "missing.mkv does not exist"),
        ("noise.mkv", "out.mkv", "", "noise.mkv is not a video that ffmpeg can read (Invalid data"),
        ("words.srt", "out.mkv", "", "words.srt has no video stream"),
        ("full.mkv", "nowhere/out.mkv", "", "nowhere does not exist; make it first"),
        ("full.mkv", "out.xyz", "", "the file type .xyz is not known; end it in one of .mkv"),
        ("full.mkv", "full.mkv", "--overwrite", "full.mkv is the source itself"),
        ("full.mkv", "link.mkv", "--overwrite", "link.mkv is the source itself"),
        ("full.mkv", "old.mkv", "", "old.mkv exists; give another name, or --overwrite"),
        ("full.mkv", "folder", "", "folder is a folder"),
        ("full.mkv", "out.mkv", "--codec nonesuch", "nonesuch is not a video encoder"),
        (".", "folder", "", ". is a folder or a device, not a video"),
        ("full.mkv", "out.mkv", "--model nonesuch", "there is no model 'nonesuch'"),
        ("full.mkv", "out.mkv", "--scale 7", "--scale is 7; give 2, 3 or 4"),
        ("full.mkv", "out.mkv", "--device-id -1 --fp16", "fp16 does not work on the CPU"),
        ("wrong.vpy", "out.mkv", "", "the script wrong.vpy fails: ZeroDivisionError: division by zero"),
        ("empty.vpy", "out.mkv", "", "the script empty.vpy has no clip as output 0; end it with clip.set_output()"),
        ("full.mkv", "out.mkv", "--script missing.vpy", "missing.vpy does not exist"),
        ("full.mkv", "out.mkv", "--preset nonesuch", "ffmpeg cannot write the film: "),
        ("full.mkv", "out.mkv", "--codec ffv1 --crf 3", "ffv1 has no crf"),
        ("full.mkv", "out.mkv", "--depth 16", "libx264 cannot encode YUV420P16; choose another --depth"),
        ("full.mkv", "out.mkv", "--audio nonesuch", "--audio is nonesuch, which is not a sound encoder"),
        ("full.mkv", "out.webm", "--audio copy", "WebM cannot hold the sound in stream 1 (aac) so; use --audio auto"),
    ],
)
def test_each_refusal_is_one_line_and_leaves_nothing(
    source, target, words, sentence, full, tmp_path, options, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full.mkv").write_bytes(full.read_bytes())
    (tmp_path / "link.mkv").symlink_to("full.mkv")
    (tmp_path / "noise.mkv").write_bytes(os.urandom(5000))
    (tmp_path / "words.srt").write_text(films.SUBTITLES)
    (tmp_path / "old.mkv").write_text("old")
    (tmp_path / "wrong.vpy").write_text("1 / 0")
    (tmp_path / "empty.vpy").write_text("")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    assert run(source, target, *words.split()) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sentence in lines[-1]
    assert all(line.startswith("vsduf: ") for line in lines)
    assert sorted(p for p in tmp_path.iterdir() if p.name != "cache") == before
    assert (tmp_path / "old.mkv").read_text() == "old"


@pytest.mark.parametrize("words", ["upscale", "upscale in.mkv", "upscale in.mkv out.mkv --tilesize big", "nonesuch"])
def test_wrong_usage_is_2(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words.split())
    assert stopped.value.code == 2
    assert "usage: vsduf" in capsys.readouterr().err


def test_errors_of_the_network_are_one_line_too(full, tmp_path, monkeypatch, capsys):
    def refuse(clip, given):
        raise vs.Error("Upscale: scale is 4; give 2 or 3")

    monkeypatch.setattr(upscale, "enlarged", refuse)
    assert run(full, tmp_path / "out.mkv") == 1
    assert capsys.readouterr().err == "vsduf: Upscale: scale is 4; give 2 or 3\n"


@contextlib.contextmanager
def begun(out, *words):
    """`vsduf upscale` on the way: some frames are written, and the next waits for the file that is yielded."""
    folder = out.parent
    process = subprocess.Popen([sys.executable, "-c", HELD, folder / "go", "upscale", *words], stderr=subprocess.PIPE)
    try:
        wait_for(lambda: (folder / "go.waiting").exists() or process.poll() is not None)
        yield process, folder / "go"
    finally:
        process.kill()
        process.communicate()


def ended(process):
    said = process.communicate(timeout=60)[1].decode()
    return process.returncode, said.splitlines()[-1] if said else ""


@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "vsduf: stopped"), (signal.SIGTERM, 143, "")]
)
def test_when_stopped_it_tidies_up(number, code, words, full, tmp_path):
    out = tmp_path / "out.mkv"
    out.write_text("old")
    with begun(out, full, out, "--overwrite") as (process, go):
        assert encoders(tmp_path)
        process.send_signal(number)
        go.touch()
        assert ended(process) == (code, words)
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "go", "go.waiting", "out.mkv"]
    assert encoders(tmp_path) == []


def test_a_run_that_was_stopped_is_listed_and_gone_on_with(full, tmp_path, options, capsys):
    out = tmp_path / "out.mkv"
    words = (full, out, "--segment", "0.2", "--codec", "ffv1")
    with begun(out, *words, "--restart") as (process, go):  # which is no part of the command that goes on
        process.send_signal(signal.SIGINT)
        go.touch()
        said = process.communicate(timeout=60)[1].decode().splitlines()
    folder = next(tmp_path.glob("out.vsduf-*"))
    command = f"vsduf upscale {full} {out} --segment 0.2 --codec ffv1"
    assert said[-2:] == [f"vsduf: 10 of 36 frames are kept in {folder}; to go on: {command}", "vsduf: stopped"]
    with pytest.raises(SystemExit) as ended:
        run("--status", tmp_path)
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines()[1].split(maxsplit=4) == ["out.mkv", "10", "of", "36", command]
    assert run(*words, "--scale", "2") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-2] == f"vsduf: 10 of 36 frames are kept in {folder}; to go on: {command}"
    assert "10 of 36 frames of out.mkv, made with --scale None instead of 2; give what" in said[-1]
    assert run(*words) == 0
    assert "10 of 36 frames are encoded already" in capsys.readouterr().err
    assert films.same_frames(films.larger(films.opened(full)[0]), films.opened(out)[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "go", "go.waiting", "out.mkv"]
    with pytest.raises(SystemExit):
        run("--status", tmp_path)
    assert capsys.readouterr().out == f"no unfinished film in {tmp_path}\n"


@pytest.mark.parametrize("words", ["--no-segments", "--encoder-option b=200k"])
def test_one_pass_keeps_nothing(words, full, tmp_path):
    out = tmp_path / "out.mkv"
    with begun(out, full, out, "--segment", "0.2", *words.split()) as (process, go):
        process.send_signal(signal.SIGINT)
        go.touch()
        assert ended(process) == (130, "vsduf: stopped")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "go", "go.waiting"]


def test_ffmpeg_that_dies_in_the_middle_is_one_line(full, tmp_path):
    with begun(tmp_path / "out.mkv", full, tmp_path / "out.mkv") as (process, go):
        for pid in encoders(tmp_path):
            os.kill(pid, signal.SIGKILL)
        go.touch()
        code, last = ended(process)
    assert code == 1
    assert "of 36 frames: signal 9 ended it" in last
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".mkv"] == []


def encoders(folder):
    """The ids of the ffmpegs that write `folder`'s film."""
    lines = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if str(folder / "out.vsduf-") in line and "-copyts" in line]


def wait_for(what):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_help_is_quick_and_knows_every_command():
    code = (
        "import sys\nfrom vsduf.cli.main import main\n"
        "try: main(sys.argv[1:])\nfinally: assert 'torch' not in sys.modules"
    )
    for words in (["--help"], [], ["upscale", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=HERE.parent)
        assert done.returncode == 0, done.stderr
        assert all(name in done.stdout for name in (["--overwrite"] if "upscale" in words else COMMANDS))


@PLUGIN
def test_the_network_itself(tmp_path):
    source = films.picture_film(tmp_path / "in.mkv", "null", "testsrc2=s=32x24:r=25:d=0.4")
    assert run(source, tmp_path / "out.mkv", "--codec", "ffv1", "--device-id", "-1") == 0
    clip, _ = films.opened(tmp_path / "out.mkv")
    assert films.same_frames(vs.core.duf.Upscale(films.opened(source)[0], device_id=-1), clip)


@PLUGIN
@pytest.mark.parametrize(("words", "kept"), [([], True), (["--animation"], False)])
def test_the_network_enlarges_the_alpha_channel_too(words, kept, tmp_path, capsys):
    """A ramp; repeated frames are looked for in the picture alone, so --animation leaves alpha out."""
    ramp = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='X*7'"
    source = films.picture_film(tmp_path / "in.mkv", ramp, "testsrc2=s=32x24:r=25:d=0.2", "-c:v", "ffv1")
    assert run(source, tmp_path / "out.mkv", "--codec", "ffv1", "--scale", "2", "--device-id", "-1", *words) == 0
    assert ("the alpha channel is left out" in capsys.readouterr().err) != kept
    clip, _ = films.opened(tmp_path / "out.mkv")
    assert has_alpha(clip) == kept
    if kept:
        values = np.asarray(clip.std.PropToClip("_Alpha").get_frame(2)[0]).astype(int)
        assert np.abs(values[4:-4, 4:-4] - (np.arange(64) // 2 * 7)[4:-4]).max() <= 7


@PLUGIN
def test_a_script_is_written_kept_and_encoded(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lossless = ("-c:v", "ffv1", "-field_order", "tt")
    films.picture_film(tmp_path / "in.mkv", "setfield=tff", "testsrc2=s=48x32:r=25:d=0.4", *lossless)
    assert run("in.mkv", "out.mkv") == 1
    assert (
        "in.mkv is interlaced (top field first); deinterlace it first: `vsduf upscale --auto" in capsys.readouterr().err
    )
    assert run("in.mkv", "out.mkv", "--auto", "--scale", "2", "--codec", "ffv1") == 0
    script = tmp_path / "out.vpy"
    assert "scale=2" in script.read_text()
    clip, _ = films.opened(tmp_path / "out.mkv")
    assert (clip.width, clip.height, clip.num_frames) == (96, 64, 10)
    script.write_text(re.sub(r"scale=2(, model='[\w-]+')?", "scale=3", script.read_text()))
    assert run("in.mkv", "out.mkv", "--auto", "--codec", "ffv1", "--overwrite") == 0
    assert films.opened(tmp_path / "out.mkv")[0].width == 144
    assert "out.vpy is there already and is used" in capsys.readouterr().err


@PLUGIN
def test_the_example(full, tmp_path):
    command = [sys.executable, HERE.parent / "examples" / "upscale_file.py", full, tmp_path / "out.mkv"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    clip, _ = films.opened(tmp_path / "out.mkv")
    assert (clip.width, clip.height, clip.num_frames) == (192, 128, 36)
    assert "Subtitle: subrip" in films.told(tmp_path / "out.mkv")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "usage: python upscale_file.py IN.mkv OUT.mkv"),
        (["missing.mkv", "out.mkv"], "upscale_file.py: missing.mkv does not exist"),
    ],
)
def test_the_example_without_a_film_says_one_sentence(words, sentence, tmp_path):
    command = [sys.executable, HERE.parent / "examples" / "upscale_file.py", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, f"{sentence}\n")


WORDS = ["--crf", "nan", "-1", "1e99", "--preset", "", "--codec", "ffv1", "--scale", "0", "--tilesize", "0x0",
         "9" * 30, "--overlap", "-5", "--num-streams", "--depth", "--encoder-option", "a=b", "=", "--audio", "copy",
         "\n", "--width", "--height", "--square", "--fp16", "--device", "cpu", "--device-id", "--model", "--script",
         "in.mkv", "out.mkv", ".", "/dev/null", "x" * 300, "--progressive", "--animation", "--",
         "\x01", "--no-scenecut"]  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_malformed_arguments_are_one_sentence_and_change_nothing(small, options, capsys, words):
    out = small.parent / "made.mkv"
    out.unlink(missing_ok=True)
    capsys.readouterr()
    try:
        code = main(["upscale", str(small), str(out), *words])
    except SystemExit as stopped:
        code = stopped.code
    lines = [line for line in capsys.readouterr().err.splitlines() if "frames, " not in line]
    assert code in (0, 1, 2)
    assert "Traceback" not in "".join(lines)
    assert code != 1 or lines[-1].startswith("vsduf: ")
    assert out.exists() == (code == 0) or code == 0
    assert {p.name for p in small.parent.iterdir()} <= {"in.mkv", "made.mkv", "cache"}
