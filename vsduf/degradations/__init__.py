"""Degradations of real footage: blur, halos, noise, weak colour, fields, and the artefacts of real encoders."""

from vsduf.degradations.history import degraded
from vsduf.degradations.recipe import FAMILIES, HELD_OUT, Recipe, draw

__all__ = ["FAMILIES", "HELD_OUT", "Recipe", "degraded", "draw"]
