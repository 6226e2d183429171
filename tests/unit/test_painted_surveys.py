"""A painted survey: a known site looks as in the study, an unlike one does not; the truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from podura.configuration.surveys import PaintedSurvey
from podura.slides.painting import ImageRow, PaintSettings, load_traits, paint_study
from podura.slides.reading import read_image
from podura.slides.statistics import image_statistics
from podura.survey.painting import paint_survey
from podura.survey.samples import SurveyImage, SurveyImages
from podura.tables import SAMPLE_FACTS
from release_data import CODES

TRAITS = load_traits(Path(__file__).parents[2] / "resources/springtail_traits.tsv")
SETTINGS = PaintSettings(128, 96, 20, specimens_per_image=2, other_animals_per_image=0)
NAMES = {code: f"Genus {code}" for code in CODES}


def survey(folder: Path, sites: dict[str, str]) -> SurveyImages:
    """Two images on a slide of their own for each sample."""
    images = [
        SurveyImage(f"{sample}/{n}.png", folder / f"{sample}/{n}.png", f"{sample}-{n}", sample, None)
        for sample in sites
        for n in (1, 2)
    ]
    blank: dict[str, Any] = dict.fromkeys(SAMPLE_FACTS)
    return SurveyImages(tuple(images), {sample: {**blank, "site": site} for sample, site in sites.items()})


def painted(folder: Path, seed: int, sites: dict[str, str], **options: Any) -> dict[str, Any]:
    return paint_survey(
        survey(folder, sites),
        PaintedSurvey(seed, options.pop("unlike", ())),
        folder=folder,
        species=NAMES,
        settings=options.get("settings", SETTINGS),
        traits=TRAITS,
        study_seed=7,
    )


def look(path: Path) -> np.ndarray:
    """The light of an image."""
    found = image_statistics(read_image(path))
    return np.array([found[name] for name in ("brightness", "red_green", "blue_green")])


def test_the_same_seed_paints_the_same_and_another_one_other_animals(tmp_path: Path) -> None:
    one = painted(tmp_path / "a", 1, {"m": "meadow"})
    assert painted(tmp_path / "b", 1, {"m": "meadow"}) == one
    assert (tmp_path / "a/m/1.png").read_bytes() == (tmp_path / "b/m/1.png").read_bytes()
    assert painted(tmp_path / "c", 2, {"m": "meadow"})["annotations"] != one["annotations"]


def test_the_truth_has_every_image_and_ids_of_its_own(tmp_path: Path) -> None:
    coco = painted(tmp_path, 1, {"m": "meadow", "q": "quarry"}, unlike=("quarry",))
    assert [image["file_name"] for image in coco["images"]] == ["m/1.png", "m/2.png", "q/1.png", "q/2.png"]
    assert [image["slide"] for image in coco["images"]] == ["m-1", "m-2", "q-1", "q-2"]
    assert [image["id"] for image in coco["images"]] == [1, 2, 3, 4]
    ids = [one["id"] for one in coco["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    assert {one["image_id"] for one in coco["annotations"]} <= {1, 2, 3, 4}
    assert [category["name"] for category in coco["categories"]] == list(CODES)


def test_samples_of_a_site_of_the_study_have_new_slides_of_the_same_look(tmp_path: Path) -> None:
    """Without differences between slides a site's light is all that an empty slide shows."""
    settings = replace(SETTINGS, slide_effect=0, specimens_per_image=0.001, empty_share=0.99)
    row = ImageRow("study.png", "slide-01", "meadow", 20)
    paint_study(
        rows=[row],
        folder=tmp_path,
        species=list(CODES),
        species_names=NAMES,
        settings=settings,
        traits=TRAITS,
        seed=7,
    )
    distances = []
    for unlike in ((), ("meadow",)):
        folder = tmp_path / str(len(unlike))
        paint_survey(
            survey(folder, {"m": "meadow"}),
            PaintedSurvey(3, unlike),
            folder=folder,
            species=NAMES,
            settings=settings,
            traits=TRAITS,
            study_seed=7,
        )
        distances.append(np.abs(look(folder / "m/1.png") - look(tmp_path / "study.png")).max())
    assert distances[0] < 0.02
    assert distances[1] > 3 * distances[0]


def test_samples_differ_in_how_much_lives_in_them(tmp_path: Path) -> None:
    samples = {f"m{n}": "meadow" for n in range(8)}
    settings = replace(SETTINGS, width=192, height=128, um_per_pixel=40, specimens_per_image=8)
    coco = painted(tmp_path, 1, samples, settings=settings)
    image = {one["id"]: one["file_name"].split("/")[0] for one in coco["images"]}
    counts = [sum(image[one["image_id"]] == sample for one in coco["annotations"]) for sample in samples]
    assert np.var(counts, ddof=1) / np.mean(counts) > 2, "numbers of equal density would give about 1"
