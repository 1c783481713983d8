"""Examines a film for a restorer: fields, cadence, repeated frames, borders, noise, compression blocks, tags."""

from vsduf.analysis.facts import Facts, examine
from vsduf.analysis.script import write_script

__all__ = ["Facts", "examine", "write_script"]
