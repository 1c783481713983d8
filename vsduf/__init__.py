"""DUF video super-resolution (Jo et al., CVPR 2018) for VapourSynth: `core.duf.Upscale` and `vsduf.upscale`."""

from vsduf import openmp as openmp  # first: torch reads it as it is loaded
from vsduf.plugin import upscale as upscale

__version__ = "0.1.0"
