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

from podura.evaluation.checks import checked_input
from podura.tables import BOX_COLUMNS, IOU_PERCENTS, MATCHES

# Written as in pycocotools, so that an overlap of exactly 0.7, say, falls on the same side.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, len(IOU_PERCENTS))
# Overlaps held in memory at once: 2 million of 8 bytes, in half a dozen arrays.
_MAX_CELLS = 2_000_000

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def match(
    truths: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    images: Mapping[str, str] | pd.DataFrame,
    species: Sequence[str],
) -> pd.DataFrame:
    """Match the detections of one part with its truths at the ten IoUs of COCO.

    truths: columns id (from 1), image, slide, species, x_min, y_min, x_max, y_max (pixels), ignore.
    detections: the table detections. images: the slide of every image of the part, also of those
    without truth or detections, as a mapping or as a frame with the columns image and slide.
    species: the species codes of the study.

    Returns the table matches: first the detections, by species in the order given, then by falling
    score, image and box; then the truths by id. Raises UserErrors for a detection or truth of a
    species or image that is not known, a score or box that is no number, a score outside 0 to 1, a
    box turned inside out, an id that is given twice or is not positive.
    """
    checked = checked_input(truths, detections, images, species)
    found, true = checked.detections, checked.truths
    pairs = _candidate_pairs(found.group, true.group, found.boxes, true.boxes, true.ignore)
    columns: dict[str, Integers | Booleans] = {}
    for percent, threshold in zip(IOU_PERCENTS, IOU_THRESHOLDS, strict=True):
        enough = pairs.overlap >= threshold
        taken = _assign(pairs.detection[enough], pairs.truth[enough], true.ignore, len(found), len(true))
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


class _Pairs:
    """Detections and truths that overlap enough for the lowest IoU, in the order of preference.

    Sorted by detection; of each detection first the truths that count, by falling overlap, then those
    to be ignored; equal overlaps from the highest truth down.
    """

    def __init__(self, detection: Integers, truth: Integers, overlap: Floats, ignore: Booleans) -> None:
        order = np.lexsort((-truth, -overlap, ignore[truth], detection))
        self.detection, self.truth, self.overlap = detection[order], truth[order], overlap[order]


def _candidate_pairs(
    detection_group: Integers,
    truth_group: Integers,
    detection_boxes: Floats,
    truth_boxes: Floats,
    ignore: Booleans,
) -> _Pairs:
    """Pairs within a group (one species in one image) whose overlap reaches the lowest IoU."""
    detection_order = np.argsort(detection_group, kind="stable")
    truth_order = np.argsort(truth_group, kind="stable")
    groups = np.intersect1d(detection_group, truth_group)
    detection_ends = _ends(detection_group[detection_order], groups)
    truth_ends = _ends(truth_group[truth_order], groups)
    found: list[tuple[Integers, Integers, Floats]] = []
    for (d_start, d_end), (t_start, t_end) in zip(detection_ends, truth_ends, strict=True):
        of_truth = truth_order[t_start:t_end]
        boxes, ignored = truth_boxes[of_truth], ignore[of_truth]
        step = max(1, _MAX_CELLS // len(of_truth))
        for start in range(d_start, d_end, step):
            of_detection = detection_order[start : min(start + step, d_end)]
            overlap = overlaps(detection_boxes[of_detection], boxes, ignored)
            row, column = np.nonzero(overlap >= IOU_THRESHOLDS[0])
            found.append((of_detection[row], of_truth[column], overlap[row, column]))
    if not found:
        return _Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), ignore)
    detection, truth, overlap = (np.concatenate(part) for part in zip(*found, strict=True))
    return _Pairs(detection, truth, overlap, ignore)


def _ends(sorted_groups: Integers, groups: Integers) -> list[tuple[int, int]]:
    starts = np.searchsorted(sorted_groups, groups, side="left")
    ends = np.searchsorted(sorted_groups, groups, side="right")
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


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


def _assign(
    detection: Integers, truth: Integers, ignore: Booleans, n_detections: int, n_truths: int
) -> Integers:
    """The truth that each detection takes, -1 for none. Pairs come in the order of preference.

    COCO lets detections choose one after the other. As all truths prefer the detection that comes
    first, that gives the one stable assignment, and asking in rounds finds the same (Gale & Shapley
    1962): all ask for what they like best, a truth keeps the first of those who ask and of the one it
    had, and the others ask for their next. A round is a few array operations, whatever the number of
    images.
    """
    everyone = np.arange(n_detections)
    choice = np.searchsorted(detection, everyone, side="left")
    end = np.searchsorted(detection, everyone, side="right")
    holder = np.full(n_truths, n_detections)
    asking = np.flatnonzero(choice < end)
    while asking.size:
        wanted = truth[choice[asking]]
        # A truth to be ignored refuses nobody.
        contested = ~ignore[wanted]
        asking, wanted = asking[contested], wanted[contested]
        before = holder[wanted]
        np.minimum.at(holder, wanted, asking)
        after = holder[wanted]
        displaced = np.unique(before[(before != after) & (before < n_detections)])
        refused = np.concatenate([asking[after != asking], displaced])
        choice[refused] += 1
        asking = refused[choice[refused] < end[refused]]
    taken = np.full(n_detections, -1)
    settled = choice < end
    taken[settled] = truth[choice[settled]]
    return taken
