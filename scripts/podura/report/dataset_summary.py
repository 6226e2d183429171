"""The rows of the tables on a data set's page, in a reader's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from podura.report.dataset import Dataset
from podura.report.results import full_names, name_parts
from podura.report.sheets import Facets
from podura.report.summary import problem_kinds
from podura.report.wording import (
    MISSING,
    count,
    fraction,
    kind_meaning,
    kind_words,
    plural,
    rounded,
    sites_of,
)
from podura.tables import PARTS

#: Cells of the table of slides, and links or pairs in a row, that a page shows before it names the file.
MOST_CELLS = 6000
MOST_LINKS = 12
MOST_PAIRS = 50


def facts_line(dataset: Dataset) -> str:
    """The size of the data set in one line."""
    used = dataset.images[dataset.images["used"]]
    specimens = int((~dataset.boxes["ignore"]).sum())
    units = [
        plural(len(used), "image"),
        plural(used["slide"].nunique(), "slide"),
        *(plural(used[key].nunique(), key) for key in ("sample", "site") if used[key].notna().any()),
    ]
    return (
        f"{', '.join(units)}; {plural(specimens, 'specimen')} of "
        f"{plural(len(dataset.codes), 'species', 'species')}."
    )


def site_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """Specimens of each species at each site; no row where no site is told."""
    return [
        {
            "name": MISSING if pd.isna(site) else str(site),
            "slides": count(rows["n_slides_all"].iloc[0]),
            "images": count(rows["n_images_all"].iloc[0]),
            "cells": _cells(rows, dataset.codes),
        }
        for site, rows in dataset.sites.groupby("site", sort=False, dropna=False)
    ]


def slide_rows(dataset: Dataset, links: Mapping[str, str]) -> tuple[list[dict[str, Any]], int]:
    """Specimens of each species on each slide, as far as a page can hold them; and how many are left out."""
    slides = dataset.slides["slide"].drop_duplicates()
    shown = slides.head(max(1, MOST_CELLS // max(1, len(dataset.codes))))
    first = dataset.images.drop_duplicates("slide").set_index("slide")["image"]
    table = dataset.slides[dataset.slides["slide"].isin(shown)]
    rows = []
    for slide, of_slide in table.groupby("slide", sort=False):
        facts = of_slide.iloc[0]
        rows.append(
            {
                "name": str(slide),
                "link": links[first[slide]],
                "sample": _text(facts["sample"]),
                "site": _text(facts["site"]),
                "part": _text(facts["part"]).replace("|", ", "),
                "images": count(facts["n_images_all"]),
                "cells": _cells(of_slide, dataset.codes),
            }
        )
    return rows, len(slides) - len(shown)


def _cells(rows: pd.DataFrame, codes: Sequence[str]) -> list[dict[str, Any]]:
    of_species = rows.set_index("species")
    return [
        {
            "text": count(of_species.loc[code, "n_truth"]),
            "note": _ignored(of_species.loc[code, "n_ignored"]),
            "none": not of_species.loc[code, "n_truth"],
        }
        for code in codes
    ]


def _ignored(number: Any) -> str:
    return f"+ {number:,} ignored" if number else ""


def size_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """Quantiles of the longer side, and medians of the others, of each species."""
    names = full_names(dataset.species_list)
    table = dataset.quantiles.set_index(["species", "measure", "unit"])
    rows = []
    for code in dataset.codes:
        longer = table.loc[(code, "longer_side", "px")]
        micrometres = table.loc[(code, "longer_side", "µm")]
        rows.append(
            {
                "name": name_parts(names[code]),
                "n": count(longer["n"]),
                "longer": [rounded(longer[key]) for key in ("min", "q05", "median", "q95", "max")],
                "width": rounded(table.loc[(code, "width", "px"), "median"]),
                "height": rounded(table.loc[(code, "height", "px"), "median"]),
                "share": fraction(table.loc[(code, "longer_side", "share"), "median"]),
                "micrometres": rounded(micrometres["median"]),
                "known": f"of {count(micrometres['n'])}" if 0 < micrometres["n"] < longer["n"] else "",
            }
        )
    return rows


def apart(dataset: Dataset) -> str:
    """What the parts do not share, in a sentence."""
    by, others = dataset.facts["split_by"], dataset.facts["others_by"]
    if by == others or len(dataset.folds) == 1:
        return f"The parts share no {by}."
    return f"In each fold test shares no {by} with the other parts, and these share no {others}."


def split_tables(dataset: Dataset) -> list[dict[str, Any]]:
    """For each fold: the size of each part, specimens of each species in it, and what is absent."""
    return [_split_table(dataset, fold) for fold in dataset.folds]


def _split_table(dataset: Dataset, fold: int) -> dict[str, Any]:
    names = full_names(dataset.species_list)
    here = dataset.split[dataset.split["fold"] == fold]
    counts = dataset.counts_of(fold)
    by_place = counts.set_index(["part", "species"])
    parts = [part for part in PARTS if (here["part"] == part).any()]
    rows = []
    for code in dataset.codes:
        cells = []
        for part in parts:
            if (part, code) not in by_place.index:
                cells.append({"text": MISSING, "note": "", "none": False})
                continue
            row = by_place.loc[(part, code)]
            slides = f"on {plural(int(row['n_slides']), 'slide')}"
            cells.append(
                {
                    "text": count(row["n_truth"]) if row["n_truth"] else "✗ none",
                    "note": slides if row["n_truth"] else "",
                    "none": not row["n_truth"],
                }
            )
        rows.append({"name": name_parts(names[code]), "cells": cells})
    return {
        "fold": fold,
        "parts": [
            {
                "name": part,
                "slides": count(here.loc[here["part"] == part, "slide"].nunique()),
                "images": count((here["part"] == part).sum()),
                "specimens": count(counts.loc[counts["part"] == part, "n_truth"].sum()),
            }
            for part in parts
        ],
        "rows": rows,
        "absent": [str(message) for message in counts["message"].dropna().drop_duplicates()],
    }


def problem_table(dataset: Dataset, facets: Facets, links: Mapping[str, str]) -> list[dict[str, Any]]:
    """Faults by kind, with links to the first images that have them; ``place`` is that of the filter."""
    rows = []
    for kind, severity, treatment, faults in problem_kinds(dataset.problems):
        images = faults["image"].dropna().drop_duplicates()
        known = [str(image) for image in images if image in links]
        without = faults[~faults["image"].isin(known)]
        rows.append(
            {
                "kind": kind_words(kind),
                "meaning": kind_meaning(kind),
                "place": facets.kinds.index(kind),
                "severity": severity,
                "treatment": treatment,
                "number": count(len(faults)),
                "example": str(faults["message"].iloc[0]),
                "images": [(image, links[image]) for image in known[:MOST_LINKS]],
                "n_images": len(known),
                "elsewhere": [str(message) for message in without["message"].head(3)] if not known else [],
            }
        )
    return rows


def leakage_rows(dataset: Dataset, links: Mapping[str, str]) -> list[dict[str, Any]]:
    """The first pairs of images that show the same, leaks first, each with its picture if it has one."""
    if dataset.leakage is None:
        return []
    return [
        {
            "images": [(str(row[key]), links.get(str(row[key]), "")) for key in ("image_1", "image_2")],
            "leak": row["severity"] == "leak",
            "parts": _parts_of_pair(row),
            "message": _text(row["message"]),
            "picture": "" if pd.isna(row["picture"]) else str(row["picture"]),
        }
        for row in dataset.leakage.head(MOST_PAIRS).to_dict("records")
    ]


def _parts_of_pair(row: Mapping[str, Any]) -> str:
    first, second = str(row["part_1"]), str(row["part_2"])
    folds = "" if pd.isna(row["folds"]) or row["folds"] == "0" else f", fold {row['folds']}"
    return f"{first} and {second}{folds}" if first != second else f"both in {first}{folds}"


def notes(dataset: Dataset) -> list[str]:
    """What a reader should know before all else."""
    told = []
    dropped = dataset.images[~dataset.images["used"]]
    if len(dropped):
        told.append(f"{plural(len(dropped), 'image')} of the study could not be used.")
    broken = int(dataset.pictures["fault"].notna().sum())
    if broken:
        told.append(f"{plural(broken, 'image')} cannot be shown; the contact sheet says why.")
    missing = [code for code in dataset.codes if not (dataset.boxes["species"] == code).any()]
    if missing:
        told.append(f"No specimen at all: {', '.join(missing)}.")
    if not sites_of(dataset.images["site"]):
        told.append("No site is told, so nothing shows whether species and sites go together.")
    return told


def _text(value: Any) -> str:
    return MISSING if value is None or pd.isna(value) or value == "" else str(value)
