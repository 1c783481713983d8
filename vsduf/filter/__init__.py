"""The VapourSynth filter: clips in, clips out. Nothing here imports torch until a clip is upscaled."""

from vsduf.filter.graph import upscale, upscale_with
from vsduf.filter.repeats import once
from vsduf.filter.scenes import mark_cuts

__all__ = ["mark_cuts", "once", "upscale", "upscale_with"]
