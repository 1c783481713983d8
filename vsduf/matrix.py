"""The matrix that is assumed for video whose tags do not give one."""

from __future__ import annotations

UNSPECIFIED = 2  # ITU-T H.273: no statement; the same code for matrix, transfer and primaries
BT709, BT601 = 1, 6  # BT.601 as SMPTE 170M, whose matrix is the same as 470BG's
SD_HEIGHT = 576  # lines


def assumed_matrix(height: int) -> int:
    """Returns H.273's matrix code for untagged video: BT.601 up to 576 lines, BT.709 above."""
    return BT601 if height <= SD_HEIGHT else BT709
