"""How many more calibration slides and detections would about do for a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.clustering import Counts, design_effect
from podura.evaluation.precision_tests import p_values

# More slides than this nobody will label; "about" ends there.
_MOST = 10_000


@dataclass(frozen=True)
class Needed:
    """How many more accepted detections, on how many more slides like those at hand, would about do.

    Both None where no candidate would do with any number: at the observed precision none exceeds the target.
    """

    detections: int | None
    slides: int | None


def needed(
    calibration: Counts,
    effect: NDArray[np.float64],
    starts: NDArray[np.bool_],
    target: float,
    level: float,
) -> Needed:
    """What the candidate that was tested first still lacks.

    effect: ``clustering.slide_effect``; starts (candidates,): where tests begin.
    Further slides are taken to hold as many detections and errors as those at hand on average, and to vary
    as much. In simulated studies that got this many more, half to five in six then had a certificate. Where
    no start exceeds the target on the calibration slides, it is what the nearest other candidate lacks.
    Without any accepted detection it is the number that proves the target if none of them is wrong.
    """
    slides = int(calibration.n_slides[-1]) if calibration.n.size else 0
    if not slides:
        return Needed(_smallest_without_errors(target, level), None)
    likely = calibration.wrong < (1 - target) * calibration.n
    if (likely & starts).any():
        likely &= starts
    if not likely.any():
        return Needed(None, None)
    # Even a start that passes on the slides at hand (at its share of the level it did not) asks for one more.
    low, high = slides, slides + 1
    while not np.any(_passing(calibration, effect, high, target, level) & likely):
        if high > _MOST:
            return Needed(None, None)
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if np.any(_passing(calibration, effect, middle, target, level) & likely):
            high = middle
        else:
            low = middle
    best = int(np.flatnonzero(_passing(calibration, effect, high, target, level) & likely)[-1])
    more = high - slides
    return Needed(max(round(calibration.n[best] * more / slides), 1), more)


def _passing(
    calibration: Counts, effect: NDArray[np.float64], slides: int, target: float, level: float
) -> NDArray[np.bool_]:
    """Which candidates pass on so many slides like those at hand."""
    factor = slides / int(calibration.n_slides[-1])
    n, errors = np.rint(calibration.n * factor), np.ceil(calibration.wrong * factor - 1e-9)
    # As many whole copies of the slides at hand as come nearest from below: no slide is cut in two.
    copies = Counts(
        *(np.tile(one, max(int(factor), 1)) for one in (calibration.accepted, calibration.errors))
    )
    deff = design_effect(copies, effect, target)
    return p_values(n, errors, deff, target) <= level


def _smallest_without_errors(target: float, level: float) -> int:
    return int(np.ceil(np.log(level) / np.log(target) - 1e-9))
