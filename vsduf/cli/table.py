"""Prints a table on stdout: drawn by rich on a terminal, as aligned plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Prints rows of cells under their column names. note: a sentence below the table."""
    if sys.stdout.isatty():
        _draw(head, rows, note)
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if note:
        print(note)


def _draw(head: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, caption=note or None, caption_justify="left")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
