"""A film's name shows a whole film or none, whoever else writes beside it."""

import os

import pytest

from vsduf.errors import ArgumentError, MediaError
from vsduf.film.output import claim


def write(path, fill=lambda part: part.write_text("new"), **options):
    with claim(path, **options) as output, output.made() as part:
        fill(part)
    return output


def interrupt(part):
    part.write_text("half")
    raise KeyboardInterrupt


def test_a_film_gets_its_name_when_it_is_whole(tmp_path):
    with claim(tmp_path / "a.mkv") as output:
        with output.made() as part:
            part.write_text("new")
            assert not output.path.exists()
        assert output.path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]


def test_a_failure_leaves_the_old_film_and_nothing_else(tmp_path):
    (tmp_path / "a.mkv").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.mkv", interrupt, overwrite=True)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.mkv", "old")]


def test_a_film_that_appears_meanwhile_stays_and_the_new_one_is_kept(tmp_path):
    out = tmp_path / "a.mkv"
    with pytest.raises(MediaError, match="made by another program meanwhile, and is not replaced; the new film is"):
        write(out, lambda part: (part.write_text("new"), out.write_text("somebody's")))
    (kept,) = (p for p in tmp_path.iterdir() if p != out)
    assert (out.read_text(), kept.read_text()) == ("somebody's", "new")


def test_a_link_that_appears_meanwhile_is_not_followed(tmp_path):
    out = tmp_path / "a.mkv"
    with pytest.raises(MediaError, match="made by another program"):
        write(out, lambda part: out.symlink_to(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_two_runs_do_not_write_one_film(tmp_path):
    with claim(tmp_path / "a.mkv"):
        (tmp_path / "link.mkv").symlink_to("a.mkv")
        for name in ("a.mkv", "link.mkv"):
            with pytest.raises(ArgumentError, match="is being written by another run"):
                write(tmp_path / name)
        write(tmp_path / "b.mkv")
    write(tmp_path / "a.mkv")


def test_part_files_of_dead_runs_are_named_and_stay(tmp_path):
    out = tmp_path / "a.mkv"
    with claim(out) as output:
        output.part.write_text("half")
        left = output.part
    again = write(out)
    assert again.notes == (f"{left} (0 MiB) is what a run that was killed has written of {out}; delete it",)
    assert left.read_text() == "half"
    assert write(tmp_path / "b.mkv").notes == ()


def test_symbolic_links_are_written_through(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "old.mkv").write_text("old")
    for name, goal in (("a.mkv", "there/old.mkv"), ("b.mkv", "there/new.mkv")):
        (tmp_path / name).symlink_to(goal)
        write(tmp_path / name, lambda part: part.write_text(part.name), overwrite=True)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / goal).read_text().startswith((tmp_path / goal).stem)
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == ["new.mkv", "old.mkv"]


@pytest.mark.parametrize(
    "name",
    [b"caf\xe9.mkv", "日本語.mkv".encode(), b"new\nline.mkv", b"-dash.mkv", b"a:b.mkv", b"%03d.mkv",
     b"x" * 251 + b".mkv", "語".encode() * 83 + b"ab.mkv", b" .mkv", b"quote'\"[1]*?.mkv"],
)  # fmt: skip
def test_every_name_that_the_file_system_takes(name, tmp_path):
    write(tmp_path / os.fsdecode(name))
    assert os.listdir(os.fsencode(tmp_path)) == [name]


def test_names_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "old.mkv").write_text("old")
    (tmp_path / "self.mkv").symlink_to("self.mkv")
    os.mkfifo(tmp_path / "pipe.mkv")
    for name, words in {
        ".": "is a folder", "none/a.mkv": "does not exist; make it first", "a.xyz": "file type .xyz is not known",
        "old.mkv": "exists; give another name, or --overwrite", "self.mkv": "leads back to itself",
        "pipe.mkv": "is not a regular file",
    }.items():  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            write(tmp_path / name)


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a.mkv")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.mkv", "new")]
    with pytest.raises(MediaError, match="meanwhile"):
        write(tmp_path / "b.mkv", lambda part: (tmp_path / "b.mkv").write_text("somebody's"))
