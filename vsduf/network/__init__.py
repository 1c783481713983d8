"""The network and its weights: what is computed, as the paper writes it."""

from vsduf.network.duf import Duf, DufConfig

__all__ = ["Duf", "DufConfig"]
