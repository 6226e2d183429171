"""TIFF, BigTIFF, OME-TIFF and ImageJ TIFF through tifffile, decoding only what a region touches."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tifffile

from podura.slides.colour import Range, RangeFinder, to_rgb
from podura.slides.faults import TIFF_HEADS, TruncatedError, ifd_chain_is_whole
from podura.slides.readers import tiff_facts
from podura.slides.readers.pillow_reader import scaled, several_pages
from podura.slides.readers.tiff_pages import Picture, key_page, picture
from podura.slides.readers.tiff_planes import KEPT_BYTES, Plane, SegmentCache
from podura.slides.slide import BAND_PIXELS, Note, Pixels, Preview

# Its warnings speak of tags. What matters in them is told as a fault or a note.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

log = logging.getLogger(__name__)

#: The range of a pyramid is sought in its smallest level whose longer side has this many pixels.
RANGE_SIDE = 1024

#: Ranges of files that were opened before, by path, time of change and size: a file is opened often.
_RANGES: dict[tuple[str, int, int], tuple[Range, ...]] = {}
_KNOWN_RANGES = 10_000


class TiffReader:
    """A TIFF whose pixels tifffile decodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tif = tifffile.TiffFile(path, _multifile=False)
        try:
            self._prepare(picture(self._tif))
        except BaseException:
            self._tif.close()
            raise

    def _prepare(self, found: Picture) -> None:
        cache = SegmentCache()
        offsets = found.offsets or (None,) * len(found.levels[0])
        self._levels = [
            [Plane(self._tif, page, cache, offset) for page, offset in zip(level, offsets, strict=True)]
            for level in found.levels
        ]
        page = key_page(found.levels[0][0])
        self.page, self._picture = page, found
        self.look = tiff_facts.look(page, len(found.levels[0]))
        self.format = found.kind
        self.orientation = tiff_facts.orientation(page)
        self.sizes = tuple((level[0].width, level[0].height) for level in self._levels)
        self.n_pages = found.n_pages
        plane = self._levels[0][0]
        self.held_bytes = min(
            KEPT_BYTES,
            plane.width * plane.height * plane.samples * plane.dtype.itemsize * len(self._levels[0]),
        )
        self.um_per_pixel = tiff_facts.um_per_pixel(self._tif, page, found.kind)
        self._whole: set[int] = set()
        self._ranges: tuple[Range, ...] | None = None

    def notes(self) -> tuple[Note, ...]:
        found = [*self._page_notes(), *self._channel_notes()]
        if self.look.is_scaled:
            sixteen = self.look.dtype.kind == "u" and self.look.dtype.itemsize == 2
            found.append(scaled(self._found_ranges(), sixteen_bit=sixteen))
        missing = sum(plane.missing_segments for plane in self._levels[0])
        if missing:
            message = f"{missing} tiles or strips are not in the file; their values are taken as 0"
            found.append(Note("missing_tiles", message, str(missing)))
        return tuple(found)

    def _page_notes(self) -> list[Note]:
        planes = self._picture.n_pages // self._picture.n_channels
        if self._picture.axes and planes > 1:
            told = ", ".join(f"{size} {axis}" for axis, size in self._picture.axes.items())
            message = f"the file is a stack ({told}); only its first time and depth are read"
            return [Note("several_pages", message, str(self.n_pages))]
        return [several_pages(self.n_pages)] if self.n_pages > 1 and not self._picture.axes else []

    def _channel_notes(self) -> list[Note]:
        if self.look.kind != "channels":
            return []
        there = max(self._picture.n_channels, self.page.samplesperpixel)
        names = ", ".join(("red", "green", "blue")[: self.look.channels])
        message = f"of {there} channels the first {self.look.channels} are shown as {names}"
        return [Note("channels_chosen", message, str(there))]

    def pixels(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        self._require_whole(level)
        ranges = self._found_ranges() if self.look.is_scaled else ()
        out = np.empty((height, width, 3), dtype=np.uint8)
        # In bands that end where tiles end, so that values are never held for the whole image.
        block = self._levels[level][0].block_height
        rows = max(1, BAND_PIXELS // (width * block)) * block
        top = y
        while top < y + height:
            end = min((top // rows + 1) * rows, y + height)
            values = self._values(level, x, top, width, end - top)
            out[top - y : end - y] = to_rgb(values, self.look, ranges)
            top = end
        return out

    def _values(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        planes = [plane.values(x, y, width, height) for plane in self._levels[level]]
        return planes[0] if len(planes) == 1 else np.concatenate([one[:, :, :1] for one in planes], axis=2)

    def preview(self, longest_side: int) -> Preview | None:
        return None

    def check(self) -> None:
        require_whole_tiff(self._path)
        for level in range(len(self._levels)):
            self._require_whole(level)
        ranges = self._passed_through(0)
        if self.look.is_scaled and self._range_level() == 0:
            self._ranges = ranges
        elif self.look.is_scaled:
            self._found_ranges()

    def close(self) -> None:
        self._tif.close()

    def _require_whole(self, level: int) -> None:
        if level not in self._whole:
            for plane in self._levels[level]:
                plane.require_whole()
            self._whole.add(level)

    def _passed_through(self, level: int) -> tuple[Range, ...]:
        """Decode every tile of a level, keeping nothing but the range of its values."""
        finder = RangeFinder(self.look)
        for channel, plane in enumerate(self._levels[level]):
            for sample, block in plane.blocks():
                finder.see(block, channel + sample)
        return finder.ranges() if self.look.is_scaled else ()

    def _found_ranges(self) -> tuple[Range, ...]:
        if self._ranges is None:
            status = self._path.stat()
            key = (str(self._path.absolute()), status.st_mtime_ns, status.st_size)
            if key not in _RANGES:
                level = self._range_level()
                self._require_whole(level)
                if len(_RANGES) >= _KNOWN_RANGES:
                    _RANGES.clear()
                _RANGES[key] = self._passed_through(level)
            self._ranges = _RANGES[key]
        return self._ranges

    def _range_level(self) -> int:
        return max(i for i, size in enumerate(self.sizes) if i == 0 or max(size) >= RANGE_SIDE)


def require_whole_tiff(path: Path) -> None:
    """Raise TruncatedError if an image directory or a tile of a TIFF reaches beyond its end.

    Other files pass.
    """
    with path.open("rb") as file:
        if file.read(4) not in TIFF_HEADS:
            return
        if not ifd_chain_is_whole(file):
            raise TruncatedError
    with tifffile.TiffFile(path, _multifile=False) as tif:
        size = tif.filehandle.size
        for page in tif.pages:
            ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.float64)
            if len(ends) and ends.max() > size:
                raise TruncatedError
