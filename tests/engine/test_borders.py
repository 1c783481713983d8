"""Borders are as good as the middle: the gain over bicubic of the outer eight pixels, on real frames."""

import math
from pathlib import Path

import numpy as np
import torch

from vsduf.engine.engine import open_engine
from vsduf.evaluation import bicubic as catmull_rom
from vsduf.evaluation.degradation import degrade
from vsduf.evaluation.metrics import BORDER, luma
from vsduf.film.arrays import read_clip

CLIP = Path(__file__).parents[2] / "examples" / "city.mkv"


def decibels(error: torch.Tensor) -> float:
    return 10 * math.log10(255**2 / float(error.mean()))


def test_the_outer_pixels_gain_as_much_as_the_rest():
    truth = torch.from_numpy(read_clip(CLIP, 48)).float() / 255
    low = (degrade(truth, 4).clamp(0, 1) * 255).round().byte().numpy()
    engine = open_engine("duf-16s-x4", 4, 60, 34, device_id=-1, warn=print)
    ours, bicubic, outer = [], [], torch.ones(136, 240, dtype=torch.bool)
    outer[BORDER:-BORDER, BORDER:-BORDER] = False
    for centre in (8, 18, 30, 40):
        window = range(centre - 3, centre + 4)
        out = np.empty((3, 136, 240), np.uint8)
        engine(list(window), {n: list(low[n]) for n in window}, list(out))
        wanted = luma(truth[centre])
        ours.append((luma(torch.from_numpy(out) / 255) - wanted) ** 2)
        smooth = catmull_rom.upscale(torch.from_numpy(low[centre : centre + 1]) / 255, 4)[0]
        bicubic.append((luma(smooth) - wanted) ** 2)
    engine.close()
    a, b = torch.stack(ours), torch.stack(bicubic)
    gains = [decibels(a[:, part]) - decibels(b[:, part]) for part in (outer, ~outer)]
    assert gains[1] > 0.5
    assert abs(gains[0] - gains[1]) < 1, gains
