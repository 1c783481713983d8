"""Writes one frame of a film before and after, side by side, each in its own pixels: compare.py IN OUT [PICTURE.png]

Left: IN enlarged bicubically to OUT's size; right: OUT. The picture shows at most 960x720 pixels of each, from the
middle of the film's middle frame. Its name is OUT's with .png unless given.
"""

import sys
from pathlib import Path

import numpy as np
import vapoursynth as vs
from PIL import Image

core = vs.core
WIDTH, HEIGHT = 960, 720


def compare(source: Path, result: Path, picture: Path) -> None:
    """Writes `picture`; raises vs.Error if a film cannot be read."""
    small, large = (core.bs.VideoSource(str(path)) for path in (source, result))
    matrix = small.get_frame(0).props.get("_Matrix", vs.MATRIX_UNSPECIFIED)
    if matrix == vs.MATRIX_UNSPECIFIED:
        matrix = vs.MATRIX_ST170_M if small.height <= 576 else vs.MATRIX_BT709
    halves = []
    for clip in (small, large):
        rgb = core.resize.Bicubic(clip, large.width, large.height, format=vs.RGB24, matrix_in=matrix)
        frame = rgb.get_frame(rgb.num_frames // 2)
        pixels = np.dstack([np.asarray(frame[plane]) for plane in range(3)])
        top, left = (max(0, side - most) // 2 for side, most in ((large.height, HEIGHT), (large.width, WIDTH)))
        halves.append(pixels[top : top + HEIGHT, left : left + WIDTH])
    Image.fromarray(np.hstack(halves)).save(picture)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python compare.py IN OUT [PICTURE.png]")
    source, result = Path(sys.argv[1]), Path(sys.argv[2])
    target = Path(sys.argv[3]) if len(sys.argv) == 4 else result.with_suffix(".png")
    try:
        compare(source, result, target)
    except (vs.Error, OSError) as error:
        sys.exit(f"compare.py: {error}")
    print(target)
