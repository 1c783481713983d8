"""Measures frames per second of vsduf, of the plain network, and of other filters with the same weights."""
