"""What a data set holds: specimens by slide and by site, and how large they are.

All counts are written out, zeros too, so that an absence can be seen. Ignored specimens are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from podura import tables
from podura.annotations.dataset import image_frame, truth_frame

_QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}
_MEASURES = ("width", "height", "longer_side")


def slide_counts(coco: Mapping[str, Any], split: pd.DataFrame, species: Sequence[str]) -> pd.DataFrame:
    """Specimens of each species on each slide, as tables.SLIDE_COUNTS: slides × species, in their order.

    ``split`` is a frame as tables.SPLIT, with one row an image and fold.
    """
    images = image_frame(coco)
    counted = _counted(images, truth_frame(coco), "slide", species)
    facts = images.groupby("slide", sort=False)[["sample", "site"]].first()
    parts = split.drop_duplicates(["slide", "fold"]).sort_values("fold", kind="stable")
    facts["part"] = parts.groupby("slide")["part"].agg(_joined_parts).astype("string")
    return tables.SLIDE_COUNTS.frame(
        counted.drop(columns=["n_slides", "n_slides_all"]).join(facts, on="slide")
    )


def site_counts(coco: Mapping[str, Any], species: Sequence[str]) -> pd.DataFrame:
    """Specimens of each species at each site, as tables.SITE_COUNTS; no row where no site is told.

    Images without a site stand last, under a missing one.
    """
    images = image_frame(coco)
    if not images["site"].notna().any():
        return tables.SITE_COUNTS.frame([])
    return tables.SITE_COUNTS.frame(_counted(images, truth_frame(coco), "site", species))


def _joined_parts(parts: pd.Series) -> str:
    return "|".join(parts)


def _counted(images: pd.DataFrame, truth: pd.DataFrame, unit: str, species: Sequence[str]) -> pd.DataFrame:
    # A unit without a name is a unit as well: its number is the last.
    number, names = pd.factorize(images[unit], use_na_sentinel=False)
    order = np.argsort(pd.isna(names), kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    images = images.assign(unit=place[number])
    boxes = truth.assign(unit=truth["image"].map(images.set_index("image")["unit"]))
    counted = boxes[~boxes["ignore"]].groupby(["unit", "species"])
    pairs = pd.MultiIndex.from_product([range(len(names)), species], names=["unit", "species"])
    table = pd.DataFrame(
        {
            "n_slides": counted["slide"].nunique(),
            "n_images": counted["image"].nunique(),
            "n_truth": counted.size(),
            "n_ignored": boxes[boxes["ignore"]].groupby(["unit", "species"]).size(),
        }
    )
    table = table.reindex(pairs).fillna(0).astype("int64").reset_index()
    of_unit = images.groupby("unit")
    table["n_slides_all"] = table["unit"].map(of_unit["slide"].nunique())
    table["n_images_all"] = table["unit"].map(of_unit["image"].nunique())
    table[unit] = pd.Series(names, dtype="string").iloc[order].to_numpy()[table["unit"]]
    return table.drop(columns="unit")


def specimen_sizes(coco: Mapping[str, Any]) -> pd.DataFrame:
    """One row a specimen (ignored ones aside): ``image, species, um_per_pixel``, and its size.

    ``width, height, longer_side`` are in pixels; ``share`` is the longer side of the box divided by that
    of the image; ``um_per_pixel`` is missing where it is not told.
    """
    images = image_frame(coco).set_index("image")
    scale = {image["file_name"]: image.get("um_per_pixel") for image in coco["images"]}
    truth = truth_frame(coco)
    truth = truth[~truth["ignore"]]
    width, height = truth["x_max"] - truth["x_min"], truth["y_max"] - truth["y_min"]
    longer = np.maximum(width, height)
    side = images[["width", "height"]].max(axis=1).astype("float64")
    return pd.DataFrame(
        {
            "image": truth["image"],
            "species": truth["species"],
            "um_per_pixel": truth["image"].map(scale).astype("float64"),
            "width": width,
            "height": height,
            "longer_side": longer,
            "share": longer / truth["image"].map(side).astype("float64"),
        }
    ).reset_index(drop=True)


def size_table(sizes: pd.DataFrame, species: Sequence[str]) -> pd.DataFrame:
    """Quantiles of the sizes of ``specimen_sizes`` for each species, as tables.SIZES.

    Quantiles are interpolated linearly between order statistics (Hyndman & Fan 1996, type 7).
    """
    rows = []
    for code in species:
        of_species = sizes[sizes["species"] == code]
        for measure in _MEASURES:
            rows.append(_quantiles(code, measure, "px", of_species[measure]))
            rows.append(_quantiles(code, measure, "µm", of_species[measure] * of_species["um_per_pixel"]))
        rows.append(_quantiles(code, "longer_side", "share", of_species["share"]))
    return tables.SIZES.frame(rows)


def _quantiles(species: str, measure: str, unit: str, values: pd.Series) -> dict[str, Any]:
    known = values.dropna().to_numpy(dtype=np.float64)
    found = np.quantile(known, list(_QUANTILES.values())).round(6) if len(known) else [None] * len(_QUANTILES)
    return {
        "species": species,
        "measure": measure,
        "unit": unit,
        "n": len(known),
        **dict(zip(_QUANTILES, found, strict=True)),
    }
