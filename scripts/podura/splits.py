"""Which slide plays which part: train, validation, calibration or test.

Groups (slides, samples or sites) are never divided. How whole groups are dealt to parts so that each
part has its fraction of every species is in ``stratification``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from podura import tables
from podura.errors import UserError, UserErrors
from podura.stratification import Floats, Integers, stratify

Grouping = Literal["slide", "sample", "site"]

# What a species' absence from a part costs: with too few groups it is learned first, tested second.
_ABSENT_FROM = {"train": 1.15, "test": 1.10, "calibration": 1.05, "validation": 1.0}


def split_slides(
    images: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    by: Grouping,
    fractions: Mapping[str, float],
    random_seed: int,
) -> pd.DataFrame:
    """Deal whole groups to parts, stratified by species; returns tables.SPLIT, by image name.

    ``images`` is a frame as of ``annotations.dataset.image_frame``, ``truth`` as of ``truth_frame``
    (ignored boxes do not count). ``fractions`` gives each part's share; parts with 0 are left out.
    A part fixed in the column ``part`` stays; one fixed image fixes its group. The order of rows is of
    no importance; the same seed gives the same split.

    Raises UserErrors for bad fractions, groups that are unknown, divided or fixed to two parts, and
    fewer groups than parts.
    """
    parts, shares = _parts_and_shares(fractions)
    images = images.sort_values("image", ignore_index=True)
    groups = _groups(images, by)
    fixed = _fixed_parts(images, groups, parts, by)
    names = sorted(set(groups))
    number = groups.map({name: index for index, name in enumerate(names)}).to_numpy(dtype=np.int64)
    assigned = np.array([parts.index(fixed[n]) if n in fixed else -1 for n in names], dtype=np.int64)
    _require_enough_groups(assigned, parts, by)
    boxes = _boxes_by_species(images, truth, number, len(names))
    n_images = np.bincount(number, minlength=len(names))
    rng = np.random.default_rng(random_seed)
    assigned = stratify(boxes, n_images, assigned, shares, [_ABSENT_FROM[p] for p in parts], rng)
    return tables.SPLIT.frame(
        pd.DataFrame(
            {
                "image": images["image"],
                "slide": images["slide"],
                "part": [parts[index] for index in assigned[number]],
                "fold": 0,
            }
        )
    )


def _parts_and_shares(fractions: Mapping[str, float]) -> tuple[list[str], Floats]:
    unknown = [part for part in fractions if part not in tables.PARTS]
    if unknown:
        raise UserError(
            f"split.fractions: there is no part '{unknown[0]}'. Parts are: {', '.join(tables.PARTS)}."
        )
    if any(not 0 <= value <= 1 for value in fractions.values()):
        raise UserError("split.fractions: each fraction lies between 0 and 1.")
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise UserError(
            f"split.fractions: the fractions add up to {sum(fractions.values()):g}; they must add up to 1."
        )
    parts = [part for part in tables.PARTS if fractions.get(part, 0) > 0]
    return parts, np.array([fractions[part] for part in parts])


def _groups(images: pd.DataFrame, by: Grouping) -> pd.Series:
    """The group of each image. Raises UserErrors where it is missing or where a slide is in two."""
    groups = images[by]
    missing = images.loc[groups.isna() | (groups == ""), "image"]
    if len(missing):
        raise UserErrors(
            [
                f"Image '{name}' has no {by}, but the split is by {by}. Fill the column '{by}' of the "
                "table of images, or choose split.by: slide."
                for name in missing[:20]
            ]
        )
    per_slide = groups.groupby(images["slide"]).unique()
    divided = per_slide[per_slide.map(len) > 1]
    if len(divided):
        raise UserErrors(
            [
                f"Slide '{slide}' stands under {len(found)} different values of {by}: "
                f"{', '.join(sorted(found))}. A slide has one {by}."
                for slide, found in divided.items()
            ]
        )
    return groups


def _fixed_parts(
    images: pd.DataFrame, groups: pd.Series, parts: Sequence[str], by: Grouping
) -> dict[str, str]:
    given = images["part"].notna() & (images["part"] != "")
    fixed: dict[str, str] = {}
    faults = []
    for group, found in images.loc[given, "part"].groupby(groups[given]).unique().items():
        if len(found) > 1:
            faults.append(
                f"The {by} '{group}' is fixed to {' and '.join(sorted(found))}. A {by} is never "
                "divided: write one part for all its images."
            )
        elif found[0] not in parts:
            faults.append(
                f"The {by} '{group}' is fixed to the part '{found[0]}', which has no fraction. "
                f"Parts with a fraction are: {', '.join(parts)}."
            )
        fixed[str(group)] = str(found[0])
    if faults:
        raise UserErrors(faults)
    return fixed


def _require_enough_groups(assigned: Integers, parts: Sequence[str], by: Grouping) -> None:
    free = int((assigned < 0).sum())
    empty = [part for index, part in enumerate(parts) if not (assigned == index).any()]
    if len(empty) <= free:
        return
    if free == len(assigned):
        raise UserError(
            f"The study has {free} {by}(s), but the split needs at least one for each of the "
            f"{len(parts)} parts ({', '.join(parts)}). Add images of other {by}s, or give fewer parts a "
            "fraction in split.fractions."
        )
    raise UserError(
        f"No {by} is left for the part(s) {', '.join(empty)}: {len(assigned) - free} of {len(assigned)} "
        f"{by}s are fixed to other parts. Fix fewer, or give these parts no fraction."
    )


def _boxes_by_species(images: pd.DataFrame, truth: pd.DataFrame, number: Integers, n_groups: int) -> Floats:
    counted = truth[~truth["ignore"].astype(bool)]
    group = counted["image"].map(dict(zip(images["image"], number, strict=True)))
    if group.isna().any():
        raise ValueError("truth holds images that are not among the images to split")
    codes, species = pd.factorize(counted["species"], sort=True)
    boxes = np.zeros((n_groups, len(species)))
    np.add.at(boxes, (group.to_numpy(dtype=np.int64), codes), 1.0)
    return boxes


def split_report(
    split: pd.DataFrame, truth: pd.DataFrame, species: Sequence[str], fractions: Mapping[str, float]
) -> pd.DataFrame:
    """What each part holds of each species, as tables.SPLIT_REPORT: parts × species, in their order.

    ``message`` says in words where a species of the study is absent from a part.
    """
    counted = truth[~truth["ignore"].astype(bool)]
    part_of = split.set_index("image")["part"]
    part = counted["image"].map(part_of)
    rows = []
    for name in (p for p in tables.PARTS if fractions.get(p, 0) > 0):
        for code in species:
            of_species = counted[counted["species"] == code]
            here = of_species[part[of_species.index] == name]
            rows.append(
                {
                    "part": name,
                    "species": code,
                    "n_slides": here["slide"].nunique(),
                    "n_images": here["image"].nunique(),
                    "n_truth": len(here),
                    "share": len(here) / len(of_species) if len(of_species) else None,
                    "fraction": fractions[name],
                    "message": _absence(code, name, here, of_species),
                }
            )
    return tables.SPLIT_REPORT.frame(rows)


def _absence(code: str, part: str, here: pd.DataFrame, of_species: pd.DataFrame) -> str | None:
    if len(here):
        return None
    if not len(of_species):
        return f"{code} has no box in the whole study."
    slides = of_species["slide"].nunique()
    return (
        f"{code} is absent from {part}: the study has it on {slides} slide(s) only, too few or too "
        "unevenly spread for every part."
    )


def part_truth(coco: Mapping[str, Any], split: pd.DataFrame, part: str) -> dict[str, Any]:
    """The COCO dictionary of one part: its images and their annotations, with the same ids."""
    names = set(split.loc[split["part"] == part, "image"])
    images = [image for image in coco["images"] if image["file_name"] in names]
    ids = {image["id"] for image in images}
    annotations = [entry for entry in coco["annotations"] if entry["image_id"] in ids]
    return deepcopy({**coco, "images": images, "annotations": annotations})


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
