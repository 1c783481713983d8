"""The VapourSynth filter: clips in, clips out. torch is imported when a GPU computes, not with this package."""

from vsduf.filter.graph import upscale, upscale_with
from vsduf.filter.repeats import once
from vsduf.filter.scenes import mark_cuts

__all__ = ["mark_cuts", "once", "upscale", "upscale_with"]
