"""The self-check of a release: it must find on a shipped image what it found where it was made.

On the machine that made the release the detections are equal. Another processor or another version of PyTorch
adds numbers in another order, which moves boxes and scores a little; what moves by more than the tolerances
below means that the detector is not what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from podura.errors import UserError
from podura.release.contents import CHECK, Release
from podura.tables import BOX_COLUMNS, read_json

#: By how much edges (in pixels) and scores may differ on another machine.
BOX_TOLERANCE, SCORE_TOLERANCE = 1.0, 0.01
#: Weaker detections may come and go with the last digits: they are not compared.
LEAST_SCORE = 0.1


@dataclass(frozen=True)
class Checked:
    """How far the detections lie from the expected ones; both are 0 where they are equal."""

    n_compared: int
    largest_box_difference: float
    largest_score_difference: float

    @property
    def equal(self) -> bool:
        return self.largest_box_difference == 0 and self.largest_score_difference == 0

    def sentence(self) -> str:
        """The outcome in words."""
        if self.equal:
            return f"the self-check found the same {self.n_compared} detections as where the release was made"
        return (
            f"the self-check found the {self.n_compared} detections of the release, with differences of at "
            f"most {self.largest_box_difference:.3g} px and {self.largest_score_difference:.2g} in score, as "
            "another machine makes them"
        )


def expected_of(release: Release) -> tuple[Path, list[dict[str, Any]]]:
    """The image of the self-check and what must be found on it.

    Raises UserError where the release names no image of its own.
    """
    expected = read_json(release.file(CHECK))
    image, detections = expected.get("image"), expected.get("detections")
    if image not in release.facts["files"] or not isinstance(detections, list):
        raise UserError(
            f"{release.file(CHECK)}: it names no image of the release. Copy the whole release folder again "
            "from where it was made."
        )
    return release.file(image), detections


def compare(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> Checked:
    """Compare detections (species, score, box) with the expected ones.

    Each expected detection of a score of at least LEAST_SCORE takes the nearest found one of its species
    within the tolerances, one to one, and the reverse. Raises UserError where one has no partner.
    """
    boxes = scores = 0.0
    n_compared = 0
    for one, others, missing in (
        (expected, found, "is not found"),
        (found, expected, "is found in addition"),
    ):
        free = list(others)
        for row in (row for row in one if row["score"] >= LEAST_SCORE):
            partners = [(max(_differences(row, other)), place) for place, other in enumerate(free)]
            fitting = [
                (distance, place) for distance, place in partners if row["species"] == free[place]["species"]
            ]
            best = min(fitting, default=None)
            difference = (np.inf, np.inf) if best is None else _differences(row, free.pop(best[1]))
            if difference[0] > BOX_TOLERANCE or difference[1] > SCORE_TOLERANCE:
                raise UserError(
                    "The release does not pass its self-check: on its shipped image a detection of "
                    f"{row['species']} with a score of {row['score']:.3f} {missing}. It does not work here "
                    "as "
                    "it did where it was made; install the package versions that its model_card.md names, or "
                    "release it again here."
                )
            boxes, scores = max(boxes, difference[0]), max(scores, difference[1])
            n_compared += one is expected
    return Checked(n_compared, boxes, scores)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    edges = max(abs(float(one[name]) - float(other[name])) for name in BOX_COLUMNS)
    return edges, abs(float(one["score"]) - float(other["score"]))
