"""Contact sheets: the pictures of a data set, in groups by slide, with what a reader may filter by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from podura.report.dataset import Dataset
from podura.report.gallery import short_digest
from podura.report.results import full_names
from podura.report.summary import problem_kinds
from podura.report.wording import faults_by_image, image_title, kind_words, listing, plural
from podura.tables import PARTS

#: Images of one sheet: so many a browser shows without delay. A slide with more goes on to the next sheet.
MOST_IMAGES = 10_000
_MOST_FAULTS = 12


@dataclass(frozen=True)
class Shown:
    """One image on a sheet, with its name and a title for people.

    ``facets`` gives the places of its values in ``Facets``, as text.
    """

    image: str
    title: str
    anchor: str
    file: str
    width: int
    height: int
    counts: Sequence[str]
    part: str
    kinds: str
    faults: Sequence[str]
    more_faults: int
    facets: dict[str, str]


@dataclass
class Group:
    """Images that stand together: those of one slide, or of slides with one image each (no ``slide``)."""

    slide: str
    anchor: str
    facts: str
    shown: list[Shown] = field(default_factory=list)


@dataclass(frozen=True)
class Sheet:
    """One page of a contact sheet; ``first`` and ``last`` count images from 1."""

    file: str
    groups: Sequence[Group]
    first: int
    last: int


@dataclass(frozen=True)
class Facets:
    """What images may be filtered by: names by facet, in the order in which the images refer to them."""

    species: list[str]
    parts: list[tuple[int, str]]
    sites: list[str]
    kinds: list[str]


def facets_of(dataset: Dataset) -> Facets:
    """What the images of a data set may be filtered by."""
    present = set(dataset.split[["fold", "part"]].itertuples(index=False, name=None))
    return Facets(
        species=dataset.codes,
        parts=[(fold, part) for fold in dataset.folds for part in PARTS if (fold, part) in present],
        sites=sorted(dataset.images["site"].dropna().astype(str).unique()),
        kinds=list(dict.fromkeys(kind for kind, *_ in problem_kinds(dataset.problems))),
    )


def contact_sheets(dataset: Dataset, facets: Facets, most: int = MOST_IMAGES) -> list[Sheet]:
    """All images of a data set on as few sheets as may be; images of a slide stand together."""
    sheets: list[Sheet] = []
    groups: list[Group] = []
    number = first = 0
    for group in _groups(dataset, facets, most):
        if groups and number - first + len(group.shown) > most:
            sheets.append(_sheet(sheets, groups, first, number))
            groups, first = [], number
        groups.append(group)
        number += len(group.shown)
    if groups:
        sheets.append(_sheet(sheets, groups, first, number))
    return sheets


def image_links(sheets: Sequence[Sheet]) -> dict[str, str]:
    """The address of each image on its sheet, from the folder of the sheets."""
    return {
        shown.image: f"{sheet.file}#{shown.anchor}"
        for sheet in sheets
        for group in sheet.groups
        for shown in group.shown
    }


def _sheet(before: Sequence[Sheet], groups: list[Group], first: int, last: int) -> Sheet:
    return Sheet(f"sheet-{len(before) + 1}.html", groups, first + 1, last)


def _groups(dataset: Dataset, facets: Facets, most: int) -> Iterator[Group]:
    shown = _shown_images(dataset, facets)
    single: Group | None = None
    for slide, images in dataset.images.groupby("slide", sort=False):
        names = images["image"].tolist()
        if len(names) == 1:
            # Slides of one image in a row share a group: a heading for each would leave the sheet empty.
            if single is None or len(single.shown) >= most:
                if single is not None:
                    yield single
                single = Group("", f"s-{short_digest(names[0])}", "")
            single.shown.append(shown[names[0]])
            continue
        if single is not None:
            yield single
            single = None
        for start in range(0, len(names), most):
            anchor = f"s-{short_digest(str(slide))}" + (f"-{start}" if start else "")
            here = names[start : start + most]
            yield Group(str(slide), anchor, _slide_facts(images), [shown[name] for name in here])
    if single is not None:
        yield single


def _slide_facts(images: pd.DataFrame) -> str:
    first = images.bfill().iloc[0]
    told = [f"{key} {first[key]}" for key in ("sample", "site") if not pd.isna(first[key])]
    return ", ".join([*told, plural(len(images), "image")])


def _shown_images(dataset: Dataset, facets: Facets) -> dict[str, Shown]:
    faults = faults_by_image(dataset.problems)
    kinds = dataset.problems.dropna(subset=["image"]).groupby("image")["kind"].unique()
    counted = _counts_by_image(dataset)
    parts: dict[str, list[tuple[int, str]]] = {}
    for image, part, fold in dataset.split[["image", "part", "fold"]].itertuples(index=False, name=None):
        parts.setdefault(image, []).append((fold, part))
    places: dict[str, dict[Any, str]] = {
        "species": {name: str(place) for place, name in enumerate(facets.species)},
        "part": {name: str(place) for place, name in enumerate(facets.parts)},
        "site": {name: str(place) for place, name in enumerate(facets.sites)},
        "kind": {name: str(place) for place, name in enumerate(facets.kinds)},
    }
    found = {}
    rows = dataset.images[["image", "slide", "site", "used"]].itertuples(index=False, name=None)
    columns = ["image", "file", "thumbnail_width", "thumbnail_height"]
    drawn = {row[0]: row[1:] for row in dataset.pictures[columns].itertuples(index=False, name=None)}
    for image, slide, site, used in rows:
        of_image = counted.get(image, {})
        its_kinds = [str(kind) for kind in kinds.get(image, ())]
        its_parts = parts.get(image, [])
        file, width, height = drawn[image]
        values: dict[str, Sequence[Any]] = {
            "species": [code for code in facets.species if code in of_image],
            "part": its_parts,
            "site": [] if pd.isna(site) else [site],
            "kind": its_kinds,
        }
        found[image] = Shown(
            image=image,
            title=image_title(image, slide),
            anchor=f"i-{short_digest(image)}",
            file=file,
            width=width,
            height=height,
            counts=_count_words(of_image, facets.species, used),
            part=_part_words(its_parts),
            kinds=", ".join(kind_words(kind) for kind in its_kinds),
            faults=faults.get(image, [])[:_MOST_FAULTS],
            more_faults=max(0, len(faults.get(image, [])) - _MOST_FAULTS),
            facets={key: " ".join(places[key][name] for name in names) for key, names in values.items()},
        )
    return found


def _counts_by_image(dataset: Dataset) -> dict[str, dict[str, tuple[int, int]]]:
    """For each image and species: boxes, and how many of them are to be ignored."""
    counted: dict[str, dict[str, tuple[int, int]]] = {}
    table = dataset.boxes.groupby(["image", "species"])["ignore"].agg(["size", "sum"])
    for (image, species), number, ignored in table.itertuples(name=None):
        counted.setdefault(image, {})[species] = (int(number), int(ignored))
    return counted


def _count_words(counts: dict[str, tuple[int, int]], codes: Sequence[str], used: bool) -> list[str]:
    if not used:
        return ["not used"]
    words = [
        f"{counts[code][0]} {code}" + (f" ({counts[code][1]} ignored)" if counts[code][1] else "")
        for code in codes
        if code in counts
    ]
    return words or ["no boxes"]


def _part_words(parts: Sequence[tuple[int, str]]) -> str:
    if len(parts) <= 1:
        return "".join(part for _, part in parts)
    tested = [str(fold) for fold, part in sorted(parts) if part == "test"]
    return f"test in fold {listing(tested)}" if tested else "never tested"


def facet_options(facets: Facets, dataset: Dataset) -> dict[str, list[str]]:
    """The words of each facet's choices, in order."""
    names = full_names(dataset.species_list)
    folds = len(dataset.folds) > 1
    return {
        "species": [names.get(code, code) for code in facets.species],
        "part": [f"fold {fold}: {part}" if folds else part for fold, part in facets.parts],
        "site": facets.sites,
        "kind": [kind_words(kind) for kind in facets.kinds],
    }
