"""Many threads, computed: the simulation of the scheduler on small cases, and what it finds of the engine."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.recorded import record
from helpers.schedule import LOCK, Frame, Grid, Operation, Simulation

from vsduf.engine.cpu.backend import at_once
from vsduf.network import catalogue, weights

NATIVE = Path(__file__).parents[3] / "vsduf" / "native"
COMPILER = shlex.split(os.environ.get("CXX", "c++"))
SIZES = [(1, 1), (9, 400), (90, 160), (97, 191), (270, 480), (1080, 1920)]
PROGRAM = """
#include <cstdio>
#include "scheduler.h"
int main() {
    int height, width, threads;
    while (std::scanf("%d %d %d", &height, &width, &threads) == 3) {
        const vsduf::Grid grid({0, 0, height, width}, threads);
        std::printf("%d %d %d %d\\n", grid.rows, grid.columns, grid.down, grid.across);
    }
}
"""


def computed(*operations, size=(32, 192), threads=1, frames_at_once=2, python=0.0):
    return Simulation(Frame(operations, size, python), threads, frames_at_once).run()


@pytest.mark.skipif(sys.platform != "linux" or shutil.which(COMPILER[0]) is None, reason="there is no compiler")
def test_grids_are_the_schedulers(tmp_path):
    cases = [(*size, threads) for size in SIZES for threads in (1, 2, 4, 16, 64)]
    (tmp_path / "grids.cpp").write_text(PROGRAM)
    flags = ["-std=c++17", "-pthread", f"-I{NATIVE}", tmp_path / "grids.cpp", NATIVE / "scheduler.cpp"]
    subprocess.run([*COMPILER, *flags, "-o", tmp_path / "grids"], check=True)
    given = "\n".join(" ".join(map(str, case)) for case in cases)
    done = subprocess.run([tmp_path / "grids"], input=given, capture_output=True, text=True, check=True)
    ours = [Grid.of((height, width), threads) for height, width, threads in cases]
    assert done.stdout.splitlines() == [f"{g.rows} {g.columns} {g.down} {g.across}" for g in ours]


def test_one_thread_is_always_busy():
    found = computed(Operation(1.0, 0, ()), Operation(2.0, 1, ((0, 0), (1, 0))))
    assert found.fps == pytest.approx(1 / 3, rel=1e-3) and found.idle == pytest.approx(0, abs=1e-3)


def test_one_task_at_a_time_keeps_one_thread_busy():
    alone = computed(Operation(1.0, 0, ()), size=(4, 4), threads=4, frames_at_once=1)
    assert alone.fps == pytest.approx(1, rel=1e-3) and alone.idle == pytest.approx(0.75, rel=1e-3)
    chained = computed(Operation(1.0, 0, ((1, 0),)), size=(4, 4), threads=4, frames_at_once=4)
    assert chained.fps == pytest.approx(1, rel=1e-3)
    apart = computed(Operation(1.0, 0, ()), size=(4, 4), threads=4, frames_at_once=4)
    assert apart.fps == pytest.approx(4, rel=1e-3)


def test_halos_wait_for_neighbours():
    frame = Frame((Operation(1.0, 0, ()), Operation(1.0, 1, ((0, 0),))), (8 * 3, 8), 0.0)
    assert list(Grid.of(frame.size, 1).around(0, 1)) == [0, 1] and list(Grid.of(frame.size, 1).around(1, 1)) == [
        0,
        1,
        2,
    ]
    assert list(Grid.of(frame.size, 1).around(1, 0)) == [1]


def test_python_and_the_lock_limit_the_rate():
    found = computed(Operation(1e-6, 0, ()), size=(4, 4), threads=64, frames_at_once=4, python=0.5)
    assert found.fps == pytest.approx(2, rel=1e-3) and found.python == pytest.approx(1, rel=1e-3)
    found = computed(Operation(1e-12, 0, ()), size=(4, 4), threads=64, frames_at_once=64)
    assert found.fps == pytest.approx(1 / LOCK, rel=0.1)


@pytest.mark.slow
def test_sixty_four_threads_are_busy_and_nothing_serial_takes_three_hundredths_of_a_frame():
    model = weights.load(catalogue.best(4))
    frame = record(model, (90, 160), 64)
    found = Simulation(frame, 64, at_once(64)).run()
    assert frame.python < 0.03 * frame.seconds
    assert found.idle < 0.1
