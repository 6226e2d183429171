"""The target ``dataset``: a page to look at before training, which nothing else waits for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from workflow.conftest import TINY, copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("dataset"))
    snakemake(folder, "dataset", "--configfile", TINY)
    return folder


def test_it_makes_tables_pictures_pages_and_card(looked_at):
    results = looked_at / "results/tiny/dataset"
    for name in ("slides.csv", "sites.csv", "sizes.csv", "index.html", "data_card.md", "sheets/sheet-1.html"):
        assert (results / name).stat().st_size > 0
    images = (looked_at / "tests/studies/tiny_images.tsv").read_text().splitlines()[1:]
    assert len(list((results / "overlays").glob("*.jpg"))) == len(images)
    assert len(list((results / "overlays/thumbnails").glob("*.jpg"))) == len(images)
    assert "These slides are painted" in (results / "data_card.md").read_text()
    assert not (looked_at / "results/tiny/models").exists()


def test_once_made_there_is_nothing_to_do_and_the_benchmark_asks_for_none_of_it(looked_at):
    assert planned(looked_at, "dataset") == {}
    jobs = planned(looked_at)
    assert not {"overlays", "dataset_page", "dataset_tables"} & set(jobs)
    assert not {"import_dataset", "split"} & set(jobs)


def test_a_card_makes_the_page_anew_and_nothing_else(looked_at):
    overlay = looked_at / "card.yaml"
    study = yaml.safe_load((looked_at / TINY).read_text(encoding="utf-8"))
    study["dataset"]["card"] = {"licence": "CC-BY-4.0"}
    overlay.write_text(yaml.safe_dump(study), encoding="utf-8")
    assert planned(looked_at, "dataset", config=str(overlay)) == {"dataset_page": 1, "dataset": 1}
