"""Where low-resolution samples lie: in the middle of their block of high-resolution pixels, or on its corner."""

from __future__ import annotations

from enum import StrEnum


class Siting(StrEnum):
    """The place of LR pixel i on the HR grid; R is the scale.

    CENTER: at HR position R * i + (R - 1) / 2, as zimg and every other resizer has it. TOP_LEFT: on HR pixel R * i, as
    the DUF authors train.
    """

    CENTER = "center"
    TOP_LEFT = "top-left"
