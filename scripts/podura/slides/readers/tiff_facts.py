"""What the tags and descriptions of a TIFF tell: resolution, orientation, the meaning of samples."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from tifffile import TiffFile, TiffPage

from podura.slides import resolution
from podura.slides.colour import Alpha, Kind, Look
from podura.slides.faults import UnsupportedError
from podura.slides.orientation import known_orientation

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _INK_SET = 274, 282, 283, 296, 332
_INCH, _CENTIMETRE = 2, 3
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LINEAR = 0, 1, 2, 3, 4, 5, 6, 34892
_JPEG_COMPRESSIONS = (6, 7, 33003, 33005, 34892, 34712)
_CCITT = (2, 3, 4)
_STRAIGHT, _PREMULTIPLIED = 2, 1


def orientation(page: TiffPage) -> int:
    """TIFF tag 274."""
    value = page.tags.valueof(_ORIENTATION, 1)
    return known_orientation(int(value) if isinstance(value, (int, np.integer)) else 1)


def um_per_pixel(tif: TiffFile, page: TiffPage, kind: str) -> resolution.MicrometresXY | None:
    """Micrometres along stored x and y: from OME-XML, ImageJ's description, or the density tags."""
    if kind == "OME-TIFF":
        return _of_ome(tif.ome_metadata or "")
    x, y = (_ratio(page.tags.valueof(tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if kind == "ImageJ TIFF":
        unit = str((tif.imagej_metadata or {}).get("unit", ""))
        if unit.strip().lower() in resolution.MICROMETRES:
            return resolution.told(1 / x if x else None, 1 / y if y else None, unit)
        return None
    unit_tag = page.tags.valueof(_UNIT, _INCH)
    length = {_INCH: resolution.MICROMETRES_PER_INCH, _CENTIMETRE: 10_000.0}.get(unit_tag)
    return None if length is None else resolution.of_density(x, y, length)


def _ratio(value: Any) -> float | None:
    try:
        over, under = value
        return float(over) / float(under)
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _of_ome(text: str) -> resolution.MicrometresXY | None:
    # OME-XML 2016-06: the unit is µm where none is written.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    pixels = next((element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    sizes = [
        _length(pixels.get(f"PhysicalSize{side}"), pixels.get(f"PhysicalSize{side}Unit")) for side in "XY"
    ]
    return resolution.told(sizes[0], sizes[1])


def _length(value: str | None, unit: str | None) -> float | None:
    factor = resolution.MICROMETRES.get((unit or "µm").strip().lower())
    try:
        return None if value is None or factor is None else float(value) * factor
    except ValueError:
        return None


def look(page: TiffPage, n_channels: int) -> Look:
    """What the samples of a page mean; ``n_channels`` pages of channels, or 1.

    Raises UnsupportedError for colour spaces that are not read, NotImplementedError for what libtiff
    (through Pillow) reads and tifffile does not, or not in every version.
    """
    if page.dtype is None:
        raise UnsupportedError("the TIFF holds values of a kind that is not read. Save it with 8 or 16 bits.")
    dtype, samples = np.dtype(page.dtype), page.samplesperpixel
    bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * dtype.itemsize
    photometric = int(page.photometric)
    if page.compression in _CCITT:
        raise NotImplementedError("fax compression")
    if n_channels > 1:
        return Look("channels", dtype, bits, n_channels, inverted=photometric == _WHITE_IS_ZERO)
    if photometric == _PALETTE:
        return Look("palette", dtype, bits, palette=_palette(page))
    if photometric == _CMYK:
        if page.tags.valueof(_INK_SET, 1) != 1 or samples < 4:
            raise UnsupportedError("the colours are inks other than CMYK. Save the image as RGB.")
        return Look("cmyk", dtype, bits)
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _LINEAR, _MASK):
        alpha = _alpha(page, 1)
        kind: Kind = "grey"
        if samples > 1 and alpha == "none":
            kind = "channels"
        return Look(
            kind,
            dtype,
            bits,
            min(samples, 3) if kind == "channels" else 1,
            inverted=photometric == _WHITE_IS_ZERO,
            alpha=alpha,
        )
    if photometric in (_RGB, _YCBCR) and samples >= 3:
        if photometric == _YCBCR and page.compression not in _JPEG_COMPRESSIONS:
            raise NotImplementedError("YCbCr without JPEG")
        return Look("rgb", dtype, bits, alpha=_alpha(page, 3))
    name = tifffile.PHOTOMETRIC(photometric).name
    raise UnsupportedError(f"the colours are stored as {name}, which is not read. Save the image as RGB.")


def _alpha(page: TiffPage, colours: int) -> Alpha:
    # Unspecified extra samples are no alpha (TIFF 6.0, section 18).
    if page.samplesperpixel <= colours or not page.extrasamples:
        return "none"
    meaning = int(page.extrasamples[0])
    return "straight" if meaning == _STRAIGHT else "premultiplied" if meaning == _PREMULTIPLIED else "none"


def _palette(page: TiffPage) -> np.ndarray:
    if page.colormap is None:
        raise UnsupportedError("the palette of the TIFF is missing. Save the image as RGB.")
    colours = np.asarray(page.colormap).T
    # Some programs write palettes of 8 bits into the 16 that the format has.
    return (colours if colours.max() < 256 else colours >> 8).astype(np.uint8)
