"""The network and its weights: what is computed, as the paper writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vsduf.network.config import DufConfig

if TYPE_CHECKING:
    from vsduf.network.duf import Duf

__all__ = ["Duf", "DufConfig"]


def __getattr__(name: str) -> Any:
    """Loads `Duf` when it is first used: torch comes with it, and the names of the models must not wait for torch."""
    if name != "Duf":
        raise AttributeError(f"module 'vsduf.network' has no attribute {name!r}")
    from vsduf.network.duf import Duf

    return Duf
