"""Degradations of real footage: blur, halos, noise, weak colour, fields, and the artefacts of real encoders."""
