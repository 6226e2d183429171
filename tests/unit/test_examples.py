"""The errors that are worth a look: right kind, right place, several runs as one, and never too many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagnosis_data import make_run
from evaluation_data import SPECIES, detection_rows, hostile_study, truth_rows
from podura.evaluation.errors import KINDS, faults_of
from podura.evaluation.examples import MOST, MOST_OF_SPECIES, example_rows
from podura.tables import BENCHMARK_EXAMPLES, BOX_COLUMNS, TRUE_BOX_COLUMNS

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "b1.png": "b"}
BOX = (100.0, 100.0, 200.0, 200.0)
NEAR = (105.0, 100.0, 205.0, 200.0)
FAR = (500.0, 500.0, 600.0, 600.0)


def table(runs) -> pd.DataFrame:
    return BENCHMARK_EXAMPLES.frame([{"model": "one", **row} for row in example_rows(runs)])


def test_the_same_error_of_two_runs_is_one_example_with_the_surest_box() -> None:
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", B, BOX))
    first = detection_rows(("a1.png", C, 0.7, BOX), ("b1.png", B, 0.9, BOX), ("b1.png", A, 0.6, FAR))
    second = detection_rows(("a1.png", C, 0.8, NEAR), ("b1.png", B, 0.9, BOX))
    found = table([make_run(truths, first, IMAGES), make_run(truths, second, IMAGES, seed=2)])
    assert found["kind"].tolist() == ["wrong_species", "background"]
    wrong, background = found.to_dict("records")
    assert (wrong["n_runs"], wrong["of_runs"], wrong["seed"], wrong["score"]) == (2, 2, 2, 0.8)
    assert (wrong["species"], wrong["true_species"]) == (C, A)
    assert tuple(wrong[name] for name in BOX_COLUMNS) == NEAR
    assert tuple(wrong[name] for name in TRUE_BOX_COLUMNS) == BOX
    assert (background["n_runs"], background["image"], background["slide"]) == (1, "b1.png", "b")
    assert pd.isna(background["true_species"])
    assert pd.isna(background["true_x_min"])


def test_a_missed_animal_tells_what_was_seen_there_below_the_threshold() -> None:
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", B, FAR), (3, "b1.png", B, BOX))
    one = detection_rows(("a1.png", A, 0.3, NEAR), ("b1.png", C, 0.4, FAR))
    other = detection_rows(("a1.png", A, 0.9, NEAR))
    found = table([make_run(truths, one, IMAGES), make_run(truths, other, IMAGES, seed=2)])
    assert found["kind"].unique().tolist() == ["missed"]
    by_box = {(row["image"], row["x_min"]): row for row in found.to_dict("records")}
    seen = by_box["b1.png", 500.0]
    assert (seen["n_runs"], seen["score"], seen["found_species"], seen["seed"]) == (2, 0.4, C, 1)
    unseen = by_box["b1.png", 100.0]
    assert unseen["n_runs"] == 2
    assert pd.isna(unseen["score"])
    assert pd.isna(unseen["found_species"])
    # The second run found it, so it stands last, with the score of the run that saw it best.
    assert found["image"].iloc[-1] == "a1.png"
    assert found["n_runs"].iloc[-1] == 1
    assert found["rank"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("seed", range(12))
def test_every_kind_has_as_many_examples_as_there_are_errors_up_to_the_limit(seed: int) -> None:
    truths, detections, images = hostile_study(np.random.default_rng([77, seed]))
    run = make_run(truths, detections, images)
    faults = faults_of(run, "threshold")
    found = table([run])
    for number, kind in enumerate(KINDS):
        of_kind = found[found["kind"] == kind]
        errors = faults.missed.sum() if kind == "missed" else (faults.kind == number).sum()
        assert len(of_kind) <= min(errors, MOST)
        assert (len(of_kind) > 0) == (errors > 0)
        assert of_kind.groupby("species").size().max() <= MOST_OF_SPECIES or of_kind.empty
        if kind != "missed":
            assert of_kind["score"].is_monotonic_decreasing
    concerned = found[~found["kind"].isin(["background"])]
    assert concerned["true_species"].notna().all()


def test_no_errors_no_examples() -> None:
    truths = truth_rows((1, "a1.png", A, BOX))
    assert table([make_run(truths, detection_rows(("a1.png", A, 0.9, BOX)), IMAGES)]).empty
    assert table([]).empty
