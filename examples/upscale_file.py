"""Makes a film four times as large, with its sound, subtitles and chapters: python upscale_file.py IN.mkv OUT.mkv

`vsduf upscale` does the same in one command; this is a start for scripts that do more between reading and writing.
"""

import sys
from pathlib import Path

import vapoursynth as vs

import vsduf
from vsduf.film import Settings, encode, open_source


def main(source: Path, target: Path) -> None:
    """Reads `source` and writes `target`; raises DufError or vs.Error, with one sentence, for what cannot be done."""
    film = open_source(source)
    clip = vsduf.upscale(vsduf.mark_cuts(film.clip), scale=4)
    encode(clip, target, film, Settings(codec="libx264", preset="medium", crf=16), progress=report)


def report(done: int) -> None:
    """Rewrites one line on stderr."""
    sys.stderr.write(f"\r{done} frames")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python upscale_file.py IN.mkv OUT.mkv")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (vsduf.DufError, vs.Error) as error:
        sys.exit(f"upscale_file.py: {error}")
