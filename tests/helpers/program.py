"""The `vsduf` program with pixels in place of the network, as a process that tests can stop and kill."""

from pathlib import Path

TESTS = Path(__file__).parents[1]


def upscaling(each):
    """Returns the program's source. each: source of a function each(n, f), through which every enlarged frame goes."""
    return f"""
import sys, time
from pathlib import Path
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
from vsduf.cli import upscale
from vsduf.cli.main import main
from helpers import films
{each}
def enlarged(clip, options):
    larger = films.larger(clip)
    return larger.std.ModifyFrame(larger, each)
upscale.enlarged = enlarged
sys.exit(main(sys.argv[1:]))
"""
