"""Hands the Python functions to the native plugin, and converts what VapourSynth passes them."""

from __future__ import annotations

from typing import Any

import vapoursynth as vs

from vsduf.filter.graph import upscale
from vsduf.filter.refusals import or_sentence


def bind() -> None:
    """Gives `core.duf.Upscale` and `core.duf.Version` their functions; called by the plugin, on its caller's thread."""
    vs.core.duf.Bind(upscale=or_sentence(_upscale), version=or_sentence(version))


def _upscale(**arguments: Any) -> vs.VideoNode:
    """Calls `upscale` with VapourSynth's types turned into Python's: data to str, int flags to bool."""
    for name, kind in (("model", _text), ("fp16", bool), ("scenecut", bool)):
        if arguments.get(name) is not None:
            arguments[name] = kind(arguments[name])
    return upscale(**arguments)


def _text(value: str | bytes) -> str:
    return str(value, "utf-8") if isinstance(value, bytes) else value


def version() -> dict[str, Any]:
    """Returns what `core.duf.Version()` shows.

    version, torch, cuda ("none" where torch has none), spin_count (GOMP_SPINCOUNT, "" where it is not set), devices
    (names of the CUDA devices in the order of device_id) and models (the bundled ones).
    """
    import os

    import torch

    from vsduf import __version__
    from vsduf.engine import device
    from vsduf.network.catalogue import bundled

    return {
        "version": __version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "spin_count": os.environ.get("GOMP_SPINCOUNT", ""),
        "devices": device.names(),
        "models": bundled(),
    }
