"""Checks of all boxes of a species together, over the whole study."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from podura.annotations.dataset import SoundBox
from podura.annotations.findings import Findings
from podura.annotations.names import SpeciesEntry
from podura.annotations.problems import Problem
from podura.slides.entries import ImageEntry

#: A side below this is no animal that a detector or a person could name.
SMALLEST_SIDE = 3.0
#: Less than this share of the median area of the species, which is a twentieth of its length: adults and
#: juveniles of a springtail differ by less than a tenth, so it is a slip of the mouse.
SMALLEST_SHARE = 1 / 400
#: Boxes whose area differs from the median of their species by more than this many scaled median
#: deviations of its logarithm (Leys et al. 2013, J. Exp. Soc. Psychol. 49:764), and at least by this factor.
UNUSUAL_DEVIATIONS = 5.0
UNUSUAL_FACTOR = 4.0
#: From this many boxes on the sizes of a species say something.
SIZES_FROM = 20
# The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SD = 1.4826

#: Below either a species is told of: four parts need four slides, and a score of fewer boxes is luck.
USABLE_BOXES = 20
USABLE_SLIDES = 4


def without_odd_sizes(
    boxes: Mapping[str, Sequence[SoundBox]], findings: Findings
) -> dict[str, list[SoundBox]]:
    """The boxes of each image (pixels, by its name) after the treatment of tiny_box and unusual_size."""
    areas: dict[str, list[float]] = defaultdict(list)
    for of_image in boxes.values():
        for box in of_image:
            areas[box.species].append(_area(box))
    sizes = {species: _sizes(np.array(found)) for species, found in areas.items()}
    return {
        image: [kept for box in of_image if (kept := _judged(image, box, sizes, findings)) is not None]
        for image, of_image in boxes.items()
    }


@dataclass(frozen=True)
class _Sizes:
    """Median area of a species and the areas (px²) below or above which a box is tiny or unusual."""

    median: float = 0.0
    tiny: float = 0.0
    small: float = 0.0
    large: float = math.inf


def _sizes(areas: NDArray[np.float64]) -> _Sizes:
    if len(areas) < SIZES_FROM:
        return _Sizes()
    logs = np.log(areas)
    middle = float(np.median(logs))
    spread = _MAD_TO_SD * float(np.median(np.abs(logs - middle)))
    factor = max(math.exp(UNUSUAL_DEVIATIONS * spread), UNUSUAL_FACTOR)
    median = math.exp(middle)
    return _Sizes(median, median * SMALLEST_SHARE, median / factor, median * factor)


def _area(box: SoundBox) -> float:
    x_min, y_min, x_max, y_max = box.box
    return (x_max - x_min) * (y_max - y_min)


def _judged(
    image: str, box: SoundBox, of_species: Mapping[str, _Sizes], findings: Findings
) -> SoundBox | None:
    x_min, y_min, x_max, y_max = box.box
    width, height = x_max - x_min, y_max - y_min
    area, sizes = width * height, of_species[box.species]
    shown = f"the box is {width:.4g} × {height:.4g} pixels"
    if min(width, height) < SMALLEST_SIDE:
        kind, message = "tiny_box", f"{shown}: a side is shorter than {SMALLEST_SIDE:g} pixels"
    elif area < sizes.tiny:
        kind, message = "tiny_box", f"{shown}, less than 1/{1 / SMALLEST_SHARE:g} of what {box.species} has"
    elif area < sizes.small:
        times = sizes.median / area
        kind, message = "unusual_size", f"{shown}; the median area of {box.species} is {times:.2g} times that"
    elif area > sizes.large:
        times = area / sizes.median
        kind, message = "unusual_size", f"{shown}, {times:.2g} times the median area of {box.species}"
    else:
        return box
    treatment = findings.add(Problem(kind, message, image, box.where, box.given))
    if treatment in ("drop", "refuse"):
        return None
    return replace(box, ignore=True) if treatment == "ignore" else box


def scarce_species(
    entries: Sequence[ImageEntry],
    boxes: Mapping[str, Sequence[SoundBox]],
    species: Sequence[SpeciesEntry],
) -> list[Problem]:
    """Species with too few boxes or slides to be learned and judged; ignored boxes do not count."""
    n_boxes: dict[str, int] = defaultdict(int)
    slides: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for box in boxes[entry.image]:
            if not box.ignore:
                n_boxes[box.species] += 1
                slides[box.species].add(entry.slide)
    found = []
    for code in (one.code for one in species):
        n, n_slides = n_boxes[code], len(slides[code])
        if not n:
            message = f"{code} has no box that counts, so it can be neither learned nor judged"
            found.append(Problem("no_specimen", message, value=code))
        elif n < USABLE_BOXES or n_slides < USABLE_SLIDES:
            message = (
                f"{code} has {n} box{'es' if n > 1 else ''} on {n_slides} slide"
                f"{'s' if n_slides > 1 else ''}; below {USABLE_BOXES} boxes or {USABLE_SLIDES} slides it can "
                "hardly be learned, and its scores say little"
            )
            found.append(Problem("few_specimens", message, value=code))
    return found
