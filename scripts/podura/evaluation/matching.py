"""Which detection found which specimen: COCO's greedy matching, for all images at once.

The rules are those of COCO's evaluator (Lin et al. 2014, arXiv:1405.0312; pycocotools 2.0.11,
``COCOeval.evaluateImg``), for each species and image by itself: detections choose in the order of
their scores, each takes the free truth that it overlaps most; a truth to be ignored is taken only
where no other is left, by any number of detections, and those count neither as right nor as wrong.

Detections of equal score choose in the order of image and box, truths of equal overlap go from the
highest id down (as in pycocotools, where the later one wins). So the result depends on what was
detected and never on the order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.checks import Detections, Truths, checked_input
from podura.evaluation.kernels import assign
from podura.tables import BOX_COLUMNS, IOU_PERCENTS, MATCHES

# Written as in pycocotools, so that an overlap of exactly 0.7, say, falls on the same side.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, len(IOU_PERCENTS))

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def match(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    images: Mapping[str, str] | pd.DataFrame,
    species: Sequence[str],
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> pd.DataFrame:
    """Match the detections of one part with its truths at the ten IoUs of COCO.

    truths: columns id (from 1), image, slide, species, x_min, y_min, x_max, y_max (pixels), ignore.
    detections: the table detections. images: the slide of every image of the part, also of those
    without truth or detections, as a mapping or as a frame with the columns image and slide.
    species: the species codes of the study. sizes: width and height of every image in pixels, by which
    detections beyond an image are refused; None where that is not to be looked at.

    Returns the table matches: first the detections, by species in the order given, then by falling
    score, image and box; then the truths by id. Raises UserErrors for a detection or truth of a
    species or image that is not known, a score or box that is no number, a score outside 0 to 1, a
    box turned inside out, a detection beyond its image, an id that is given twice or is not positive.
    """
    checked = checked_input(truths, detections, images, species, sizes)
    found, true = checked.detections, checked.truths
    every_taken = assigned(found, true)
    columns: dict[str, Integers | Booleans] = {}
    for percent, taken in zip(IOU_PERCENTS, every_taken, strict=True):
        is_taken = taken >= 0
        was_found = np.zeros(len(true), dtype=np.int64)
        was_found[taken[is_taken]] = 1
        truth_id = np.zeros(len(found), dtype=np.int64)
        truth_id[is_taken] = true.ids[taken[is_taken]]
        ignored = np.zeros(len(found), dtype=bool)
        ignored[is_taken] = true.ignore[taken[is_taken]]
        columns[f"match_{percent}"] = np.concatenate([truth_id, was_found])
        columns[f"ignored_{percent}"] = np.concatenate([ignored, true.ignore])
    is_detection = np.arange(len(found) + len(true)) < len(found)
    boxes = np.concatenate([found.boxes, true.boxes])
    return MATCHES.frame(
        pd.DataFrame(
            {
                "kind": np.where(is_detection, "detection", "truth"),
                "image": np.concatenate([found.image, true.image]),
                "slide": np.concatenate([found.slide, true.slide]),
                "species": np.concatenate([found.species, true.species]),
                "score": np.concatenate([found.scores, np.full(len(true), np.nan)]),
                **{name: boxes[:, place] for place, name in enumerate(BOX_COLUMNS)},
                "truth": pd.arrays.IntegerArray(
                    np.concatenate([np.zeros(len(found), dtype=np.int64), true.ids]), is_detection
                ),
                "ignore": np.concatenate([np.zeros(len(found), dtype=bool), true.ignore]),
                **columns,
            }
        )
    )


def assigned(found: Detections, true: Truths, aside: Booleans | None = None) -> Integers:
    """The truth, as a row of ``true``, that each detection takes at each IoU, -1 for none: (10, n).

    aside (n_truth,): truths to be ignored without being crowds: one detection takes them, if any. So
    pycocotools treats truths outside a range of area.
    """
    ignore = true.ignore if aside is None else true.ignore | aside
    detection_order = np.argsort(found.group, kind="stable")
    truth_order = np.lexsort((ignore, true.group))
    groups = np.intersect1d(found.group, true.group)
    detections, detection_start = _of_groups(found.group, detection_order, groups)
    truths, truth_start = _of_groups(true.group, truth_order, groups)
    taken = assign(
        detection_start,
        truth_start,
        found.boxes[detections],
        true.boxes[truths],
        ignore[truths],
        true.ignore[truths],
        IOU_THRESHOLDS,
    )
    result = np.full((len(IOU_THRESHOLDS), len(found)), -1, dtype=np.int64)
    result[:, detections] = np.where(taken >= 0, truths[taken], -1) if len(truths) else -1
    return result


def outcomes(
    found: Detections,
    true: Truths,
    *,
    truths_aside: Booleans | None = None,
    detections_aside: Booleans | None = None,
) -> NDArray[np.int8]:
    """What each detection is at each IoU, (10, n): 1 right, 0 wrong, -1 neither.

    truths_aside: as in ``assigned``. detections_aside (n,): detections that do not count as wrong where
    they take nothing, as pycocotools treats those outside a range of area.
    """
    taken = assigned(found, true, truths_aside)
    ignore = true.ignore if truths_aside is None else true.ignore | truths_aside
    outcome = (taken >= 0).astype(np.int8)
    if len(true):
        outcome[(taken >= 0) & ignore[taken]] = -1
    if detections_aside is not None:
        outcome[(taken < 0) & detections_aside] = -1
    return outcome


def _of_groups(group: Integers, order: Integers, groups: Integers) -> tuple[Integers, Integers]:
    """The rows of these groups, group after group, and where each group starts (and the last ends)."""
    in_order = group[order]
    kept = order[np.isin(in_order, groups)]
    return kept, np.append(np.searchsorted(group[kept], groups), len(kept))


def overlaps(detections: Floats, truths: Floats, ignore: Booleans) -> Floats:
    """Intersection over union of each detection (n, 4) with each truth (m, 4): an (n, m) array.

    Boxes are x_min, y_min, x_max, y_max. Where a truth is to be ignored, it is the intersection over
    the detection's own area, as COCO has it for crowds. Boxes that only touch overlap by 0.
    """
    size = detections[:, 2:] - detections[:, :2]
    area = size[:, 0] * size[:, 1]
    truth_size = truths[:, 2:] - truths[:, :2]
    truth_area = truth_size[:, 0] * truth_size[:, 1]
    width = np.minimum(detections[:, None, 2], truths[:, 2])
    width -= np.maximum(detections[:, None, 0], truths[:, 0])
    height = np.minimum(detections[:, None, 3], truths[:, 3])
    height -= np.maximum(detections[:, None, 1], truths[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    whole = np.where(ignore, area[:, None], area[:, None] + truth_area - shared)
    result = np.zeros_like(shared)
    np.divide(shared, whole, out=result, where=shared > 0)
    return result
