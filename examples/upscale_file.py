"""A film at four times its size, with its sound, subtitles and chapters: python upscale_file.py IN.mkv OUT.mkv

`vsduf upscale` does the same in one command; this is for work of one's own between reading and writing.
"""

import sys
from pathlib import Path

import vsduf
from vsduf.film.encoder import Settings, encode
from vsduf.film.source import open_source
from vsduf.filter.scenes import mark_cuts


def main(source: Path, target: Path) -> None:
    """Reads `source`, writes `target`; raises DufError or vs.Error with a sentence for what cannot be done."""
    film = open_source(source)
    clip = vsduf.upscale(mark_cuts(film.clip), scale=4)
    encode(clip, target, film, Settings(codec="libx264", preset="medium", crf=16), progress=report)


def report(done: int) -> None:
    """Rewrites one line on stderr."""
    sys.stderr.write(f"\r{done} frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
