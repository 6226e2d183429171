"""The page on which people check the queue of a survey: one folder, no network, keyboard or mouse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from podura.report.html import RESOURCES, render
from podura.report.results import full_names, is_binomial
from podura.tables import BOX_COLUMNS

#: Folder of the pictures beside the page.
PICTURES = "pictures"
TEMPLATES = RESOURCES.parent / "review"
_SCRIPTS = ("store.js", "picture.js", "chooser.js", "page.js")
# From a disk the page and its pictures are files, on a server they have the same origin.
_IMAGES = "'self' file:"


@dataclass(frozen=True)
class Review:
    """What the page is made of.

    queue: as tables.REVIEW_QUEUE. shown: the detections that are drawn (detection, image, species, score,
    box), those of the queue among them. decisions: as tables.REVIEW_DECISIONS, what is known already.
    pictures: as tables.REVIEW_PICTURES. species: code and name, as people may choose. key: another text for
    every survey of every study.
    """

    survey: str
    key: str
    queue: pd.DataFrame
    shown: pd.DataFrame
    decisions: pd.DataFrame
    pictures: pd.DataFrame
    species: Sequence[Mapping[str, Any]]


def render_review(review: Review, resources: Path = TEMPLATES) -> str:
    """The page as HTML; it belongs beside the folder ``PICTURES``. Every text is escaped."""
    return render(
        "index.html.j2",
        {"survey": review.survey, "data": Markup(_data(review)), "n": len(review.queue)},
        styles=("review.css",),
        script=_SCRIPTS,
        images=_IMAGES,
        resources=resources,
    )


def _data(review: Review) -> str:
    """The data of the page as JSON within a script element, which no text of it can end."""
    names = full_names(review.species)
    document = {
        "survey": review.survey,
        "key": review.key,
        "species": [
            {"code": code, "name": name, "italic": is_binomial(name)} for code, name in names.items()
        ],
        "boxes": _boxes(review),
        "items": _items(review),
        "earlier": _earlier(review.decisions),
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # HTML ends a script element, or changes how it is read, at "</script" and "<!--" even within a text.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _boxes(review: Review) -> dict[str, list[list[Any]]]:
    """The detections that are drawn, by image: id, species, score, x_min, y_min, x_max, y_max."""
    drawn: dict[str, list[list[Any]]] = {image: [] for image in review.queue["image"]}
    columns = ["image", "detection", "species", "score", *BOX_COLUMNS]
    for image, detection, species, score, *corners in review.shown[columns].itertuples(
        index=False, name=None
    ):
        if image in drawn:
            drawn[image].append(
                [detection, species, round(float(score), 4), *(round(float(one), 1) for one in corners)]
            )
    return drawn


def _items(review: Review) -> list[dict[str, Any]]:
    pictures: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in review.pictures.sort_values("view", kind="stable").itertuples(index=False):
        key = ("detection", one.detection) if pd.notna(one.detection) else ("image", one.image)
        pictures.setdefault(key, []).append(
            {
                "file": f"{PICTURES}/{one.file}",
                "place": [int(side) for side in (one.x, one.y, one.width, one.height)],
                "fault": None if pd.isna(one.fault) else one.fault,
            }
        )
    return [
        {
            "kind": row.kind,
            "detection": None if pd.isna(row.detection) else row.detection,
            "image": row.image,
            "sample": None if pd.isna(row.sample) else row.sample,
            "reason": row.reason,
            "views": pictures.get((row.kind, row.detection if row.kind == "detection" else row.image), []),
        }
        for row in review.queue.itertuples()
    ]


def _earlier(decisions: pd.DataFrame) -> list[dict[str, Any]]:
    """Decisions that an earlier run took in and that still count."""
    counting = decisions[~decisions["superseded"].astype(bool)]
    return [
        {
            "action": row.action,
            "image": row.image,
            "detection": None if pd.isna(row.detection) else row.detection,
            "species": None if pd.isna(row.species) else row.species,
            "box": None if pd.isna(row.x_min) else [float(getattr(row, side)) for side in BOX_COLUMNS],
            "reviewer": row.reviewer,
        }
        for row in counting.itertuples()
    ]
