"""Small footage for tests: PNG frames of a textured scene that moves by whole pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image


def texture(height, width, seed=0):
    """[3, H, W] uint8: smooth noise, with detail at every size down to about two pixels."""
    rng = np.random.default_rng(seed)
    total = np.zeros((3, height, width))
    for cell in (2, 4, 8, 16):
        coarse = rng.normal(size=(3, height // cell + 1, width // cell + 1))
        total += np.kron(coarse, np.ones((1, cell, cell)))[:, :height, :width]
    return (128 + 30 * total).clip(0, 255).astype(np.uint8)


def moving(frames, height, width, seed=0, step=2):
    """[frames, 3, H, W] uint8: a texture that moves left by `step` pixels a frame."""
    wide = texture(height, width + frames * step, seed)
    return np.stack([wide[:, :, n * step : n * step + width] for n in range(frames)])


def write_frames(folder, frames):
    """Writes [frames, 3, H, W] uint8 as 000.png, 001.png, ... and returns the folder."""
    folder.mkdir(parents=True)
    for n, frame in enumerate(frames):
        write_picture(folder / f"{n:03}.png", frame)
    return folder


def write_picture(path, picture):
    """Writes [3, H, W] uint8."""
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(path)
    return path
