"""The one thread of a process that computes on the CPU.

OpenMP, which torch computes with, keeps helpers for every thread that it is called from. Where there are more of them
than cores, all wait less patiently for each other, and the same frame takes half as long again. VapourSynth calls from
any of its threads, so whatever computes, weights included, is sent here; several nodes take turns.

How many cores it uses is torch's setting at its first work: a later `torch.set_num_threads` is for its caller alone.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_here = threading.local()


def computed[Result](work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, on that thread; at once where this is that thread."""
    if getattr(_here, "computes", False):
        return work()
    return _thread().submit(work).result()


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "vsduf", functools.partial(setattr, _here, "computes", True))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_thread.cache_clear)  # a child has no threads but the one that forked
