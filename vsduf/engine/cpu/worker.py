"""Runs all CPU work of a process on one thread.

OpenMP, which torch computes with, keeps a thread team per calling thread. With more threads than cores libgomp shortens
its spin-wait, and a frame takes 1.5 times as long. VapourSynth calls from any of its threads, so everything that
computes, folding of weights included, is submitted here; several filter instances take turns.

The number of cores is torch's setting at the thread's first work; `torch.set_num_threads` later affects its caller
only.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_here = threading.local()


class _Worker:
    """The executor; its thread starts with the first work."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)  # a forked child has no thread but the one that forked

    def renew(self) -> None:
        """Makes a new executor, whose thread is marked as the one that computes."""
        self.executor = ThreadPoolExecutor(1, "vsduf", functools.partial(setattr, _here, "computes", True))


_worker = _Worker()


def on_compute_thread[Result](work: Callable[[], Result]) -> Result:
    """Returns or raises what `work` does, on the compute thread; called on that thread itself, runs it directly."""
    if getattr(_here, "computes", False):
        return work()
    return _worker.executor.submit(work).result()
