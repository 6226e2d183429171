"""A detector is flattered when images, and not whole sites, are split. Trains for some minutes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow.conftest import copy_repository, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SITES, IMAGES = 10, 10
FRACTIONS = {"train": 0.5, "validation": 0.1, "calibration": 0.1, "test": 0.3}
COMMON = {
    "seeds": [1, 2],
    "random_seed": 11,
    "models": {"include": ["yolov5n"]},
    "evaluation": {"resamples": 200},
}
PAINTED = {
    "specimens_per_image": 5,
    "other_animals_per_image": 1,
    "empty_share": 0,
    "site_effect": 3,
    "slide_effect": 2,
    "site_species": 0.6,
}


def write_study(folder: Path, name: str, images: pd.DataFrame, **sections: dict) -> str:
    images.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    overlay = {"study": name, **COMMON, **sections}
    overlay["dataset"] = {"images": f"{name}.tsv", **sections["dataset"]}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return f"{name}.yaml"


def results(folder: Path, overlay: str) -> pd.Series:
    """The detector's row of benchmark/models.csv, after a run with one core."""
    name = overlay.removesuffix(".yaml")
    table = f"results/{name}/benchmark/models.csv"
    snakemake(folder, "--cores", "1", "--configfile", overlay, "--", table)
    return pd.read_csv(folder / table).set_index("model").loc["yolov5n"]


def test_a_detector_is_flattered_by_a_split_of_images(tmp_path, capsys):
    """The same images, once with whole sites held out, once listed as a slide each."""
    folder = copy_repository(tmp_path)
    names = [(site, image) for site in range(SITES) for image in range(IMAGES)]
    by_site = pd.DataFrame(
        {
            "image": [f"s{site}_{image}.jpg" for site, image in names],
            "slide": [f"slide-{site}-{image % 2}" for site, image in names],
            "site": [f"site-{site}" for site, _ in names],
        }
    )
    overlay = write_study(
        folder,
        "by_site",
        by_site,
        dataset={"annotations": {"format": "painted"}},
        painted=PAINTED,
        split={"by": "site", "fractions": FRACTIONS},
    )
    honest = results(folder, overlay)
    painted = "results/by_site/painted"
    by_image = pd.DataFrame(
        {
            "image": [f"{painted}/slides/{image}" for image in by_site["image"]],
            "slide": by_site["image"].str.removesuffix(".jpg"),
        }
    )
    overlay = write_study(
        folder,
        "by_image",
        by_image,
        dataset={"annotations": {"format": "coco", "path": f"{painted}/annotations.json"}},
        split={"by": "slide", "fractions": FRACTIONS},
    )
    flattered = results(folder, overlay)
    shown = ["map50", "map50_low", "map50_high", "map50_seed_min", "map50_seed_max", "map50_95"]
    with capsys.disabled():
        print(pd.DataFrame({"split by site": honest[shown], "split by image": flattered[shown]}).round(3))
    # Every seed of the flattered split is above every seed of the honest one, by a margin.
    assert flattered["map50_seed_min"] > honest["map50_seed_max"] + 0.05
