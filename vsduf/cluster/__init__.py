"""Encodes a film's segments on several devices and machines at a time, by Ray."""
