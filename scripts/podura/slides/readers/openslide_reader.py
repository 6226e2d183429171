"""Whole slides of scanners (SVS, NDPI, MRXS and the other formats of OpenSlide) through OpenSlide.

Goode et al. 2013, J. Pathol. Inform. 4:27. OpenSlide applies no orientation tag, as no viewer of whole
slides does.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

from podura.slides import faults, resolution
from podura.slides.faults import UnsupportedError
from podura.slides.readers.tiff_reader import require_whole_tiff
from podura.slides.slide import BAND_PIXELS, Note, Pixels, Preview

# OpenSlide's name for a tiled TIFF of no scanner.
_GENERIC = "generic-tiff"
FORMATS = {
    "aperio": "SVS",
    "hamamatsu": "NDPI",
    "mirax": "MRXS",
    "leica": "Leica SCN",
    "philips-tiff": "Philips TIFF",
    "ventana": "Ventana BIF",
    "trestle": "Trestle TIFF",
}
#: Reduced levels are read in blocks of this side, see _Blocks.
BLOCK = 1024
_KEPT_BLOCKS = 16
#: What OpenSlide itself keeps of decoded tiles, by default.
_OPENSLIDE_CACHE = 32 << 20


def vendor(path: Path) -> str | None:
    """The scanner's format that OpenSlide sees in a file, by OpenSlide's name; None if it is of none."""
    name = openslide.OpenSlide.detect_format(str(path))
    return None if name == _GENERIC else name


class OpenSlideReader:
    """A whole slide. ``um_per_pixel`` comes from the properties openslide.mpp-x and -y."""

    def __init__(self, path: Path, vendor_name: str) -> None:
        self._path = path
        self._slide = openslide.OpenSlide(str(path))
        self.format = FORMATS.get(vendor_name, vendor_name)
        self.orientation = 1
        self.sizes = tuple(self._slide.level_dimensions)
        # Labels, overviews and thumbnails are no pages; they are not read.
        self.n_pages = 1
        self.um_per_pixel = _micrometres(self._slide)
        self.held_bytes = _KEPT_BLOCKS * 3 * BLOCK**2 + _OPENSLIDE_CACHE
        self._blocks: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()

    def notes(self) -> tuple[Note, ...]:
        return ()

    def pixels(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        out = np.empty((height, width, 3), dtype=np.uint8)
        if level == 0:
            # In bands: OpenSlide gives four bytes a pixel, and Pillow copies them.
            rows = max(1, BAND_PIXELS // width)
            for top in range(0, height, rows):
                out[top : top + rows] = self._seen(0, x, y + top, width, min(rows, height - top))
            return out
        # OpenSlide takes places in whole pixels of level 0, which seldom are whole pixels of another
        # level; the rest shifts the picture by a fraction. Blocks at fixed places shift every
        # region alike, so that a region equals that place in the whole level.
        for block_y in range(y // BLOCK, -(-(y + height) // BLOCK)):
            for block_x in range(x // BLOCK, -(-(x + width) // BLOCK)):
                block = self._block(level, block_x, block_y)
                left, top = block_x * BLOCK - x, block_y * BLOCK - y
                target = out[max(top, 0) : top + block.shape[0], max(left, 0) : left + block.shape[1]]
                from_y, from_x = max(-top, 0), max(-left, 0)
                target[...] = block[from_y : from_y + target.shape[0], from_x : from_x + target.shape[1]]
        return out

    def preview(self, longest_side: int) -> Preview | None:
        return None

    def check(self) -> None:
        """Read the levels, from the smallest on, up to faults.MAX_PIXELS pixels in all.

        Those are all pixels of a slide of up to 1.5 gigapixels. In larger ones damage within a tile of
        the full resolution may stay unseen, but not that the file is cut off.
        """
        require_whole_tiff(self._path)
        left = faults.MAX_PIXELS
        for level, (width, height) in reversed(list(enumerate(self.sizes))):
            left -= width * height
            if left < 0 and level < len(self.sizes) - 1:
                return
            for y in range(0, height, BLOCK):
                for x in range(0, width, BLOCK):
                    self._read(level, x, y, min(BLOCK, width - x), min(BLOCK, height - y))

    def close(self) -> None:
        self._blocks.clear()
        self._slide.close()

    def _block(self, level: int, block_x: int, block_y: int) -> Pixels:
        key = (level, block_x, block_y)
        if key not in self._blocks:
            width, height = self.sizes[level]
            x, y = block_x * BLOCK, block_y * BLOCK
            self._blocks[key] = self._seen(level, x, y, min(BLOCK, width - x), min(BLOCK, height - y))
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> Image.Image:
        downsample = self._slide.level_downsamples[level]
        return self._slide.read_region((round(x * downsample), round(y * downsample)), level, (width, height))

    def _seen(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        image = self._read(level, x, y, width, height)
        if image.getchannel("A").getextrema() != (255, 255):
            # Where a scanner took no picture the slide is transparent.
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB"))


def _micrometres(slide: openslide.OpenSlide) -> resolution.MicrometresXY | None:
    names = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
    try:
        x, y = (float(slide.properties[name]) for name in names)
    except (KeyError, ValueError):
        return None
    return resolution.told(x, y)


def opened_mrxs(path: Path) -> OpenSlideReader:
    """An MRXS, whose pixels lie in a folder beside the file."""
    found = vendor(path)
    if found is None:
        raise UnsupportedError(
            f"this is no MRXS slide, or its folder '{path.stem}' with the pixels does not lie beside it. "
            "Copy the file together with that folder."
        )
    return OpenSlideReader(path, found)
