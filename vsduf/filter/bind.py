"""Gives the native plugin its Python functions, and converts the arguments that VapourSynth passes them."""

from __future__ import annotations

import os
from typing import Any

import vapoursynth as vs

from vsduf.filter.graph import upscale
from vsduf.filter.refusals import or_sentence


def bind() -> None:
    """Gives `core.duf.Upscale` and `core.duf.Version` their functions. The plugin calls this on its caller's thread."""
    vs.core.duf.Bind(upscale=or_sentence(_upscale), version=or_sentence(version))


def _upscale(**arguments: Any) -> vs.VideoNode:
    """Calls `upscale` with VapourSynth's types converted to Python's: data to str, integer flags to bool."""
    for name, kind in (("model", _text), ("device", _text), ("fp16", bool), ("scenecut", bool), ("square", bool)):
        if arguments.get(name) is not None:
            arguments[name] = kind(arguments[name])
    return upscale(**arguments)


def _text(value: str | bytes) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else value  # a path need not be valid UTF-8


def version() -> dict[str, Any]:
    """Returns what `core.duf.Version()` shows.

    version, torch: their versions. cuda: the version that torch was built with, or "none". cpu: the instructions that
    the CPU engine uses, "avx512", "avx2" or "portable". devices: GPUs as `device` takes them, with the cards'
    names. models: names of the bundled models.
    """
    from vsduf import __version__
    from vsduf.engine import cpu_kernels, device
    from vsduf.engine.torch_build import torch_build
    from vsduf.network.catalogue import bundled

    build = torch_build()
    return {
        "version": __version__,
        "torch": build.version,
        "cuda": build.cuda or "none",
        "cpu": cpu_kernels(),
        "devices": device.names(),
        "models": bundled(),
    }
