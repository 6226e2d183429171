"""Painted surveys: samples of known truth, for demonstrations and simulations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from podura.configuration.surveys import PaintedSurvey
from podura.seeds import generator
from podura.slides.painting import ImageRow, PaintSettings, SpeciesTraits, paint_study
from podura.survey.samples import SurveyImages

#: How far the look of a site that is unlike the study lies from the mean of all sites (painted.site_effect).
UNLIKE_EFFECT = 6.0
#: Standard deviation of the logarithm of a sample's density: some samples hold three times as many as others.
DENSITY_SPREAD = 0.5


def paint_survey(
    survey: SurveyImages,
    painted: PaintedSurvey,
    *,
    folder: Path,
    species: Mapping[str, str],
    settings: PaintSettings,
    traits: Mapping[str, SpeciesTraits],
    study_seed: int,
    processes: int = 1,
) -> dict[str, Any]:
    """Paint the images of a survey below ``folder`` and return the truth as a COCO dictionary.

    ``species`` are names by code. A site that bears the name of a site of the study looks like it, for its
    look follows from ``study_seed`` and its name; slides and animals follow from the seed of the survey.
    Samples differ in how many animals they hold. Raises UserError as ``paint_study`` does.
    """
    coco: dict[str, Any] = {"images": [], "categories": [], "annotations": []}
    for sample, facts in survey.samples.items():
        site = facts["site"] or ""
        density = float(np.exp(DENSITY_SPREAD * generator(painted.seed, "density", sample).standard_normal()))
        of_sample = replace(settings, specimens_per_image=settings.specimens_per_image * density)
        if site in painted.unlike:
            of_sample = replace(of_sample, site_effect=UNLIKE_EFFECT)
        images = [image for image in survey.images if image.sample == sample]
        found = paint_study(
            rows=[
                ImageRow(
                    image.image,
                    # Of the study's slides none has such a name, so that these are new slides of the site.
                    f"{image.slide} of survey {painted.seed}",
                    site,
                    image.um_per_pixel or settings.um_per_pixel,
                )
                for image in images
            ],
            folder=folder,
            species=list(species),
            species_names=species,
            settings=of_sample,
            traits=traits,
            seed=study_seed,
            processes=processes,
        )
        _append(coco, found, {image.image: image.slide for image in images})
    return coco


def _append(coco: dict[str, Any], found: Mapping[str, Any], slides: Mapping[str, str]) -> None:
    first, n_images = len(coco["annotations"]), len(coco["images"])
    coco["categories"] = found["categories"]
    coco["images"] += [
        {**image, "id": image["id"] + n_images, "slide": slides[image["file_name"]]}
        for image in found["images"]
    ]
    coco["annotations"] += [
        {**one, "id": one["id"] + first, "image_id": one["image_id"] + n_images}
        for one in found["annotations"]
    ]
