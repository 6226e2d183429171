"""Dealing whole slides, samples or sites to parts, once.

How whole groups are dealt so that each part has its fraction of every species is in ``stratification``;
dealing so that every slide is tested once is in ``folds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

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
    keep: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Deal whole groups to parts, stratified by species; returns tables.SPLIT by image name, fold 0.

    ``images`` is a frame as of ``annotations.dataset.image_frame``, ``truth`` as of ``truth_frame``
    (ignored boxes do not count). ``fractions`` gives each part's share; parts with 0 are left out.
    A part fixed in the column ``part`` stays; one fixed image fixes its group. ``keep`` is an earlier
    split of the study: its groups stay where they are, and only new ones are dealt. The order of rows
    is of no importance; the same seed gives the same split.

    Raises UserErrors for bad fractions, groups that are unknown, divided or fixed to two parts, and
    fewer groups than parts.
    """
    parts, shares = parts_and_shares(fractions)
    images = images.sort_values("image", ignore_index=True)
    groups = groups_of(images, by)
    fixed = _fixed_parts(images, groups, parts, by)
    fixed = with_kept(fixed, kept_groups(images, groups, keep, "part", by), by)
    part = deal(images, truth, groups, parts, shares, fixed, np.random.default_rng(random_seed), by)
    return tables.SPLIT.frame(
        pd.DataFrame({"image": images["image"], "slide": images["slide"], "part": part, "fold": 0})
    )


def deal(
    images: pd.DataFrame,
    truth: pd.DataFrame,
    groups: pd.Series,
    parts: Sequence[str],
    shares: Floats,
    fixed: Mapping[str, str],
    rng: np.random.Generator,
    by: Grouping,
) -> list[str]:
    """The part of each image: ``fixed`` groups where they are, the others dealt by ``stratify``.

    Raises UserError where there are fewer groups than parts.
    """
    names = sorted(set(groups))
    number = groups.map({name: index for index, name in enumerate(names)}).to_numpy(dtype=np.int64)
    assigned = np.array([parts.index(fixed[n]) if n in fixed else -1 for n in names], dtype=np.int64)
    _require_enough_groups(assigned, parts, by)
    boxes = boxes_by_species(images, truth, number, len(names))
    n_images = np.bincount(number, minlength=len(names))
    assigned = stratify(boxes, n_images, assigned, shares, [_ABSENT_FROM[p] for p in parts], rng)
    return [parts[index] for index in assigned[number]]


def kept_groups(
    images: pd.DataFrame, groups: pd.Series, keep: pd.DataFrame | None, column: str, by: Grouping
) -> dict[str, str]:
    """What the column of an earlier split says of each group that it knows.

    Raises UserErrors where a group holds images that the earlier split had given different values.
    """
    if keep is None:
        return {}
    earlier = images["image"].map(dict(zip(keep["image"], keep[column], strict=True)))
    known = earlier.notna()
    values = earlier[known].groupby(groups[known]).unique()
    divided = values[values.map(len) > 1]
    if len(divided):
        raise UserErrors(
            [
                f"The {by} '{group}' holds images that the split of the existing results has in "
                f"{' and '.join(sorted(map(str, found)))}. Results stay with their split: undo the change, "
                "or give the study another name."
                for group, found in divided.items()
            ]
        )
    return {str(group): found[0] for group, found in values.items()}


def with_kept(fixed: Mapping[str, str], kept: Mapping[str, str], by: Grouping) -> dict[str, str]:
    """Fixed parts and those of the earlier split; raises UserErrors where the two contradict."""
    faults = [
        f"The {by} '{group}' is fixed to {part}, but the existing results have it in {kept[group]}. "
        "Results stay with their split: undo the change, or give the study another name."
        for group, part in fixed.items()
        if kept.get(group, part) != part
    ]
    if faults:
        raise UserErrors(faults)
    return {**kept, **fixed}


def parts_and_shares(fractions: Mapping[str, float]) -> tuple[list[str], Floats]:
    """The parts that have a share, in their order, and the shares. Raises UserError for bad fractions."""
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


def groups_of(images: pd.DataFrame, by: Grouping) -> pd.Series:
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


def boxes_by_species(images: pd.DataFrame, truth: pd.DataFrame, number: Integers, n_groups: int) -> Floats:
    """Boxes that count, groups × species (each with one at least); ``number``: the group of each image."""
    counted = truth[~truth["ignore"].astype(bool)]
    group = counted["image"].map(dict(zip(images["image"], number, strict=True)))
    if group.isna().any():
        raise ValueError("truth holds images that are not among the images to split")
    codes, species = pd.factorize(counted["species"], sort=True)
    boxes = np.zeros((n_groups, len(species)))
    np.add.at(boxes, (group.to_numpy(dtype=np.int64), codes), 1.0)
    return boxes
