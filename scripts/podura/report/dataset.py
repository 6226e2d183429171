"""What the page and the card of a data set are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podura import tables

#: Columns of ``Dataset.images`` that may be missing in a row.
_FACTS = ("sample", "site", "date", "um_per_pixel")


@dataclass(frozen=True)
class Dataset:
    """Everything that the page of a data set shows.

    images: one row an image of the study, in its order: ``image, slide, sample, site, date,
    um_per_pixel, used``;
    ``used`` is false for images that the import dropped.
    boxes: one row a box: ``image, species, ignore``.
    sizes: one row a specimen: ``species, longer_side`` (pixels) and ``um_per_pixel``, which may be missing.
    split, counts, slides, sites, quantiles, problems, pictures: frames of tables.SPLIT, SPLIT_REPORT,
    SLIDE_COUNTS, SITE_COUNTS, SIZES, PROBLEMS and PICTURES.
    leakage: ``tables.LEAKAGE``; None where it was not looked for.
    species_list: dicts with ``code``, ``name``, ``authority`` and ``family``, in the order of display.
    card: what the owner tells (title, description, source, licence, citation, contact); None: not told.
    facts: ``format`` of the annotations, ``split_by`` (what is never divided between test and
    the other parts), ``others_by`` (the same among these), ``random_seed``, ``files`` (SHA-256 by name).
    """

    study: str
    images: pd.DataFrame
    boxes: pd.DataFrame
    sizes: pd.DataFrame
    split: pd.DataFrame
    counts: pd.DataFrame
    slides: pd.DataFrame
    sites: pd.DataFrame
    quantiles: pd.DataFrame
    problems: pd.DataFrame
    pictures: pd.DataFrame
    leakage: pd.DataFrame | None
    species_list: Sequence[Mapping[str, Any]]
    card: Mapping[str, str | None]
    facts: Mapping[str, Any]

    def __post_init__(self) -> None:
        tables.SPLIT.frame(self.split)
        tables.SPLIT_REPORT.frame(self.counts)
        tables.PROBLEMS.frame(self.problems)
        missing = {"image", "slide", "used", *_FACTS} - set(self.images)
        if missing:
            raise ValueError(f"images of a data set: missing {sorted(missing)}")

    @property
    def codes(self) -> list[str]:
        """Codes of the species in the order of display."""
        return [str(species["code"]) for species in self.species_list]

    @property
    def painted(self) -> bool:
        """Whether the slides are no photographs."""
        return str(self.facts["format"]) == "painted"

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds; only 0 where there are none."""
        return sorted(int(fold) for fold in self.split["fold"].unique())

    def counts_of(self, fold: int) -> pd.DataFrame:
        """The rows of ``counts`` that hold for a fold."""
        return self.counts[self.counts["fold"] == fold]
