"""What each part holds: its images, its truth, and a report of what it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from podura import tables


def split_report(
    split: pd.DataFrame, truth: pd.DataFrame, species: Sequence[str], fractions: Mapping[str, float]
) -> pd.DataFrame:
    """What each part holds of each species, as tables.SPLIT_REPORT: folds × parts × species, in order.

    ``fractions`` are those that were asked for, of the whole study. ``message`` says in words where a
    species of the study is absent from a part.
    """
    counted = truth[~truth["ignore"].astype(bool)]
    rows = []
    for fold, of_fold in split.groupby("fold", sort=True):
        part = counted["image"].map(of_fold.set_index("image")["part"])
        in_part = dict(tuple(counted.groupby([part, counted["species"]])))
        for name in (p for p in tables.PARTS if fractions.get(p, 0) > 0):
            for code in species:
                here = in_part.get((name, code), counted.iloc[:0])
                n_study = int((counted["species"] == code).sum())
                rows.append(
                    {
                        "fold": fold,
                        "part": name,
                        "species": code,
                        "n_slides": here["slide"].nunique(),
                        "n_images": here["image"].nunique(),
                        "n_truth": len(here),
                        "share": len(here) / n_study if n_study else None,
                        "fraction": fractions[name],
                        "message": None if len(here) else _absence(code, name, int(fold), counted),
                    }
                )
    return tables.SPLIT_REPORT.frame(rows)


def _absence(code: str, part: str, fold: int, counted: pd.DataFrame) -> str:
    of_species = counted[counted["species"] == code]
    if not len(of_species):
        return f"{code} has no box in the whole study."
    where = f"{part} of fold {fold}" if fold else part
    return (
        f"{code} is absent from {where}: the study has it on {of_species['slide'].nunique()} slide(s) only, "
        "too few or too unevenly spread for every part."
    )


def part_truth(coco: Mapping[str, Any], split: pd.DataFrame, part: str) -> dict[str, Any]:
    """The COCO dictionary of one part: its images and their annotations, with the same ids.

    ``split`` holds one fold. Images and annotations are those of ``coco`` themselves, not copies.
    """
    names = set(split.loc[split["part"] == part, "image"])
    images = [image for image in coco["images"] if image["file_name"] in names]
    ids = {image["id"] for image in images}
    annotations = [entry for entry in coco["annotations"] if entry["image_id"] in ids]
    return {**coco, "images": images, "annotations": annotations}


def part_images(
    coco: Mapping[str, Any], split: pd.DataFrame, part: str, paths: Mapping[str, Path | str]
) -> pd.DataFrame:
    """The images of one part as tables.PART_IMAGES; ``paths`` gives the file of each image name."""
    return tables.PART_IMAGES.frame(
        [
            {
                "image": image["file_name"],
                "path": str(paths[image["file_name"]]),
                "slide": image["slide"],
                "width": image["width"],
                "height": image["height"],
            }
            for image in part_truth({**coco, "annotations": []}, split, part)["images"]
        ]
    )
