"""The limits that Linux's control groups, versions 1 and 2, set to this process: memory, and time on the cores.

A container's memory limit is one of these: the system ends a process that goes beyond it without a word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
MEMORY = {  # controller of version 1, "" for version 2: limit, what is used, and the part of that which can be freed
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_bytes(mount: Path = MOUNT, own: Path = OWN) -> int:
    """Returns the bytes that the memory limits leave; `sys.maxsize` without a limit."""
    least = sys.maxsize
    for controller, (limit, usage, freeable) in MEMORY.items():
        for folder in _folders(controller, mount, own):
            most, used = _number(folder / limit), _number(folder / usage)
            if most is not None and used is not None:
                least = min(least, most - used + _field(folder / "memory.stat", freeable))
    return max(0, least)


def cores(mount: Path = MOUNT, own: Path = OWN) -> float:
    """Returns the cores that the limits on time come to; infinite without a limit."""
    least = float("inf")
    for folder in _folders("", mount, own):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.strip().isdecimal():
            least = min(least, int(quota) / int(period))
    for folder in _folders("cpu", mount, own):
        quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota_us is not None and period_us:
            least = min(least, quota_us / period_us)
    return least


def _folders(controller: str, mount: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's group and of those above it. controller: of version 1, "" for version 2."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        root = mount / controllers if controller else mount
        root = root if root.is_dir() else mount / controller
        inside = Path(path.lstrip("/"))
        yield from (root / part for part in (inside, *inside.parents))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int:
    """Returns a number of a file of lines "name number"; 0 where it is not there."""
    for line in _text(path).splitlines():
        if line.startswith(f"{name} ") and line.split()[1].isdecimal():
            return int(line.split()[1])
    return 0
