"""A small survey built by code: images of coloured animals, detections, queue and review page."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from podura.annotations.names import SpeciesEntry
from podura.configuration.surveys import ReviewSettings
from podura.report.review_page import PICTURES, Review, render_review
from podura.survey.deciding import Surveyed
from podura.survey.pictures import planned_pictures, write_pictures
from podura.survey.queue import review_queue
from podura.survey.tasks import shown_detections
from podura.tables import (
    BOX_COLUMNS,
    REVIEW_DECISIONS,
    REVIEW_PICTURES,
    SURVEY_DETECTIONS,
    SURVEY_IMAGES,
    SURVEY_SAMPLES,
    write_text,
)

SPECIES = (
    SpeciesEntry("CER-DEN", "Ceratophysella denticulata"),
    SpeciesEntry("ISO-MIN", "Isotomiella minor"),
    SpeciesEntry("LEP-LAN", "Lepidocyrtus lanuginosus"),
)
SPECIES_FACTS = [
    {"code": one.code, "name": one.name, "authority": authority, "family": family}
    for one, authority, family in zip(
        SPECIES,
        ("(Bagnall, 1941)", "(Schäffer, 1896)", "(Gmelin, 1788)"),
        ("Hypogastruridae", "Isotomidae", "Entomobryidae"),
        strict=True,
    )
]
COLOURS = {"CER-DEN": (70, 60, 120), "ISO-MIN": (190, 150, 90), "LEP-LAN": (110, 70, 40)}


def detection_id(image: str, species: str, box: Sequence[float]) -> str:
    return hashlib.sha256(f"{image}|{species}|{box}".encode()).hexdigest()[:16]


def survey_images(
    samples: Sequence[str] = ("north", "south", "west"),
    per_sample: int = 4,
    size: tuple[int, int] = (900, 700),
    folder: Path = Path(),
) -> pd.DataFrame:
    rows = [
        {
            "image": f"{sample}/field {number}.jpg", "path": str(folder / sample / f"field {number}.jpg"),
            "slide": f"{sample}-{number // 2}", "sample": sample, "status": "ok", "reason": None,
            "width": size[0], "height": size[1], "um_per_pixel": 2.5, "n_detections": 0, "capped": False,
        }
        for sample in samples
        for number in range(per_sample)
    ]  # fmt: skip
    return SURVEY_IMAGES.frame(rows)


def survey_detections(images: pd.DataFrame, per_image: int = 6, seed: int = 5) -> pd.DataFrame:
    """Detections spread over the images; species are unequally frequent, scores from 0.06 to 0.99."""
    draw = np.random.default_rng(seed)
    rows = []
    for one in images[images["status"].eq("ok")].itertuples():
        for _ in range(per_image):
            species = str(draw.choice([entry.code for entry in SPECIES], p=[0.6, 0.35, 0.05]))
            width, height = draw.uniform(40, 110, 2)
            x, y = draw.uniform(0, one.width - width), draw.uniform(0, one.height - height)
            box = [round(float(value), 2) for value in (x, y, x + width, y + height)]
            score = round(float(draw.beta(2, 1.2) * 0.93 + 0.06), 4)
            rows.append(
                {
                    "detection": detection_id(one.image, species, box), "image": one.image,
                    "slide": one.slide, "sample": one.sample, "species": species, "score": score,
                    **dict(zip(BOX_COLUMNS, box, strict=True)), "threshold": 0.6,
                    "threshold_status": "certified", "accepted": score >= 0.6,
                }
            )  # fmt: skip
    return SURVEY_DETECTIONS.frame(rows)


def survey_samples(images: pd.DataFrame, **facts: Any) -> pd.DataFrame:
    """A sample a row, and one more without any image; ``facts`` are given to all."""
    given: dict[str, Any] = {
        "site": "meadow", "date": "2026-05-04", "latitude": 48.5, "longitude": 7.25, "area_cm2": 25.0,
        "volume_cm3": None, "mass_g": None, **facts,
    }  # fmt: skip
    counts = images.groupby("sample")["status"].agg(["size", lambda status: int((status != "ok").sum())])
    rows = [
        {"sample": sample, **given, "n_images": total, "n_failed": failed, "complete": failed == 0}
        for sample, total, failed in counts.itertuples(name=None)
    ]
    rows.append({"sample": "empty", **given, "n_images": 0, "n_failed": 0, "complete": True})
    return SURVEY_SAMPLES.frame(rows)


def paint(images: pd.DataFrame, detections: pd.DataFrame) -> None:
    """Write the images, with an ellipse in the colour of its species for each detection."""
    for one in images[images["status"].eq("ok")].itertuples():
        picture = Image.new("RGB", (one.width, one.height), (226, 224, 216))
        pen = ImageDraw.Draw(picture)
        for found in detections[detections["image"] == one.image].itertuples():
            pen.ellipse([found.x_min, found.y_min, found.x_max, found.y_max], fill=COLOURS[found.species])
        path = Path(one.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=90)


def surveyed(detections: pd.DataFrame, images: pd.DataFrame) -> Surveyed:
    return Surveyed(detections, images, list(SPECIES))


def write_review(
    folder: Path,
    images: pd.DataFrame,
    detections: pd.DataFrame,
    amounts: ReviewSettings,
    decisions: pd.DataFrame | None = None,
    survey: str = "spring",
) -> pd.DataFrame:
    """Write the page with its pictures as the rule does; returns the queue."""
    queue = review_queue(detections, images, amounts, seed=7)
    plan = planned_pictures(queue, detections, images)
    paths = dict(zip(images["image"], map(Path, images["path"]), strict=True))
    # Tables go through files, as from rule to rule.
    REVIEW_PICTURES.write_csv(write_pictures(plan, paths, folder / PICTURES), folder / "pictures.csv")
    pictures = REVIEW_PICTURES.read_csv(folder / "pictures.csv")
    review = Review(
        survey=survey,
        key=f"test-{survey}",
        queue=queue,
        shown=shown_detections(detections, queue),
        decisions=REVIEW_DECISIONS.frame([]) if decisions is None else decisions,
        pictures=pictures,
        species=SPECIES_FACTS,
    )
    write_text(render_review(review), folder / "index.html")
    return queue
