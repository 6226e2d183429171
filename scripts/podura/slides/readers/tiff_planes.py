"""Values of one plane of a TIFF, decoded tile by tile or strip by strip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile

from podura.slides.faults import TruncatedError, UnsupportedError
from podura.slides.readers.tiff_pages import AnyPage, key_page

#: Decoded tiles and strips that are kept for the next region. The last one is kept whatever its size.
KEPT_BYTES = 64 << 20
#: JPEG (old and new), whose tables stand apart from the tiles.
_JPEG = {6, 7, 34892, 33007}
_BAND_BYTES = 16 << 20


class SegmentCache:
    """The tiles and strips decoded last, up to KEPT_BYTES."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], NDArray | None] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[int, int], decode: Callable[[], NDArray | None]) -> NDArray | None:
        """What is kept under a key, else what ``decode`` gives."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        segment = decode()
        self._kept[key] = segment
        self._bytes += _size(segment)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)
        return segment


def _size(segment: NDArray | None) -> int:
    return 0 if segment is None else segment.nbytes


class Plane:
    """One page, or one plane of a stack that has a single page (``offset``: where its pixels begin)."""

    def __init__(self, file: TiffFile, page: AnyPage, cache: SegmentCache, offset: int | None = None) -> None:
        key = key_page(page)
        if key.imagedepth > 1:
            raise UnsupportedError("the TIFF holds a volume. Save the layer that matters as an image.")
        if key.dtype is None:
            raise UnsupportedError(
                "the TIFF holds values of a kind that is not read. Save it with 8 or 16 bits."
            )
        self._file, self._page, self._key, self._cache = file.filehandle, page, key, cache
        self.width, self.height, self.samples = key.imagewidth, key.imagelength, key.samplesperpixel
        self.dtype = np.dtype(key.dtype)
        self._planar = key.planarconfig == 2 and self.samples > 1
        self._pixel_samples = 1 if self._planar else self.samples
        self._contiguous = bool(key.is_final and not key.is_tiled)
        if offset is not None and not self._contiguous:
            raise UnsupportedError("the planes of the TIFF cannot be told apart.")
        if self._contiguous:
            self._offset = page.dataoffsets[0] if offset is None else offset
            self._stored_dtype = self.dtype.newbyteorder(file.byteorder)
        if key.is_tiled:
            self.block_width, self.block_height = key.tilewidth, key.tilelength
        else:
            self.block_width, self.block_height = self.width, min(key.rowsperstrip, self.height)
        if min(self.width, self.height, self.block_width, self.block_height) < 1:
            raise UnsupportedError("the TIFF is empty: it has no rows or no columns.")
        self._across = -(-self.width // self.block_width)
        self._down = -(-self.height // self.block_height)
        self._jpeg: dict[str, Any] = {}
        if key.compression in _JPEG:
            self._jpeg = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}

    def require_whole(self) -> None:
        """Raise TruncatedError if a tile or strip reaches beyond the end of the file."""
        size = self._file.size
        if self._contiguous:
            values = self.width * self.height * self.samples
            if self._offset + values * self.dtype.itemsize > size:
                raise TruncatedError
            return
        offsets = np.asarray(self._page.dataoffsets, dtype=np.uint64)
        counts = np.asarray(self._page.databytecounts, dtype=np.uint64)
        if len(offsets) < self._n_segments or len(counts) < self._n_segments:
            raise TruncatedError
        # An offset of 2^64 - 1 must not wrap around.
        if bool((offsets > size).any() or (counts > np.uint64(size) - offsets).any()):
            raise TruncatedError

    @property
    def missing_segments(self) -> int:
        """Tiles or strips that the file does not hold (sparse TIFF); their values are 0."""
        if self._contiguous:
            return 0
        return int((np.asarray(self._page.databytecounts) == 0).sum())

    @property
    def _n_segments(self) -> int:
        return self._across * self._down * (self.samples if self._planar else 1)

    def values(self, x: int, y: int, width: int, height: int) -> NDArray:
        """A rectangle as height × width × samples."""
        if self._contiguous:
            return self._contiguous_values(x, y, width, height)
        out = np.zeros((height, width, self.samples), dtype=self.dtype)
        for sample in range(self.samples if self._planar else 1):
            for row in range(y // self.block_height, -(-(y + height) // self.block_height)):
                for column in range(x // self.block_width, -(-(x + width) // self.block_width)):
                    index = (sample * self._down + row) * self._across + column
                    segment = self._cache.get((id(self._page), index), partial(self._decoded, index))
                    if segment is not None:
                        self._put(out, segment, x, y, row, column, sample)
        return out

    def blocks(self) -> Iterator[tuple[int, NDArray]]:
        """All values once, keeping none: the number of the first sample and height × width × samples."""
        if self._contiguous:
            rows = max(1, _BAND_BYTES // (self.width * self.samples * self.dtype.itemsize))
            for top in range(0, self.height, rows):
                yield 0, self._contiguous_values(0, top, self.width, min(rows, self.height - top))
            return
        for index in range(self._n_segments):
            segment = self._decoded(index)
            sample, place = divmod(index, self._across * self._down)
            row, column = divmod(place, self._across)
            height = min(self.block_height, self.height - row * self.block_height)
            width = min(self.block_width, self.width - column * self.block_width)
            if segment is None:
                segment = np.zeros((height, width, self._pixel_samples), dtype=self.dtype)
            yield sample, segment[:height, :width]

    def _put(
        self, out: NDArray, segment: NDArray, x: int, y: int, row: int, column: int, sample: int
    ) -> None:
        left, top = column * self.block_width - x, row * self.block_height - y
        height, width = segment.shape[:2]
        to_y, to_x = slice(max(top, 0), max(top + height, 0)), slice(max(left, 0), max(left + width, 0))
        target = out[to_y, to_x, sample : sample + self._pixel_samples]
        from_y, from_x = max(-top, 0), max(-left, 0)
        target[...] = segment[from_y : from_y + target.shape[0], from_x : from_x + target.shape[1]]

    def _decoded(self, index: int) -> NDArray | None:
        offset, count = self._page.dataoffsets[index], self._page.databytecounts[index]
        if count == 0:
            return None
        self._file.seek(offset)
        data = self._file.read(count)
        if len(data) < count:
            raise TruncatedError
        segment, _, _ = self._key.decode(data, index, **self._jpeg)
        return None if segment is None else segment[0]

    def _contiguous_values(self, x: int, y: int, width: int, height: int) -> NDArray:
        if not self._planar:
            return self._rows(self._offset, x, y, width, height)
        plane = self.width * self.height * self.dtype.itemsize
        return np.concatenate(
            [self._rows(self._offset + plane * i, x, y, width, height) for i in range(self.samples)], axis=2
        )

    def _rows(self, offset: int, x: int, y: int, width: int, height: int) -> NDArray:
        pixel = self._pixel_samples * self.dtype.itemsize
        stride = self.width * pixel
        if 2 * width > self.width:
            raw = self._bytes(offset + y * stride, height * stride)
            rows = np.frombuffer(raw, self._stored_dtype).reshape(height, self.width, self._pixel_samples)
            rows = rows[:, x : x + width]
        else:
            raw = b"".join(
                self._bytes(offset + row * stride + x * pixel, width * pixel) for row in range(y, y + height)
            )
            rows = np.frombuffer(raw, self._stored_dtype).reshape(height, width, self._pixel_samples)
        return rows.astype(self.dtype)

    def _bytes(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(count)
        if len(data) < count:
            raise TruncatedError
        return data
