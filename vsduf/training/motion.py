"""Seven frames from photographs: camera motion that is known to be smooth, often slower than a pixel a frame.

Footage alone teaches a network to work from the centre frame; under such motion the neighbours hold what it lacks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vsduf.network import RADIUS, WINDOW


@dataclass(frozen=True)
class Camera:
    """How far things may move from one frame to the next: pan in HR pixels, turn in degrees, zoom and tilt as shares."""

    pan: float = 5.0
    turn: float = 0.4
    zoom: float = 0.006
    tilt: float = 0.0004


def moving_photo(photos: list[Tensor], size: int, rng: np.random.Generator, camera: Camera = Camera()) -> Tensor:
    """[7, 3, size, size] in 0..1: one photograph, or, one time in three, a piece of a second in front of it."""
    frames = _layer(photos, size, rng, camera)[:, :3]
    if rng.random() < 1 / 3:
        front = _layer(photos, size, rng, camera)
        frames = torch.lerp(frames, front[:, :3], front[:, 3:])
    return frames.clamp(0, 1)


def _layer(photos: list[Tensor], size: int, rng: np.random.Generator, camera: Camera) -> Tensor:
    """[7, 4, size, size]: a photograph under one camera motion, and the mask of a shape that moves with it."""
    photo = photos[rng.integers(len(photos))]
    reach = math.ceil(size * 0.75 + RADIUS * camera.pan * 1.6) * 2
    shrink = 2 if min(photo.shape[1:]) >= 2 * reach and rng.random() < 0.5 else 1
    height, width = photo.shape[1:]
    tall, wide = min(height, reach * shrink), min(width, reach * shrink)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    picture = photo[None, :, top : top + tall, left : left + wide].float() / 255
    if shrink > 1:
        picture = F.avg_pool2d(picture, shrink)
    picture = torch.cat([picture, _blob(picture.shape[2:], rng).to(picture)], 1)
    grid = _grid(size, picture.shape[2:], rng, camera).to(picture)
    picture = picture.expand(WINDOW, -1, -1, -1)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def _blob(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    """[1, 1, H, W]: a random smooth shape, one inside, with an edge about a pixel wide."""
    cells = torch.from_numpy(rng.normal(size=(1, 1, 5, 5)).astype(np.float32))
    field = F.interpolate(cells, size=tuple(shape), mode="bicubic", align_corners=True)
    return (field * max(shape) / 8).clamp(-0.5, 0.5) + 0.5


def _grid(size: int, shape: torch.Size, rng: np.random.Generator, camera: Camera) -> Tensor:
    """[7, size, size, 2]: where each output pixel reads in a picture of that shape, in grid_sample's units."""
    time = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float32)
    heading, speed = rng.uniform(0, 2 * math.pi), camera.pan * rng.beta(1, 1.5)
    bend = rng.normal(0, 0.05, 2) * speed
    move_x = speed * math.cos(heading) * time + bend[0] * time**2 / 2
    move_y = speed * math.sin(heading) * time + bend[1] * time**2 / 2
    angle = math.radians(rng.uniform(-20, 20)) + math.radians(rng.normal(0, camera.turn)) * time
    zoom = rng.uniform(0.9, 1.25) * torch.exp(rng.normal(0, camera.zoom) * time)
    tilt_x, tilt_y = (rng.normal(0, camera.tilt) * time for _ in range(2))
    at = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    y, x = (g[None] for g in torch.meshgrid(at, at, indexing="ij"))
    depth = 1 + (tilt_x[:, None, None] * x + tilt_y[:, None, None] * y) / 4
    cos, sin = ((f(angle) * zoom)[:, None, None] / depth for f in (torch.cos, torch.sin))
    room = [max(0.0, s / 2 - size / 2 - RADIUS * camera.pan) for s in shape]
    centre_y, centre_x = (rng.uniform(-r, r) for r in room)
    source_x = cos * x - sin * y + move_x[:, None, None] + centre_x
    source_y = sin * x + cos * y + move_y[:, None, None] + centre_y
    return torch.stack([source_x * 2 / shape[1], source_y * 2 / shape[0]], -1)
