"""Settings and facts of the operating system and the C library; importing this module changes nothing."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys

from vsduf import cgroups

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # mallopt's parameters, malloc.h
LARGEST = 2**31 - 1


def keep_large_blocks() -> bool:
    """Stops glibc from returning freed large blocks to the system, which would zero them again at their next use.

    Meant for programs that allocate the same large tensors at every step. Returns False, and changes nothing, if malloc
    is not glibc's.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, LARGEST))


def trim_heap() -> None:
    """Returns the heap's free memory to the system; does nothing if malloc is not glibc's.

    glibc keeps what freed video frames leave: 1.1 GiB after 3,000 frames of 1920x1080.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def usable_cores() -> int:
    """Returns the cores that this process may use: by its affinity, and by its control groups' share of time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, cgroups.cores())))


def free_bytes() -> int:
    """Returns the bytes of memory that this process can still have without swapping.

    That is the least of what the machine has, what its control groups and what its address space (RLIMIT_AS) leave.
    """
    import psutil  # takes longer to import than all of vsduf's own modules

    return max(0, min(int(psutil.virtual_memory().available), cgroups.free_bytes(), _address_space()))


def _address_space() -> int:
    """Returns the bytes that the limit of the process's address space leaves; a very large number without a limit."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    import psutil

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - int(psutil.Process().memory_info().vms)
