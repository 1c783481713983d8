"""Makes small footage: frames of a texture that moves by whole pixels, as arrays or PNG files."""

from __future__ import annotations

import numpy as np
from PIL import Image


def texture(height, width, seed=0):
    """Returns [3, H, W] uint8: the sum of random grids with cells of 2, 4, 8 and 16 pixels."""
    rng = np.random.default_rng(seed)
    total = np.zeros((3, height, width))
    for cell in (2, 4, 8, 16):
        coarse = rng.normal(size=(3, height // cell + 1, width // cell + 1))
        total += np.kron(coarse, np.ones((1, cell, cell)))[:, :height, :width]
    return (128 + 30 * total).clip(0, 255).astype(np.uint8)


def moving(frames, height, width, seed=0, step=2):
    """Returns [frames, 3, H, W] uint8: a texture that moves left by `step` pixels a frame."""
    wide = texture(height, width + frames * step, seed)
    return np.stack([wide[:, :, n * step : n * step + width] for n in range(frames)])


def write_frames(folder, frames):
    """Writes [frames, 3, H, W] uint8 as 000.png, 001.png, ... and returns the folder."""
    folder.mkdir(parents=True)
    for n, frame in enumerate(frames):
        write_picture(folder / f"{n:03}.png", frame)
    return folder


def write_picture(path, picture):
    """Writes a picture [3, H, W] uint8 and returns its path."""
    Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).save(path)
    return path
