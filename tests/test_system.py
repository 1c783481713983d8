"""Limits of this process: cores and memory, by its own settings and by control groups."""

import os
import subprocess
import sys

import pytest

from vsduf import cgroups, system


def groups(folder, files):
    """A mount point of control groups with those files, and what /proc/self/cgroup says of a process in a/b."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    own = folder / "own"
    own.write_text("5:cpu,cpuacct:/a/b\n4:memory:/a/b\n0::/a/b\n")
    return folder, own


@pytest.mark.parametrize(("files", "expected"), [
    ({}, sys.maxsize),
    ({"a/b/memory.max": "max\n", "a/b/memory.current": "5\n"}, sys.maxsize),
    ({"a/b/memory.max": "1000\n", "a/b/memory.current": "300\n"}, 700),
    ({"a/b/memory.max": "9\n", "a/b/memory.current": "6\n", "a/b/memory.stat": "file 9\ninactive_file 2\n"}, 5),
    ({"a/memory.max": "4\n", "a/memory.current": "3\n", "a/b/memory.max": "9\n", "a/b/memory.current": "1\n"}, 1),
    ({"a/memory.max": "400\n", "a/memory.current": "500\n"}, 0),
    ({"memory/a/memory.limit_in_bytes": "800\n", "memory/a/memory.usage_in_bytes": "200\n"}, 600),
])  # fmt: skip
def test_memory_of_control_groups(tmp_path, files, expected):
    assert cgroups.free_bytes(*groups(tmp_path, files)) == expected


@pytest.mark.parametrize(("files", "expected"), [
    ({}, float("inf")),
    ({"a/b/cpu.max": "max 100000\n"}, float("inf")),
    ({"a/b/cpu.max": "150000 100000\n"}, 1.5),
    ({"a/cpu.max": "50000 100000\n", "a/b/cpu.max": "150000 100000\n"}, 0.5),
    ({"cpu,cpuacct/a/b/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n"}, 3),
    ({"cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, float("inf")),
])  # fmt: skip
def test_cores_of_control_groups(tmp_path, files, expected):
    assert cgroups.cores(*groups(tmp_path, files)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_cores_are_those_of_the_affinity():
    script = "import os; os.sched_setaffinity(0, {0}); from vsduf import system; print(system.usable_cores())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_AS")
def test_free_memory_is_no_more_than_the_address_space_allows():
    script = (
        "import resource, vsduf.system as s; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30));"
        "assert 0 < s.free_bytes() <= 3 << 30"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_free_memory_is_positive():
    assert system.free_bytes() > 0
