"""Records the memory that engines have planned but not allocated yet, so that two of them do not plan the same bytes.

An engine allocates during its first frames, after all engines of a script are open. Where memory runs out then, Linux
reports it and tiles are halved; Windows moves a graphics card's memory to main memory instead, and frames take ten
times as long without any error.
"""

from __future__ import annotations

import threading
import weakref

_planned: weakref.WeakKeyDictionary[object, tuple[str, int]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def reserve(owner: object, device: str, size: int) -> None:
    """Records that `owner` will allocate `size` bytes of a device, until `release` or until `owner` is collected."""
    with _lock:
        _planned[owner] = (device, size)


def release(owner: object) -> None:
    """Removes the reservation of `owner`, which has allocated its memory or is closed."""
    with _lock:
        _planned.pop(owner, None)


def reserved(device: str) -> int:
    """Returns the bytes of a device that are reserved."""
    with _lock:
        return sum(size for name, size in _planned.values() if name == device)
