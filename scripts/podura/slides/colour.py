"""Values of any kind as 8-bit RGB; the rules are those of podura.slides.reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from podura.slides.faults import UnsupportedError

Range = tuple[float, float]
Kind = Literal["grey", "rgb", "cmyk", "palette", "channels"]
Alpha = Literal["none", "straight", "premultiplied"]

_UNIT = {"grey": 1, "rgb": 3, "cmyk": 4, "palette": 1}


@dataclass(frozen=True)
class Look:
    """How the samples of a pixel are to be seen.

    ``bits`` a sample; ``inverted``: the smallest value is white; ``palette``: n × 3, 8 bit; of
    ``channels`` each has its own range, of ``rgb`` all have one. Samples beyond colour and alpha are
    not shown.
    """

    kind: Kind
    dtype: np.dtype
    bits: int
    channels: int = 1
    inverted: bool = False
    alpha: Alpha = "none"
    palette: NDArray[np.uint8] | None = None

    @property
    def colours(self) -> int:
        """Samples that hold colour."""
        return _UNIT.get(self.kind, self.channels)

    @property
    def is_scaled(self) -> bool:
        """Whether values are stretched from their own range, so that it must be known."""
        return self.kind in ("grey", "rgb", "channels") and not (self.dtype.kind in "bu" and self.bits <= 8)


class RangeFinder:
    """Smallest and largest value, from blocks of values that are seen one after the other."""

    def __init__(self, look: Look) -> None:
        if look.dtype.kind not in "buif":
            raise UnsupportedError("the image holds complex numbers. Save it as grey or colour, 8 or 16 bit.")
        self._each = look.kind == "channels"
        self._colours = look.colours
        self._low = np.full(look.colours if self._each else 1, np.inf)
        self._high = np.full(look.colours if self._each else 1, -np.inf)

    def see(self, values: NDArray, first: int = 0) -> None:
        """Take in values (height × width × samples), whose first sample is number ``first``."""
        for number in range(min(values.shape[2], self._colours - first)):
            sample = values[:, :, number]
            place = first + number if self._each else 0
            # np.minimum passes NaN on, so that it is found in the end.
            self._low[place] = np.minimum(self._low[place], sample.min())
            self._high[place] = np.maximum(self._high[place], sample.max())

    def ranges(self) -> tuple[Range, ...]:
        """One range a channel, or one for all colours."""
        if not (np.isfinite(self._low).all() and np.isfinite(self._high).all()):
            raise UnsupportedError("the image holds values that are not finite numbers.")
        return tuple(zip(self._low.tolist(), self._high.tolist(), strict=True))


def found_ranges(look: Look, blocks: Iterable[NDArray]) -> tuple[Range, ...]:
    """The ranges of all colours in blocks of values, each height × width × samples."""
    finder = RangeFinder(look)
    for block in blocks:
        finder.see(block)
    return finder.ranges()


def to_rgb(values: NDArray, look: Look, ranges: tuple[Range, ...] = ()) -> NDArray[np.uint8]:
    """Height × width × samples as height × width × 3, 8-bit RGB; ``ranges`` where the look is scaled."""
    if look.kind == "palette":
        return _from_palette(values[:, :, 0], look)
    if look.kind == "cmyk":
        return _from_cmyk(values[:, :, :4])
    colours = values[:, :, : look.colours]
    seen = _scaled(colours, ranges) if look.is_scaled else _eight_bits(colours, look)
    if look.inverted:
        seen = 255 - seen
    if look.alpha != "none" and values.shape[2] > look.colours:
        seen = _over_white(seen, values[:, :, look.colours], look.alpha)
    return _three(seen)


def _three(seen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    samples = seen.shape[2]
    if samples == 1:
        return np.repeat(seen, 3, axis=2)
    if samples == 3:
        return np.ascontiguousarray(seen)
    rgb = np.zeros((*seen.shape[:2], 3), dtype=np.uint8)
    rgb[:, :, : min(samples, 3)] = seen[:, :, :3]
    return rgb


def _eight_bits(values: NDArray, look: Look) -> NDArray[np.uint8]:
    if look.bits == 8:
        return values.astype(np.uint8, copy=False)
    return (values.astype(np.uint16) * 255 // ((1 << look.bits) - 1)).astype(np.uint8)


def _scaled(values: NDArray, ranges: tuple[Range, ...]) -> NDArray[np.uint8]:
    if len(ranges) == 1:
        return _stretched(values, ranges[0])
    return np.dstack([_stretched(values[:, :, i], one) for i, one in enumerate(ranges)])


def _stretched(values: NDArray, ends: Range) -> NDArray[np.uint8]:
    if values.dtype == np.uint16:
        # A table of all values is several times faster than arithmetic on each pixel.
        return _linear(np.arange(1 << 16), ends)[values]
    return _linear(values, ends)


def _linear(values: NDArray, ends: Range) -> NDArray[np.uint8]:
    low, high = ends
    if high <= low:
        return np.zeros(values.shape, dtype=np.uint8)
    # Dividing before subtracting would lose digits, multiplying first could overflow.
    share = (values.astype(np.float64) - low) / (high - low)
    # On a pyramid the range is that of a reduced level: values beyond it are cut, never wrapped.
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)


def _over_white(seen: NDArray[np.uint8], alpha: NDArray, kind: Alpha) -> NDArray[np.uint8]:
    largest = float(np.iinfo(alpha.dtype).max) if alpha.dtype.kind in "ui" else 1.0
    opacity = np.clip(alpha.astype(np.float32) / np.float32(largest), 0.0, 1.0)[:, :, np.newaxis]
    if (opacity == 1.0).all():
        return seen
    shade = seen.astype(np.float32) * opacity if kind == "straight" else seen.astype(np.float32)
    return np.rint(np.clip(shade + np.float32(255) * (1 - opacity), 0, 255)).astype(np.uint8)


def _from_palette(indices: NDArray, look: Look) -> NDArray[np.uint8]:
    assert look.palette is not None
    return look.palette[np.minimum(indices, len(look.palette) - 1)]


def _from_cmyk(values: NDArray) -> NDArray[np.uint8]:
    if values.dtype == np.uint16:
        # Ink is a share of full ink, so its scale is fixed: 65535 is full.
        values = (values // 257).astype(np.uint8)
    if values.dtype != np.uint8:
        raise UnsupportedError("CMYK is read with 8 or 16 bits a colour. Save the image as RGB.")
    return np.array(Image.fromarray(np.ascontiguousarray(values), "CMYK").convert("RGB"))
