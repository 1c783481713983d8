"""DUF video super-resolution (Jo et al., CVPR 2018) for VapourSynth: `core.duf.Upscale` and `vsduf.upscale`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vsduf.errors import ArgumentError, DeviceError, DufError, MediaError, WeightsError
from vsduf.filter import mark_cuts, once, upscale, upscale_with
from vsduf.upscaler import Upscaler

if TYPE_CHECKING:
    from vsduf.network.catalogue import bundled as models
    from vsduf.network.weights import load as load_weights

__version__ = "0.1.0"
__all__ = [
    "ArgumentError",
    "DeviceError",
    "DufError",
    "MediaError",
    "Upscaler",
    "WeightsError",
    "__version__",
    "load_weights",
    "mark_cuts",
    "models",
    "once",
    "upscale",
    "upscale_with",
]
_LAZY = {"models": ("catalogue", "bundled"), "load_weights": ("weights", "load")}  # in vsduf.network


def __getattr__(name: str) -> Any:
    """Returns `models` or `load_weights` at their first use; torch is imported with `load_weights`."""
    if name not in _LAZY:
        raise AttributeError(f"module 'vsduf' has no attribute {name!r}")
    module, function = _LAZY[name]
    return getattr(importlib.import_module(f"vsduf.network.{module}"), function)
