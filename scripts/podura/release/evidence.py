"""What is known of a released detector from slides that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from podura.annotations.dataset import truth_frame
from podura.evaluation.checks import checked_input
from podura.evaluation.matching import assigned
from podura.evaluation.ranking import iou_index
from podura.tables import BOX_COLUMNS, EVIDENCE_DETECTIONS, EVIDENCE_TRUTHS

_ANY = "any"


def evidence(
    detections: pd.DataFrame, coco: Mapping[str, Any], *, part: str, iou_percent: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables EVIDENCE_DETECTIONS and EVIDENCE_TRUTHS of a part.

    detections: the table DETECTIONS of the part's images; coco: their truth. Detections take animals as in
    matching (by falling score, the free animal that they overlap most, at ``iou_percent`` or more), but
    whatever the species. A detection that only takes an animal to be ignored is left out.
    """
    truths = truth_frame(coco)
    images = {image["file_name"]: image for image in coco["images"]}
    # The row numbers go through matching as the one thing that tells detections of equal box apart.
    rows = detections.sort_values(
        ["score", "image", *BOX_COLUMNS, "species"], ascending=[False, *[True] * 6], kind="stable"
    ).reset_index(drop=True)
    checked = checked_input(
        truths.assign(species=_ANY),
        rows.assign(species=_ANY),
        {name: image["slide"] for name, image in images.items()},
        [_ANY],
    )
    found, true = checked.detections, checked.truths
    taken = assigned(found, true)[iou_index(iou_percent)]
    # Both stand by falling score, image and box; of equals in the order of species, as sorting is stable.
    truth_of = truths.sort_values("id", kind="stable").reset_index(drop=True)
    is_taken = taken >= 0
    ignored = is_taken & true.ignore[taken] if len(true) else is_taken
    species = truth_of["species"].to_numpy(object)
    taken_species = [species[row] if row >= 0 else None for row in taken]
    of_detections = rows.assign(part=part, truth_species=pd.array(taken_species, dtype="string"))
    counted = truth_of[~truth_of["ignore"]].copy()
    by_truth = {int(row): place for place, row in enumerate(taken) if row >= 0}
    takers = [by_truth.get(int(row)) for row in counted.index]
    counted["found_species"] = [None if at is None else rows.at[at, "species"] for at in takers]
    counted["found_score"] = [None if at is None else float(rows.at[at, "score"]) for at in takers]
    return (
        EVIDENCE_DETECTIONS.frame(_placed(of_detections[~ignored], images)),
        EVIDENCE_TRUTHS.frame(_placed(counted.drop(columns=["id", "ignore"]).assign(part=part), images)),
    )


def _placed(frame: pd.DataFrame, images: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    return frame.assign(
        **{key: [images[name].get(key) for name in frame["image"]] for key in ("sample", "site")}
    )


def image_rows(coco: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """What the table EVIDENCE_IMAGES says of a part's images beside their statistics."""
    keys: Sequence[str] = ("slide", "sample", "site", "width", "height", "um_per_pixel")
    return [
        {"part": part, "image": image["file_name"], **{key: image.get(key) for key in keys}}
        for image in coco["images"]
    ]
