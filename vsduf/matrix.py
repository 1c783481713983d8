"""The matrix that is assumed for video whose tags do not state one."""

from __future__ import annotations

UNSPECIFIED = 2  # ITU-T H.273: not stated; the same code for matrix, transfer and primaries
BT709, BT601 = 1, 6  # BT.601 by the code of SMPTE 170M, which has the same matrix as BT.470BG (5)
SD_HEIGHT = 576  # lines


def assumed_matrix(height: int) -> int:
    """Returns the H.273 matrix code for untagged video of `height` lines: BT.601 up to 576 lines, BT.709 above."""
    return BT601 if height <= SD_HEIGHT else BT709
