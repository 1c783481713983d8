"""Opens films, and encodes clips as films with everything else that their source holds; without torch."""

from vsduf.film.codec import Settings
from vsduf.film.encoder import encode, prepare
from vsduf.film.source import open_source

__all__ = ["Settings", "encode", "open_source", "prepare"]
