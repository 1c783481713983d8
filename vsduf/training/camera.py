"""Moves photographs under a virtual camera: motion that is smooth, and often slower than a pixel a frame.

Footage alone teaches a network to work from the centre frame. Under such motion the neighbouring frames hold the detail
that the centre frame lacks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vsduf.errors import ArgumentError
from vsduf.upscaler import WINDOW


@dataclass(frozen=True)
class Camera:
    """The limits of the camera's motion from one frame to the next.

    pan: HR pixels, at most. turn: degrees, standard deviation. zoom, tilt: shares, standard deviations. layers: the
    share of samples in which a piece of a second photograph moves independently in front of the first.
    """

    pan: float = 5.0
    turn: float = 0.4
    zoom: float = 0.006
    tilt: float = 0.0004
    layers: float = 1 / 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < math.inf:
                raise ArgumentError(f"{field.name} is {value}; it must be 0 or more, and finite")


def moving_photo(
    photos: list[Tensor], size: int, rng: np.random.Generator, camera: Camera, frames: int = WINDOW
) -> Tensor:
    """Returns [frames, 3, size, size] in 0..1: a photograph under camera motion, sometimes with another in front."""
    pictures = _layer(photos, size, rng, camera, frames)[:, :3]
    if rng.random() < camera.layers:
        front = _layer(photos, size, rng, camera, frames)
        pictures = torch.lerp(pictures, front[:, :3], front[:, 3:])
    return pictures.clamp(0, 1)


def _layer(photos: list[Tensor], size: int, rng: np.random.Generator, camera: Camera, frames: int) -> Tensor:
    """Returns [frames, 4, size, size]: a photograph under one motion, and the mask of a shape that moves with it."""
    photo = photos[rng.integers(len(photos))]
    reach = math.ceil(size * 0.75 + (frames - 1) / 2 * camera.pan * 1.6) * 2
    shrink = 2 if min(photo.shape[1:]) >= 2 * reach and rng.random() < 0.5 else 1
    height, width = photo.shape[1:]
    tall, wide = min(height, reach * shrink), min(width, reach * shrink)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    picture = photo[None, :, top : top + tall, left : left + wide].float() / 255
    if shrink > 1:
        picture = F.avg_pool2d(picture, shrink)
    cells = _beside(picture, rng.normal(size=(1, 1, 5, 5)).astype(np.float32))
    picture = torch.cat([picture, _blob(cells, picture.shape[2:])], 1)
    motion = _beside(picture, _homographies(size, picture.shape[2:], rng, camera, frames))
    grid = _grid(motion, size, picture.shape[2:])
    picture = picture.expand(frames, -1, -1, -1)
    return F.grid_sample(picture, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def _blob(cells: Tensor, shape: torch.Size) -> Tensor:
    """Returns [1, 1, H, W]: a smooth shape, 1 inside and 0 outside, with an edge about a pixel wide."""
    field = F.interpolate(cells, size=tuple(shape), mode="bicubic", align_corners=True)
    return (field * max(shape) / 8).clamp(-0.5, 0.5) + 0.5


def _homographies(
    size: int, shape: torch.Size, rng: np.random.Generator, camera: Camera, frames: int
) -> NDArray[np.float32]:
    """Returns [frames, 3, 3]: maps from places in the output to places in a picture of that shape.

    Both are counted in pixels from the middle.
    """
    time = np.arange(frames) - (frames - 1) / 2
    heading, speed = rng.uniform(0, 2 * math.pi), camera.pan * rng.beta(1, 1.5)
    bend = rng.normal(0, 0.05, 2) * speed * WINDOW / frames
    angle = math.radians(rng.uniform(-20, 20)) + math.radians(rng.normal(0, camera.turn)) * time
    zoom = rng.uniform(0.9, 1.25) * np.exp(rng.normal(0, camera.zoom) * time)
    tilt_x, tilt_y = (rng.normal(0, camera.tilt) / 4 * time for _ in range(2))
    room_y, room_x = (max(0.0, s / 2 - size / 2 - time[-1] * camera.pan) for s in shape)
    y, x = rng.uniform(-room_y, room_y), rng.uniform(-room_x, room_x)
    x = x + speed * math.cos(heading) * time + bend[0] * time**2 / 2
    y = y + speed * math.sin(heading) * time + bend[1] * time**2 / 2
    cos, sin, one = zoom * np.cos(angle), zoom * np.sin(angle), np.ones(frames)
    rows = [[cos + x * tilt_x, -sin + x * tilt_y, x], [sin + y * tilt_x, cos + y * tilt_y, y], [tilt_x, tilt_y, one]]
    return np.array(rows, np.float32).transpose(2, 0, 1)


def _grid(motion: Tensor, size: int, shape: torch.Size) -> Tensor:
    """Returns [frames, size, size, 2]: where each output pixel is read, in the units of `grid_sample`."""
    at = torch.arange(size, dtype=torch.float32, device=motion.device) - (size - 1) / 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    place = torch.einsum("tij,hwj->thwi", motion, torch.stack([x, y, torch.ones_like(x)], -1))
    x, y = (place[..., :2] / place[..., 2:]).unbind(-1)
    return torch.stack([x * (2 / shape[1]), y * (2 / shape[0])], -1)


def _beside(other: Tensor, values: NDArray[np.float32]) -> Tensor:
    """Copies values to another tensor's device without synchronising."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(other, non_blocking=True) if other.is_cuda else tensor.to(other)
