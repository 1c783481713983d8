"""Which exceptions are one sentence for the user, and that sentence."""

from __future__ import annotations

import sys

from vsduf.errors import DufError


def expected() -> tuple[type[Exception], ...]:
    """Returns vsduf's errors, the operating system's, and VapourSynth's if it has been imported."""
    vapoursynth = sys.modules.get("vapoursynth")
    return (DufError, OSError) if vapoursynth is None else (DufError, OSError, vapoursynth.Error)


def sentence(error: Exception, doing: str) -> str:
    """Returns what to say of an error. doing: what failed, where the error does not name a file."""
    if isinstance(error, OSError):  # such as a full disk, a folder without permission, a name that is too long
        return f"{error.filename or doing}: {error.strerror or error}"
    return str(error)
