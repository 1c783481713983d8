"""Reads the encoded frames of a Matroska file with one video track, as ffmpeg writes it. Element numbers: RFC 9559."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vsduf.errors import MediaError

SEGMENT, TRACKS, CLUSTER, TIMESTAMP = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xE7
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK, REFERENCE, ADDITIONS = 0xA3, 0xA0, 0xA1, 0xFB, 0x75A1
HEAD = 4  # bytes before a block's frame: track number, time of two bytes, flags
KEY = 0x80  # the flag of a key frame in a SimpleBlock


@dataclass(frozen=True)
class Block:
    """One encoded frame.

    start, end: of its data in the file. time: in the file's ticks. key: whether it is a key frame. additions: payload
    of its BlockAdditions element, which holds an alpha channel, or nothing.
    """

    start: int
    end: int
    time: int
    key: bool
    additions: bytes = b""


@dataclass(frozen=True)
class Element:
    """An element of the file: its number, and where its payload lies."""

    number: int
    start: int
    end: int


class Coded:
    """The video track of a file, as a context.

    tracks: the payload of its Tracks element, which tells how to decode. blocks: its frames in the order of decoding.
    Raises MediaError if the file is not Matroska, or ends early.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:  # an empty file
                raise MediaError(f"{path} is empty; delete it") from error
        self.tracks, self.blocks = b"", list[Block]()
        try:
            for element in self._elements(0, len(self._bytes)):
                if element.number == SEGMENT:
                    self._read_segment(element)
        except IndexError as error:
            self.close()
            raise MediaError(f"{path} ends early; delete it") from error
        if not self.tracks:
            self.close()
            raise MediaError(f"{path} is not a Matroska film; delete it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._bytes.close()

    def payload(self, block: Block) -> bytes:
        """Returns the encoded frame."""
        return self._bytes[block.start : block.end]

    def _read_segment(self, segment: Element) -> None:
        for element in self._elements(segment.start, segment.end):
            if element.number == TRACKS:
                self.tracks = self._bytes[element.start : element.end]
            elif element.number == CLUSTER:
                self.blocks += self._read_cluster(element)

    def _read_cluster(self, cluster: Element) -> Iterator[Block]:
        begin = 0
        for element in self._elements(cluster.start, cluster.end):
            if element.number == TIMESTAMP:
                begin = int.from_bytes(self._bytes[element.start : element.end], "big")
            elif element.number == SIMPLE_BLOCK:
                key = bool(self._bytes[element.start + HEAD - 1] & KEY)
                yield self._block(element, begin, key)
            elif element.number == BLOCK_GROUP:
                parts = {part.number: part for part in self._elements(element.start, element.end)}
                more = parts.get(ADDITIONS)
                additions = self._bytes[more.start : more.end] if more else b""
                yield self._block(parts[BLOCK], begin, REFERENCE not in parts, additions)

    def _block(self, element: Element, begin: int, key: bool, additions: bytes = b"") -> Block:
        offset = int.from_bytes(self._bytes[element.start + 1 : element.start + 3], "big", signed=True)
        return Block(element.start + HEAD, element.end, begin + offset, key, additions)

    def _elements(self, start: int, end: int) -> Iterator[Element]:
        """Yields the elements between two places; raises IndexError if the last one reaches beyond `end`."""
        while start < end:
            number, start = self._number(start, keep_mark=True)
            size, start = self._number(start, keep_mark=False)
            if start + size > end:
                raise IndexError
            yield Element(number, start, start + size)
            start += size

    def _number(self, start: int, keep_mark: bool) -> tuple[int, int]:
        """Reads a number whose first byte's leading zeros tell its length; returns it and the place behind it."""
        first = self._bytes[start]
        length = 9 - first.bit_length()
        value = int.from_bytes(self._bytes[start : start + length], "big")
        return value if keep_mark else value & ~(1 << (7 * length)), start + length
