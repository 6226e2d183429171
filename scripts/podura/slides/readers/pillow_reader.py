"""JPEG, PNG, BMP, WebP (and GIF and JPEG 2000, which are read if named) through Pillow.

None of these can be decoded in part by Pillow: the first region decodes the file, which then stays in
memory as it is stored (a byte a pixel for grey and palettes) until the slide is closed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from podura.slides import faults, resolution
from podura.slides.colour import Look, Range, found_ranges, to_rgb
from podura.slides.faults import TruncatedError
from podura.slides.orientation import TURNS_BACK, known_orientation
from podura.slides.readers.png import check_png, metadata_after_pixels, png_header
from podura.slides.slide import Note, Pixels, Preview

# Pillow refuses from twice this on, and warns from it on; the refusal here comes first.
Image.MAX_IMAGE_PIXELS = faults.MAX_PIXELS

#: What Pillow may try. Others of its formats start other programs (EPS) or are never micrographs.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF", "GIF", "JPEG2000")
_NAMES = {"MPO": "JPEG", "DIB": "BMP", "WEBP": "WebP", "JPEG2000": "JPEG 2000"}
_DEEP_LOOKS = {
    2: Look("grey", np.dtype(np.uint16), 16, alpha="straight"),
    3: Look("rgb", np.dtype(np.uint16), 16),
    4: Look("rgb", np.dtype(np.uint16), 16, alpha="straight"),
}


class PillowReader:
    """A file that Pillow decodes as a whole, on first need."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._image = _opened(path)
        try:
            self._prepare()
        except BaseException:
            self._image.close()
            raise

    def _prepare(self) -> None:
        image = self._image
        width, height = image.size
        self._deep = False
        self.held_bytes = width * height * len(image.getbands())
        if image.format == "PNG":
            self._deep = png_header(self._path).is_deep_colour
            self.held_bytes *= 2 if self._deep else 1
            if metadata_after_pixels(self._path):
                image.load()
        self.orientation = _orientation(image)
        if image.format == "TIFF":
            # Of a TIFF alone Pillow tells the size after orientation, and turns it while loading.
            width, height = image.tag_v2[256], image.tag_v2[257]  # type: ignore[attr-defined]
        self.format = _NAMES.get(str(image.format), str(image.format))
        self.sizes: tuple[tuple[int, int], ...] = ((width, height),)
        # The further pictures of an MPO are previews or other eyes, made by the camera.
        self.n_pages = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
        dpi = image.info.get("dpi")
        self.um_per_pixel = _of_dpi(dpi)
        self._stored: Image.Image | NDArray[np.uint16] | None = None
        self._ranges: tuple[Range, ...] | None = None

    def notes(self) -> tuple[Note, ...]:
        found = [several_pages(self.n_pages)] if self.n_pages > 1 else []
        if self._deep or self._image.mode.startswith(("I", "F")):
            sixteen = self._deep or self._image.mode.startswith("I;16")
            found.append(scaled(self._found_ranges(), sixteen_bit=sixteen))
        return tuple(found)

    def pixels(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        stored = self._loaded()
        if isinstance(stored, np.ndarray):
            look = _DEEP_LOOKS[stored.shape[2]]
            return to_rgb(stored[y : y + height, x : x + width], look, self._found_ranges())
        if (width, height) != stored.size:
            stored = stored.crop((x, y, x + width, y + height))
        if stored.mode.startswith(("I", "F")):
            values = np.asarray(stored)[:, :, np.newaxis]
            return to_rgb(values, _grey_look(values), self._found_ranges())
        return _rgb(stored)

    def preview(self, longest_side: int) -> Preview | None:
        if self._image.format not in ("JPEG", "MPO") or self._stored is not None:
            return None
        with _opened(self._path) as image:
            # The decoder makes halves, quarters and eighths at a fraction of the cost.
            width, height = image.size
            image.draft("RGB", (longest_side, longest_side))
            factor = 1 << round(math.log2(width / image.size[0]))
            return _rgb(image), width / factor, height / factor

    def check(self) -> None:
        image = self._image
        if image.format == "PNG" and not png_header(self._path).interlaced:
            check_png(self._path)
        elif image.format in ("BMP", "DIB") and _is_uncompressed(image):
            _require_rows(self._path, image)
        else:
            with _opened(self._path) as other:
                other.draft("L", (1, 1))  # a JPEG is decoded at an eighth of its size: every byte is read
                other.load()

    def close(self) -> None:
        self._stored = None
        self._image.close()

    def _loaded(self) -> Image.Image | NDArray[np.uint16]:
        if self._stored is None:
            self._stored = _deep_values(self._path) if self._deep else self._loaded_image()
        return self._stored

    def _loaded_image(self) -> Image.Image:
        self._image.load()
        turn = TURNS_BACK.get(self.orientation) if self._image.format == "TIFF" else None
        return self._image if turn is None else self._image.transpose(turn)

    def _found_ranges(self) -> tuple[Range, ...]:
        if self._ranges is None:
            stored = self._loaded()
            if isinstance(stored, np.ndarray):
                values, look = stored, _DEEP_LOOKS[stored.shape[2]]
            else:
                values = np.asarray(stored)[:, :, np.newaxis]
                look = _grey_look(values)
            self._ranges = found_ranges(look, [values])
        return self._ranges


def several_pages(n_pages: int) -> Note:
    """Build the note that all pages but the first are left aside."""
    return Note("several_pages", f"the file holds {n_pages} pages; only the first is read", str(n_pages))


def scaled(ranges: tuple[Range, ...], *, sixteen_bit: bool) -> Note:
    """Build the note that values were stretched from their own range."""
    told = "; ".join(f"{low:g}..{high:g}" for low, high in ranges)
    what = "16 bits a value" if sixteen_bit else "values that are not 8 bit"
    return Note(
        "scaled_16_bit" if sixteen_bit else "scaled_grey",
        f"the image has {what}; its own range is stretched to 0..255",
        told,
    )


def _opened(path: Path) -> ImageFile.ImageFile:
    try:
        image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError:
        raise faults.too_large(path) from None
    except UnidentifiedImageError:
        if faults.is_cut_off(path):
            raise TruncatedError from None
        raise faults.not_an_image(path) from None
    width, height = image.size
    if width * height > faults.MAX_PIXELS:
        image.close()
        raise faults.too_large(path)
    return image


def _rgb(image: Image.Image) -> Pixels:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _grey_look(values: NDArray[Any]) -> Look:
    return Look("grey", values.dtype, 8 * values.dtype.itemsize)


def _deep_values(path: Path) -> NDArray[np.uint16]:
    # Pillow keeps 8 of 16 bits of colour, which leaves a 12-bit camera with 16 shades.
    import imagecodecs

    values = imagecodecs.png_decode(path.read_bytes())
    if values.dtype != np.uint16 or values.ndim != 3:
        raise ValueError("the PNG is not what its header says")
    return values


def _orientation(image: Image.Image) -> int:
    try:
        # The method of PNG images would decode all pixels, in case that EXIF lies behind them.
        exif = Image.Image.getexif(image)
        return known_orientation(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Damaged EXIF raises almost anything; every viewer then shows the image as stored.
        return 1


def _of_dpi(dpi: Any) -> resolution.MicrometresXY | None:
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return resolution.of_density(x, y, resolution.MICROMETRES_PER_INCH)


def _is_uncompressed(image: ImageFile.ImageFile) -> bool:
    return len(image.tile) == 1 and image.tile[0].codec_name == "raw"


def _require_rows(path: Path, image: ImageFile.ImageFile) -> None:
    """Raise TruncatedError if the rows of an uncompressed BMP reach beyond the file."""
    tile = image.tile[0]
    assert isinstance(tile.args, tuple)
    stride = int(tile.args[1])
    if tile.offset + abs(stride) * image.size[1] > path.stat().st_size:
        raise TruncatedError
