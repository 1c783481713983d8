"""Films: opening a file, and encoding a clip with everything else that its source holds. Nothing here imports torch."""

from vsduf.film.encoder import Settings, encode
from vsduf.film.source import open_source

__all__ = ["Settings", "encode", "open_source"]
