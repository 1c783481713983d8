"""Computes the CPU engine's rate on any number of threads, and compares it with the rate of this machine's cores.

    python tests/engine/cpu/scaling.py [WxH ...]

The times of a frame's operations are measured, cut as for so many threads; which thread computes which task when is
simulated (tests/helpers/schedule.py). The limits of a memory that many cores share are not part of it, nor are source
filters and encoders. python: the time for which the interpreter's lock is held, as a share of all tasks' time.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from pathlib import Path

import vapoursynth as vs

sys.path.insert(0, str(Path(__file__).parents[2]))

from helpers.recorded import record
from helpers.schedule import Simulation

from vsduf.engine.cpu.backend import at_once
from vsduf.filter.graph import upscale, upscale_with
from vsduf.network import catalogue, weights
from vsduf.siting import Siting

FRAMES, CALLBACKS = 16, 400
THREADS = (1, 2, 4, 8, 16, 64)


class Nothing:
    """An upscaler that computes nothing, and leaves the time of the filter's callback."""

    scale, siting, at_once = 4, Siting.CENTER, 1

    def __call__(self, window, frames, out):
        pass

    def close(self):
        pass


def clip_of(size, length):
    height, width = size
    return vs.core.std.BlankClip(format=vs.RGBS, width=width, height=height, length=length, keep=True)


def callback(size):
    """Returns the seconds that VapourSynth and the filter's Python take for a frame."""
    started = time.process_time()
    deque(upscale_with(clip_of(size, CALLBACKS), Nothing()).frames(), maxlen=0)
    return (time.process_time() - started) / CALLBACKS


def measured(size, threads):
    """Returns the frames per second of the filter on this machine: the best of three runs."""
    node, seconds = upscale(clip_of(size, 4 * FRAMES), num_streams=threads, device="cpu"), []
    for first in (0, FRAMES, 2 * FRAMES, 3 * FRAMES):
        started = time.perf_counter()
        deque(node[first : first + FRAMES].frames(), maxlen=0)
        seconds.append(time.perf_counter() - started)
    return FRAMES / min(seconds[1:])


def main(sizes):
    model = weights.load(catalogue.best(4))
    for size in sizes:
        print(f"{size[1]}x{size[0]}, callback {1e3 * callback(size):.2f} ms a frame")
        print("threads  tasks  ms a frame   python  fps, computed  threads busy  fps, measured")
        for threads in THREADS:
            frame = record(model, size, threads)
            simulation = Simulation(frame, threads, at_once(threads))
            found = simulation.run()
            real = f"{measured(size, threads):.2f}" if threads <= len(os.sched_getaffinity(0)) else ""
            tasks = simulation.grid.down * simulation.grid.across
            print(
                f"{threads:7}  {tasks:5}  {1e3 * frame.seconds:10.1f}  {100 * frame.python / frame.seconds:5.2f} %"
                f"  {found.fps:13.2f}  {threads * (1 - found.idle):12.2f}  {real:>13}",
                flush=True,
            )


if __name__ == "__main__":
    main([tuple(map(int, word.split("x")[::-1])) for word in sys.argv[1:]] or [(90, 160)])
