"""The size of a pixel in micrometres, from what files tell of it.

A size that is told in micrometres (OME, ImageJ, whole slides) is believed. A density in dots per inch
or centimetre, which most programs write without knowing it, is believed only if a pixel is then at most
``COARSEST_DENSITY`` µm: 72, 96, 150, 300 and 600 dpi, the defaults of screens and printers, mean
nothing, while flatbed scanners (1200 dpi and more: 21.2 µm) and microscope cameras tell the truth.
"""

from __future__ import annotations

import math

MicrometresXY = tuple[float, float]

#: In µm a pixel; just above 1016 dpi.
COARSEST_DENSITY = 25.0
#: Sides that differ by more have no single size.
_SQUARE = 0.05
_DIGITS = 6

MICROMETRES_PER_INCH = 25_400.0
#: Units as OME-XML and ImageJ write them; a unit that is not here has no known length.
MICROMETRES = {
    "pm": 1e-6,
    "å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "\\u00b5m": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
    "in": MICROMETRES_PER_INCH,
    "inch": MICROMETRES_PER_INCH,
    "mil": 25.4,
}


def told(x: float | None, y: float | None, unit: str = "µm") -> MicrometresXY | None:
    """Sizes told in a unit, as micrometres; None where one is missing or no positive number."""
    factor = MICROMETRES.get(unit.strip().lower())
    x, y = (x if x is not None else y), (y if y is not None else x)
    if factor is None or x is None or y is None:
        return None
    sizes = (x * factor, y * factor)
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        return None
    return _rounded(sizes[0]), _rounded(sizes[1])


def of_density(x: float | None, y: float | None, micrometres: float) -> MicrometresXY | None:
    """From dots per unit of ``micrometres``, by the rule at the head of this module."""
    if not x or not y:
        return None
    sizes = told(micrometres / x, micrometres / y)
    return sizes if sizes is not None and max(sizes) <= COARSEST_DENSITY else None


def single(sizes: MicrometresXY | None) -> float | None:
    """One size for both sides (their geometric mean); None where they differ by more than 5 %."""
    if sizes is None or max(sizes) > min(sizes) * (1 + _SQUARE):
        return None
    return _rounded(math.sqrt(sizes[0] * sizes[1]))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
