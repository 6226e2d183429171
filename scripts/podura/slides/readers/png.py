"""PNG as a stream of chunks (PNG specification, third edition): facts and damage without the pixels."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from podura.slides.faults import TruncatedError

_METADATA = (b"eXIf", b"iTXt", b"zTXt", b"tEXt")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BLOCK = 1 << 18
_FILTERS = 5


@dataclass(frozen=True)
class PngHeader:
    """The first chunk: size in pixels, bits a sample, colour type (0 grey, 2 RGB, 3 palette, 4, 6 alpha)."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def is_deep_colour(self) -> bool:
        """16 bits a sample and more than one sample."""
        return self.bits == 16 and self.colour in (2, 4, 6)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of pixels, with the byte that names its filter."""
        return 1 + (self.width * self.bits * _SAMPLES[self.colour] + 7) // 8


def png_header(path: Path) -> PngHeader:
    """Read the first chunk. Raises ValueError where it is none."""
    with path.open("rb") as file:
        head = file.read(29)
    if len(head) < 29:
        raise TruncatedError
    bits, colour = head[24], head[25]
    if head[12:16] != b"IHDR" or colour not in _SAMPLES:
        raise ValueError("the header of the PNG is damaged")
    return PngHeader(
        int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"), bits, colour, bool(head[28])
    )


def metadata_after_pixels(path: Path) -> bool:
    """Whether EXIF may lie behind the pixels, as PNG allows; Pillow sees it only after decoding them."""
    seen_pixels = False
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            seen_pixels = seen_pixels or kind == b"IDAT"
            if seen_pixels and kind in _METADATA:
                return True
            file.seek(length + 4, 1)
    return False


def check_png(path: Path) -> None:
    """Pass through checksums, compressed data and filters of a PNG that is not interlaced, keeping nothing.

    Raises TruncatedError or ValueError.
    """
    header = png_header(path)
    expected = header.row_bytes * header.height
    inflater, found = zlib.decompressobj(), 0
    with path.open("rb") as file:
        file.seek(8)
        for data in _pixel_data(file):
            pending = data
            while pending and not inflater.eof:
                rows = inflater.decompress(pending, _BLOCK)
                pending = inflater.unconsumed_tail
                _require_filters(rows, found, header.row_bytes, expected)
                found += len(rows)
    found += len(inflater.flush())
    if found < expected:
        raise TruncatedError


def _require_filters(rows: bytes, start: int, row_bytes: int, expected: int) -> None:
    first = -start % row_bytes
    kinds = rows[first : max(0, expected - start) : row_bytes]
    if kinds and max(kinds) >= _FILTERS:
        raise ValueError("the pixels of the PNG are damaged")


def _pixel_data(file: BinaryIO) -> Iterator[bytes]:
    """The contents of IDAT chunks in blocks; all checksums are compared on the way."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise TruncatedError
        left, kind = int.from_bytes(head[:4], "big"), head[4:]
        checksum = zlib.crc32(kind)
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise TruncatedError
            left -= len(block)
            checksum = zlib.crc32(block, checksum)
            if kind == b"IDAT":
                yield block
        told = file.read(4)
        if len(told) < 4:
            raise TruncatedError
        # Pillow and browsers forgive a wrong checksum of what is not needed to see the picture.
        if int.from_bytes(told, "big") != checksum and kind[:1].isupper():
            raise ValueError("a checksum of the PNG is wrong")
        if kind == b"IEND":
            return
