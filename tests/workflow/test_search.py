"""A study that searches: the same budget for each model, and trainings that use what was found."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from podura.tables import TRIALS
from workflow.conftest import REPOSITORY, TINY, planned, snakemake

pytestmark = pytest.mark.workflow

RESULTS = Path("results/tiny")
# Trials so far from the entry's rate that another than the first may well be best.
SEARCH = """
search:
  trials: 2
  epochs_per_trial: 1
  learning_rate_factors: [0.5, 2]
"""


@pytest.fixture(scope="module")
def searched(finished, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("searched") / "study"
    shutil.copytree(finished, folder, symlinks=True)
    tiny = folder / TINY
    tiny.write_text(tiny.read_text(encoding="utf-8") + SEARCH, encoding="utf-8")
    jobs = planned(folder)
    assert jobs["search"] == 2
    assert jobs["train"] == 4
    snakemake(folder, "--configfile", TINY, "--", *(str(model_json(seed)) for seed in (1, 2)))
    return folder


def model_json(seed: int) -> Path:
    return RESULTS / f"models/yolov5n/seed-{seed}/model.json"


def test_every_seed_is_trained_with_what_was_found(searched):
    best = json.loads((searched / RESULTS / "models/yolov5n/search/best.json").read_text())
    for seed in (1, 2):
        facts = json.loads((searched / model_json(seed)).read_text())
        assert facts["search"] == best
        settings = {**facts["optimiser"], "average_decay": facts["average_decay"]}
        assert {name: settings[name] for name in best["settings"]} == best["settings"]
        assert facts["epochs"] == 2
    assert best["seed"] not in (1, 2)
    trials = TRIALS.read_csv(searched / RESULTS / "models/yolov5n/search/trials.csv")
    assert list(trials["trial"]) == [1, 2]
    assert list(trials.loc[trials["best"], "trial"]) == [best["trial"]]
    assert trials["validation_map50_95"].max() == pytest.approx(best["validation_map50_95"])
    assert trials.loc[0, "learning_rate"] == 0.01
    assert 0.005 <= trials.loc[1, "learning_rate"] <= 0.02


def test_a_search_of_the_same_finds_the_same_and_trains_nothing_again(searched, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(searched, study, symlinks=True)
    folder = study / RESULTS / "models/yolov5n/search"
    before = (folder / "best.json").read_bytes()
    shutil.rmtree(folder)
    snakemake(study, "--configfile", TINY, "--", str(RESULTS / "models/yolov5n/search/best.json"))
    assert (folder / "best.json").read_bytes() == before
    assert planned(study, "--", *(str(model_json(seed)) for seed in (1, 2))) == {}


def test_what_a_search_depends_on_and_what_not(searched, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(searched, study, symlinks=True)
    targets = ("--", str(model_json(1)))
    assert planned(study, *targets) == {}
    models, tiny = study / "tests/studies/tiny_models.yaml", study / TINY
    entries, text = models.read_text(), tiny.read_text()
    # Longer trainings are searched as before.
    models.write_text(entries.replace("epochs: 2", "epochs: 3"))
    assert planned(study, *targets) == {"train": 1}
    models.write_text(entries.replace("label: YOLOv5n", "label: Other"))
    assert planned(study, *targets) == {}
    models.write_text(entries)
    tiny.write_text(text.replace("seeds: [1, 2]", "seeds: [1, 2, 3]"))
    assert planned(study, *targets) == {}
    tiny.write_text(text.replace("trials: 2", "trials: 3"))
    assert planned(study, *targets) == {"search": 1, "train": 1}
    tiny.write_text(text.replace(SEARCH, ""))
    assert planned(study, *targets) == {"train": 1}


def test_in_folds_each_fold_is_searched_by_itself(finished, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(finished, study, symlinks=True)
    tiny = study / TINY
    text = tiny.read_text(encoding="utf-8").replace("study: tiny", "study: folded")
    tiny.write_text(text.replace("split:", "split:\n  folds: 2", 1) + SEARCH, encoding="utf-8")
    jobs = planned(study)
    assert jobs["search"] == 2 * 2
    assert jobs["train"] == 2 * 4
    target = "results/folded/models/yolov5n/search/fold-2/best.json"
    printed = snakemake(study, "--configfile", TINY, "-n", "--", target)
    (job,) = [part for part in printed.split("\n[") if "rule search:" in part]
    assert "parts/fold-2/train/truth.json" in job
    assert "parts/fold-2/validation/truth.json" in job
    assert "calibration" not in job
    assert "parts/fold-2/test" not in job
    assert "fold-1" not in job


def test_a_trial_is_given_all_that_a_training_is_given():
    """The search hands on what train.smk hands over: a new argument must stand in both."""
    flags = {}
    for rule in ("train", "search"):
        text = (REPOSITORY / f"workflow/rules/{rule}.smk").read_text(encoding="utf-8")
        of_rule = text[text.index(f"rule {rule}:") :]
        shell = of_rule[of_rule.index("    shell:") :].split("\nrule ")[0]
        flags[rule] = set(re.findall(r"--[a-z-]+", shell))
    assert flags["train"] - flags["search"] == set()
