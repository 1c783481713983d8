"""Memory that stays: glibc gives large blocks back to the system at once, and has them zeroed again at the next use."""

from __future__ import annotations

import ctypes
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # malloc.h
LARGEST = 2**31 - 1


def keep_large_blocks() -> bool:
    """Lets this process's malloc keep what it frees, for programs that allocate the same large tensors at each step.

    False where malloc is not glibc's; nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, LARGEST))
