"""Where low-resolution (LR) samples lie on the high-resolution (HR) grid."""

from __future__ import annotations

from enum import StrEnum


class Siting(StrEnum):
    """The position of LR pixel i on the HR grid; R is the scale.

    CENTER: at HR position R * i + (R - 1) / 2, the convention of zimg and of most resizers. TOP_LEFT: on HR pixel
    R * i, the convention of the DUF authors' networks.
    """

    CENTER = "center"
    TOP_LEFT = "top-left"
