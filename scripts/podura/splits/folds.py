"""Dealing slides, samples or sites so that each of them is tested exactly once (cross-validation).

The groups are dealt to folds, stratified by species, or each group is a fold of its own (leave one out;
with ``by="site"`` leave one site out). In a fold its groups are the part test; the others are dealt to
train, validation and calibration as ``dealing`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from podura import tables
from podura.errors import UserError
from podura.seeds import generator
from podura.splits.dealing import (
    Grouping,
    boxes_by_species,
    deal,
    groups_of,
    kept_groups,
    parts_and_shares,
)
from podura.stratification import stratify

#: A number of folds, or "each" for one fold a group.
Folds = int | Literal["each"]


def split_folds(
    images: pd.DataFrame,
    truth: pd.DataFrame,
    *,
    by: Grouping,
    folds: Folds,
    others_by: Grouping,
    fractions: Mapping[str, float],
    random_seed: int,
    keep: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The parts of every image in every fold: tables.SPLIT by fold (from 1) and image name.

    ``images``, ``truth``, ``fractions``, ``random_seed`` and ``keep`` as for ``dealing.split_slides``.
    The test part of a fold is one of ``folds`` shares of the ``by`` groups, so the fraction of test
    does not count; the other parts have their fractions of the rest, made of whole ``others_by`` groups.

    Raises UserErrors for groups that are unknown or divided, and where there are too few of them; and
    UserError for a column ``part``, since every slide is tested here.
    """
    if (images["part"].notna() & (images["part"] != "")).any():
        raise UserError(
            "The table of images fixes parts, but with split.folds every slide is tested in its turn. Leave "
            "the column 'part' empty, or write folds: null."
        )
    others = {part: share for part, share in fractions.items() if part != "test"}
    parts, shares = parts_and_shares({part: share / sum(others.values()) for part, share in others.items()})
    images = images.sort_values("image", ignore_index=True)
    groups = groups_of(images, by)
    of_group = _folds_of_groups(images, truth, groups, by, folds, random_seed, keep)
    fold = groups.map(of_group).to_numpy(dtype=np.int64)
    rows = []
    for number in sorted(set(of_group.values())):
        rest = images[fold != number].reset_index(drop=True)
        units = groups_of(rest, others_by)
        earlier = None if keep is None else keep[(keep["fold"] == number) & (keep["part"] != "test")]
        try:
            part = deal(
                rest,
                truth[truth["image"].isin(set(rest["image"]))],
                units,
                parts,
                shares,
                kept_groups(rest, units, earlier, "part", others_by),
                generator(random_seed, "fold", number),
                others_by,
            )
        except UserError as error:
            raise UserError(f"Fold {number}, beside its test {by}(s): {error} {_REMEDY}") from None
        dealt = pd.Series("test", index=images.index, dtype=object)
        dealt[fold != number] = part
        rows.append(images[["image", "slide"]].assign(part=dealt, fold=number))
    return tables.SPLIT.frame(pd.concat(rows, ignore_index=True))


def asked_fractions(fractions: Mapping[str, float], n_folds: int) -> dict[str, float]:
    """The share of the study that each part is to have in each of ``n_folds``; 0: a single split."""
    if not n_folds:
        return dict(fractions)
    rest = (1 - 1 / n_folds) / sum(share for part, share in fractions.items() if part != "test")
    return {part: 1 / n_folds if part == "test" else share * rest for part, share in fractions.items()}


_REMEDY = "With others_by: slide these parts are made of slides; more folds leave more slides for them."


def _folds_of_groups(
    images: pd.DataFrame,
    truth: pd.DataFrame,
    groups: pd.Series,
    by: Grouping,
    folds: Folds,
    random_seed: int,
    keep: pd.DataFrame | None,
) -> dict[str, int]:
    """The fold, from 1, in which each group is tested."""
    names = sorted(set(groups))
    n_folds = len(names) if folds == "each" else folds
    if n_folds < 2 or n_folds > len(names):
        raise UserError(
            f"The study has {len(names)} {by}(s), too few for {n_folds} folds (split.folds). Write a number "
            f"from 2 to the number of {by}s."
        )
    tested = None if keep is None else keep[keep["part"] == "test"]
    kept = {group: int(fold) for group, fold in kept_groups(images, groups, tested, "fold", by).items()}
    if folds == "each":
        free = iter(sorted(set(range(1, n_folds + 1)) - set(kept.values())))
        found = {name: kept[name] if name in kept else next(free) for name in names}
    else:
        number = groups.map({name: index for index, name in enumerate(names)}).to_numpy(dtype=np.int64)
        assigned = stratify(
            boxes_by_species(images, truth, number, len(names)),
            np.bincount(number, minlength=len(names)),
            np.array([kept.get(name, 0) - 1 for name in names], dtype=np.int64),
            np.full(n_folds, 1 / n_folds),
            [1.0] * n_folds,
            generator(random_seed, "folds"),
        )
        found = {name: int(fold) + 1 for name, fold in zip(names, assigned, strict=True)}
    if set(found.values()) != set(range(1, n_folds + 1)):
        raise UserError(
            f"The {by}s of the existing results no longer fill {n_folds} folds, since some were taken out "
            "of the study. Results stay with their split: put them back, or give the study another name."
        )
    return found
