"""Several films in one command: what is done, what fails, what is refused, and what a second run goes on with."""

import pytest
from helpers import films

from vsduf.cli import upscale
from vsduf.cli.main import main


@pytest.fixture
def tapes(tmp_path, monkeypatch):
    """A folder of two films and a file that is none, a folder for the results, and pixels in place of the network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(upscale, "enlarged", lambda clip, given: films.larger(clip, 2))
    monkeypatch.chdir(tmp_path)
    for folder in ("tapes", "out"):
        (tmp_path / folder).mkdir()
    for name in ("a.mkv", "b.avi"):
        films.picture_film(tmp_path / "tapes" / name, "format=yuv420p", "testsrc2=s=48x32:r=25:d=0.2")
    (tmp_path / "tapes" / "notes.txt").write_text("no film")
    return tmp_path


def rows(printed):
    return [line.split(maxsplit=3) for line in printed.splitlines()[1:]]


@pytest.mark.parametrize("given", [["tapes"], ["tapes/*.[am][vk][iv]"], ["tapes/a.mkv", "tapes/b.avi"]])
def test_folders_patterns_and_lists(given, tapes, capsys):
    assert main(["upscale", *given, "-o", "out"]) == 0
    assert sorted(path.name for path in (tapes / "out").iterdir()) == ["a.mkv", "b.mkv"]
    found = rows(capsys.readouterr().out)
    assert [(row[0], row[1], row[3]) for row in found] == [
        ("tapes/a.mkv", "out/a.mkv", "done"),
        ("tapes/b.avi", "out/b.mkv", "done"),
    ]


def test_a_film_that_fails_does_not_stop_the_others_and_a_second_run_makes_what_is_missing(tapes, capsys):
    whole = (tapes / "tapes" / "a.mkv").read_bytes()
    (tapes / "tapes" / "a.mkv").write_bytes(b"noise")
    assert main(["upscale", "tapes", "-o", "out"]) == 1
    results = [row[3] for row in rows(capsys.readouterr().out)]
    assert results[0].startswith("failed: tapes/a.mkv is not a video that ffmpeg can read")
    assert results[1] == "done"
    (tapes / "tapes" / "a.mkv").write_bytes(whole)
    assert main(["upscale", "tapes", "-o", "out"]) == 0
    assert [row[3] for row in rows(capsys.readouterr().out)] == ["done", "there already"]
    assert main(["upscale", "tapes", "-o", "out", "--overwrite"]) == 0
    assert [row[3] for row in rows(capsys.readouterr().out)] == ["done", "done"]


def test_names_follow_a_pattern(tapes):
    assert main(["upscale", "tapes", "-o", "out", "--name", "{number:02} {folder} {stem}{suffix}"]) == 0
    assert sorted(path.name for path in (tapes / "out").iterdir()) == ["01 tapes a.mkv", "02 tapes b.avi"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("tapes -o nowhere", "-o nowhere: there is no such folder; make it first"),
        ("out -o out", "the folder out holds no film; give films, or a folder with some"),
        ("*.mpg -o out", "no file fits the pattern *.mpg; correct it"),
        ("tapes -o out --name x.mkv", "2 films would be written to out/x.mkv; give another --name, such as"),
        ("tapes -o out --name {title}.mkv", "--name '{title}.mkv' cannot be filled in; use {stem}, {suffix},"),
        ("tapes -o out --name {stem}/{stem}.mkv", "gives 'a/a.mkv', which is not the name of a file"),
        ("tapes -o out --name {stem}.doc", "the file type .doc is not known"),
        ("tapes/a.mkv -o tapes --overwrite", "tapes/a.mkv would be written over itself"),
        ("tapes/a.mkv out.mkv --script s.vpy --scale 2", "the script says how frames are enlarged; set --scale there"),
    ],
)
def test_refusals_come_before_any_work(words, sentence, tapes, capsys):
    assert main(["upscale", *words.split()]) == 1
    assert sentence in capsys.readouterr().err
    assert list((tapes / "out").iterdir()) == []


def test_one_name_is_wrong_usage(tapes, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["upscale", "tapes/a.mkv"])
    assert ended.value.code == 2
    assert "give IN and OUT, or any number of films and -o FOLDER" in capsys.readouterr().err
