"""The pages of a data set, to look at before training: what it holds and lacks, and every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from podura.report import dataset_summary as summary
from podura.report.data_card import card_species, data_card
from podura.report.dataset import Dataset
from podura.report.dataset_figures import draw_dataset_figures
from podura.report.html import RESOURCES, render
from podura.report.leakage import leakage_verdict
from podura.report.sheets import Sheet, contact_sheets, facet_options, facets_of, image_links
from podura.report.style import inline_svg
from podura.report.wording import plural

#: Folders beside the page: the sheets, and the pictures that they show.
SHEETS, OVERLAYS = "sheets", "overlays"
_STYLES = ("page.css", "viewer.css", "dataset.css")
# From a disk the page and its pictures are files, on a server they have the same origin.
_IMAGES = "'self' file:"
_STRIP = 12


def render_dataset(
    dataset: Dataset, figures: Mapping[str, Figure] | None = None, resources: Path = RESOURCES
) -> tuple[str, dict[str, str]]:
    """The page of a data set as HTML, and the contact sheets by the names of their files.

    The page belongs beside the folders ``SHEETS`` and ``OVERLAYS``. ``figures`` are as of
    ``draw_dataset_figures``, or else drawn here. Every text of the data set is escaped.
    """
    facets = facets_of(dataset)
    sheets = contact_sheets(dataset, facets)
    links = {image: f"{SHEETS}/{link}" for image, link in image_links(sheets).items()}
    slides, more_slides = summary.slide_rows(dataset, links)
    context = {
        **_heading(dataset),
        "facts": summary.facts_line(dataset),
        "notes": summary.notes(dataset),
        "species": card_species(dataset),
        "codes": dataset.codes,
        "sites": summary.site_rows(dataset),
        "slides": slides,
        "more_slides": more_slides,
        "sizes": summary.size_rows(dataset),
        "apart": summary.apart(dataset),
        "splits": summary.split_tables(dataset),
        "problems": summary.problem_table(dataset, facets, links),
        "n_problems": plural(len(dataset.problems), "fault"),
        "leakage": summary.leakage_rows(dataset, links),
        "leakage_verdict": leakage_verdict(dataset.leakage),
        "n_pairs": 0 if dataset.leakage is None else len(dataset.leakage),
        "most_pairs": summary.MOST_PAIRS,
        "sheets": [(f"{SHEETS}/{sheet.file}", sheet.first, sheet.last) for sheet in sheets],
        "strip": _strip(sheets),
        "overlays": OVERLAYS,
        "card": data_card(dataset),
        "figures": _embedded(figures or draw_dataset_figures(dataset), dataset),
    }
    page = render(
        "dataset.html.j2", context, styles=_STYLES, script=None, images=_IMAGES, resources=resources
    )
    shared = {
        **_heading(dataset),
        "options": facet_options(facets, dataset),
        "sheets": [(sheet.file, sheet.first, sheet.last) for sheet in sheets],
        "n_images": len(dataset.images),
        "overlays": f"../{OVERLAYS}",
    }
    pages = {
        sheet.file: render(
            "sheet.html.j2",
            {**shared, "sheet": sheet},
            styles=_STYLES,
            script=("viewer.js", "sheet.js"),
            images=_IMAGES,
            resources=resources,
        )
        for sheet in sheets
    }
    return page, pages


def _heading(dataset: Dataset) -> dict[str, Any]:
    card = data_card(dataset)
    return {"study": dataset.study, "title": card.title, "notice": card.notice}


def _strip(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    """A few images for the page itself, one a group and spread evenly over the data set."""
    firsts = [
        (group.shown[0], f"{SHEETS}/{sheet.file}#{group.shown[0].anchor}")
        for sheet in sheets
        for group in sheet.groups
    ]
    if len(firsts) < _STRIP:
        firsts = [
            (shown, f"{SHEETS}/{sheet.file}#{shown.anchor}")
            for sheet in sheets
            for group in sheet.groups
            for shown in group.shown
        ]
    step = max(1, len(firsts) // _STRIP)
    return [{"shown": shown, "link": link} for shown, link in firsts[::step][:_STRIP]]


def _embedded(figures: Mapping[str, Figure], dataset: Dataset) -> dict[str, Markup]:
    species = plural(len(dataset.codes), "species", "species")
    descriptions = {
        "specimens_by_part": f"Specimens of {species} in each part. The table below gives the numbers.",
        "sizes_by_species": f"Distribution of the longer sides of the boxes of {species}. The table of sizes "
        "gives the numbers.",
    }
    return {
        name: Markup(inline_svg(figures[name], f"figure-{name}", text)) for name, text in descriptions.items()
    }
