"""Releases and surveys in the workflow: what runs, what does not, and what a release from elsewhere needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from release_data import make_release, write_picture
from workflow.conftest import REPOSITORY, TINY, copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow

OF_A_SURVEY = {"detect_survey", "survey_drift", "survey_overlays", "survey"}
OF_A_STUDY = {"paint", "import_dataset", "split", "train", "detect", "match", "score", "merge", "release"}


def made(survey: str, study: str = "other_lab") -> list[str]:
    """What these tests look at of a survey; the rest has tests of its own."""
    names = ("samples.csv", "drift.csv", "overlays/pictures.csv")
    return [f"results/{study}/surveys/{survey}/{name}" for name in names]


def survey_folder(folder: Path, images: int = 3) -> Path:
    for number in range(images):
        write_picture(folder / f"core-{number % 2}" / f"image-{number}.jpg", seed=number)
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another machine: the repository, a release, new images, and nothing of the study."""
    folder = copy_repository(tmp_path_factory.mktemp("elsewhere"))
    made = tmp_path_factory.mktemp("made")
    make_release(folder / "from elsewhere", made)
    shutil.rmtree(made)
    survey_folder(folder / "meadow")
    overlay = {
        "study": "other_lab",
        "release": "from elsewhere",
        "dataset": {"images": "gone/images.tsv", "annotations": {"format": "coco", "path": "gone/a.json"}},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return folder


def test_a_release_from_elsewhere_runs_with_nothing_of_the_study(elsewhere: Path) -> None:
    jobs = set(planned(elsewhere, "survey", "--config", "survey=meadow", config="own.yaml"))
    assert jobs >= OF_A_SURVEY
    assert not jobs & OF_A_STUDY
    given = (*made("meadow"), "--config", "survey=meadow")
    snakemake(elsewhere, *given, "--configfile", "own.yaml")
    results = elsewhere / "results/other_lab"
    assert {path.name for path in results.iterdir()} == {"config.yaml", "surveys"}
    survey = results / "surveys/meadow"
    images = pd.read_csv(survey / "images.csv")
    assert images["status"].tolist() == ["ok"] * 3
    assert pd.read_csv(survey / "samples.csv")["sample"].tolist() == ["core-0", "core-1"]
    assert set(pd.read_csv(survey / "drift.csv")["measure"]) >= {"overall", "brightness"}
    assert len(pd.read_csv(survey / "overlays/pictures.csv")) == 3
    assert planned(elsewhere, *given, config="own.yaml") == {}


def test_added_images_are_detected_in_by_themselves(elsewhere: Path) -> None:
    given = (*made("heath"), "--config", "survey=heath", "--configfile", "own.yaml")
    survey_folder(elsewhere / "heath")
    snakemake(elsewhere, *given)
    survey_folder(elsewhere / "heath", images=5)
    (elsewhere / "heath/core-0/broken.png").write_bytes(b"\x89PNG")
    snakemake(elsewhere, *given)
    log = (elsewhere / "logs/other_lab/surveys/heath/detect_survey.log").read_text(encoding="utf-8")
    assert "6 images, of which 3 are known from before" in log
    assert "broken.png could not be read, its sample core-0 is incomplete" in log
    samples = pd.read_csv(elsewhere / "results/other_lab/surveys/heath/samples.csv").set_index("sample")
    assert samples["complete"].to_dict() == {"core-0": False, "core-1": True}
    assert samples["n_images"].to_dict() == {"core-0": 4, "core-1": 2}


def test_without_its_data_the_study_itself_is_refused_in_words(elsewhere: Path) -> None:
    printed = snakemake(elsewhere, "--configfile", "own.yaml", "-n", "all", check=False)
    assert "The images of the study are not there" in printed
    assert "Traceback" not in printed


def test_an_altered_release_is_refused_in_words(elsewhere: Path, tmp_path: Path) -> None:
    folder = elsewhere / "altered"
    shutil.copytree(elsewhere / "from elsewhere", folder)
    with (folder / "thresholds.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    given = ("--config", "survey=meadow", "release=altered", "study=altered_lab")
    printed = snakemake(elsewhere, "survey", *given, "--configfile", "own.yaml", check=False)
    assert "thresholds.csv: the file was altered after the release was made" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("survey=nowhere",), "there is no 'nowhere'"),
        ((), "There is no survey"),
        (("survey=meadow", "release=nowhere"), "there is no folder 'nowhere'"),
        (("survey=meadow", "release=meadow"), "meadow: this is no folder of a release"),
    ],
)
def test_a_survey_that_cannot_run_is_refused_before_any_job(
    elsewhere: Path, given: tuple[str, ...], said: str
) -> None:
    config = ("--config", *given) if given else ()
    printed = snakemake(elsewhere, "--configfile", "own.yaml", "-n", "survey", *config, check=False)
    assert said in printed
    assert "Traceback" not in printed
    assert "Job stats" not in printed


@pytest.mark.parametrize("overlay", ["tests/studies/tiny.yaml", "tests/studies/tiny_folds.yaml"])
@pytest.mark.parametrize("seeds", ["best", "all"])
def test_a_release_plans_with_and_without_folds(overlay: str, seeds: str) -> None:
    printed = snakemake(
        REPOSITORY,
        "release",
        "--configfile",
        overlay,
        "-n",
        "--forceall",
        "--quiet",
        "reason",
        "--config",
        f"release={{model: winner, seeds: {seeds}}}",
    )
    assert "release" in printed.split("Job stats:")[-1]


def test_a_study_releases_its_winner_and_only_what_changes_runs_again(study: Path) -> None:
    survey_folder(study / "meadow")
    jobs = set(planned(study, "survey", "--config", "survey=meadow"))
    assert jobs & OF_A_STUDY == {"release"}
    given = (*made("meadow", "tiny"), "--config", "survey=meadow")
    snakemake(study, *given, "--configfile", TINY)
    assert planned(study, *given) == {}
    facts = json.loads((study / "results/tiny/release/detector.json").read_text(encoding="utf-8"))
    score = study / f"results/tiny/scores/{facts['model']}/seed-{facts['seeds'][0]}/CER-DEN.json"
    stated = json.loads(score.read_text(encoding="utf-8"))
    thresholds = pd.read_csv(study / "results/tiny/release/thresholds.csv").set_index("species")
    assert thresholds.at["CER-DEN", "threshold_status"] == stated["threshold_status"]
    assert facts["pipeline"] == stated["threshold_evidence"]["certificates"][0]["pipeline"]
    # A survey does not concern the benchmark; a licence is told in the card and retrains nothing.
    assert planned(study, "all", "--config", "survey=meadow") == {}
    overlay = yaml.safe_load((study / TINY).read_text(encoding="utf-8"))
    overlay["dataset"]["card"] = {"licence": "CC0-1.0"}
    (study / TINY).write_text(yaml.safe_dump(overlay), encoding="utf-8")
    assert planned(study, "release") == {"release": 1}
