"""Tables: plain text in files and pipes, drawn on terminals."""

import sys

from vsduf.cli.table import print_table

ROWS = [("a", "first [red]"), ("longer", "second")]


def test_columns_are_aligned_in_plain_text(capsys):
    print_table(("name", "what"), ROWS, "a note")
    assert capsys.readouterr().out.splitlines() == ["name    what", "a       first [red]", "longer  second", "a note"]


def test_a_terminal_gets_a_drawn_table(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("name", "what"), ROWS, "a note")
    drawn = capsys.readouterr().out
    assert "│" in drawn and "first [red]" in drawn and "a note" in drawn
