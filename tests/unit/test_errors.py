"""Kinds of errors and what each costs are those of TIDE."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagnosis_data import make_run
from evaluation_data import SPECIES, detection_rows, hostile_study, slide_study, truth_rows
from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.errors import KINDS, error_rows, faults_of, of_all_seeds
from podura.evaluation.matching import overlaps
from podura.evaluation.runs import Run
from podura.tables import BENCHMARK_ERRORS

A, B, C = SPECIES
IMAGES = {"a1.png": "a", "b1.png": "b"}
BOX = (100.0, 100.0, 200.0, 200.0)
#: Overlaps BOX by a third.
HALF_OFF = (150.0, 100.0, 250.0, 200.0)


def rows_of(truths, detections, images=IMAGES, level="floor") -> pd.DataFrame:
    table = pd.DataFrame(error_rows(make_run(truths, detections, images)))
    return table[table["level"] == level].set_index(["species", "kind"])


def counts(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {key: int(n) for key, n in table["n"].items() if n}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((B, 0.9, BOX), {(B, "wrong_species"): 1}),
        ((A, 0.9, HALF_OFF), {(A, "poor_box"): 1}),
        ((B, 0.9, HALF_OFF), {(B, "both"): 1, (A, "missed"): 1}),
        ((A, 0.9, (500, 500, 600, 600)), {(A, "background"): 1, (A, "missed"): 1}),
        ((A, 0.9, BOX), {}),
    ],
)
def test_each_kind(found, expected) -> None:
    table = rows_of(truth_rows((1, "a1.png", A, BOX)), detection_rows(("a1.png", *found)))
    assert counts(table) == expected


def test_a_second_detection_is_a_duplicate() -> None:
    table = rows_of(
        truth_rows((1, "a1.png", A, BOX)), detection_rows(("a1.png", A, 0.9, BOX), ("a1.png", A, 0.8, BOX))
    )
    assert counts(table) == {(A, "duplicate"): 1}
    assert table["d_ap"][(A, "duplicate")] == 0  # it comes after all that is right


def test_an_animal_that_nothing_overlaps_is_missed_and_costs_its_recall() -> None:
    truths = truth_rows(*((i, "a1.png", A, (100 * i, 0, 100 * i + 50, 50)) for i in range(1, 5)))
    detections = detection_rows(*(("a1.png", A, 0.9, (100 * i, 0, 100 * i + 50, 50)) for i in range(1, 4)))
    table = rows_of(truths, detections)
    assert counts(table) == {(A, "missed"): 1}
    assert table["ap"][(A, "missed")] == pytest.approx(76 / 101)
    assert table["d_ap"][(A, "missed")] == pytest.approx(25 / 101)


def test_mending_the_species_helps_both_species() -> None:
    # B's animal is called A with the highest score: a wrong A before the right one, and no B.
    truths = truth_rows((1, "a1.png", A, BOX), (2, "b1.png", B, BOX))
    detections = detection_rows(("a1.png", A, 0.8, BOX), ("b1.png", A, 0.9, BOX))
    table = rows_of(truths, detections)
    assert counts(table) == {(A, "wrong_species"): 1}
    assert table["ap"][(A, "missed")] == pytest.approx(0.5)
    assert table["d_ap"][(A, "wrong_species")] == pytest.approx(0.5)
    assert table["d_ap"][(B, "wrong_species")] == pytest.approx(1.0)
    assert table["d_ap"][(B, "missed")] == 0


def test_a_better_box_makes_the_surest_right_and_the_others_vanish() -> None:
    truths = truth_rows((1, "a1.png", A, BOX))
    detections = detection_rows(("a1.png", A, 0.7, HALF_OFF), ("a1.png", A, 0.9, HALF_OFF))
    table = rows_of(truths, detections)
    assert counts(table) == {(A, "poor_box"): 2}
    assert table["d_ap"][(A, "poor_box")] == pytest.approx(1)


def test_only_what_the_threshold_accepts_is_an_error_there() -> None:
    truths = truth_rows((1, "a1.png", A, BOX))
    detections = detection_rows(("a1.png", A, 0.4, BOX), ("a1.png", A, 0.3, (500, 500, 600, 600)))
    assert counts(rows_of(truths, detections)) == {(A, "background"): 1}
    assert counts(rows_of(truths, detections, level="threshold")) == {(A, "missed"): 1}


def test_what_finds_an_animal_to_be_ignored_is_no_error_and_it_is_not_missed() -> None:
    truths = truth_rows((1, "a1.png", A, BOX, True), (2, "b1.png", A, BOX, True))
    assert not counts(rows_of(truths, detection_rows(("a1.png", A, 0.9, BOX))))


def test_the_truth_itself_has_no_errors() -> None:
    truths, _, images = slide_study(np.random.default_rng(2), n_images=6, n_truth=300, n_detections=10)
    truths["ignore"] = False
    table = pd.DataFrame(error_rows(make_run(truths, truths.assign(score=1.0), images)))
    assert (table["n"] == 0).all()
    assert (table["d_ap"] == 0).all()
    assert table["ap"].to_numpy() == pytest.approx(1)
    assert (table["n_right"] == table["n_truth"]).all()


def test_all_runs_together_have_the_sum_of_the_counts_and_the_mean_of_the_gains() -> None:
    study = slide_study(np.random.default_rng(4), n_images=4, n_truth=90, n_detections=150)
    rows = [row for seed in (1, 2) for row in error_rows(make_run(*study, threshold=0.3 * seed, seed=seed))]
    together = pd.DataFrame(of_all_seeds(rows))
    BENCHMARK_ERRORS.frame(together.assign(model="one"))
    keys = ["species", "level", "kind"]
    by_hand = pd.DataFrame(rows).groupby(keys, sort=False).agg({"n": "sum", "d_ap": "mean", "ap": "mean"})
    pd.testing.assert_frame_equal(together.set_index(keys)[["n", "d_ap", "ap"]], by_hand, check_dtype=False)
    assert together["seed"].isna().all()


def plain_tide(run: Run) -> tuple[dict[str, int], dict[tuple[str, str], float]]:
    """TIDE's definitions, detection by detection: the number of each kind, its gain in AP by species."""
    found, true = run.found, run.true
    order = np.lexsort((run.tie, -found.scores))
    iou = overlaps(found.boxes, true.boxes, np.zeros(len(true), bool))
    iou[run.found_image[:, None] != run.true_image] = 0
    same = found.species_number[:, None] == true.species_number
    own, other = iou * same, iou * ~same
    used = {int(t) for t in run.taken if t >= 0}
    kind: dict[int, str] = {}
    target: dict[int, int] = {}
    for d in order:
        if run.taken[d] >= 0:
            continue
        if not len(true):
            kind[d] = "background"
        elif 0.1 <= own[d].max() < 0.5:
            kind[d], target[d] = "poor_box", int(own[d].argmax())
        elif other[d].max() >= 0.5:
            kind[d], target[d] = "wrong_species", int(other[d].argmax())
        elif own[d].max() >= 0.5:
            kind[d] = "duplicate"
        elif iou[d].max() <= 0.1:
            kind[d] = "background"
        else:
            kind[d] = "both"
    claim: dict[int, int] = {}
    for d in order:
        if d in target and target[d] not in used:
            claim.setdefault(target[d], int(d))
    missed = [t for t in range(len(true)) if t not in used and t not in claim]
    number = {name: list(kind.values()).count(name) for name in KINDS}
    number["missed"] = len(missed)

    def every_ap(mended: str | None) -> dict[str, float]:
        points = []
        asked = [int(n) for n in true.species_number]
        for d in order:
            species, right = int(found.species_number[d]), bool(run.taken[d] >= 0)
            if mended and kind.get(int(d)) == mended:
                if claim.get(target.get(int(d), -1)) != d:
                    continue
                species, right = int(true.species_number[target[int(d)]]), True
            points.append((species, right))
        if mended == "missed":
            asked = [int(true.species_number[t]) for t in range(len(true)) if t not in missed]
        values = {}
        for species in sorted({int(n) for n in true.species_number}):
            hits = np.array([right for code, right in points if code == species], dtype=float)
            n = asked.count(species)
            if n == 0:
                values[SPECIES[species]] = 1.0
                continue
            right = np.cumsum(hits)
            precision = right / np.arange(1, len(hits) + 1)
            best = [max([p for p, r in zip(precision, right / n, strict=True) if r >= x], default=0.0)
                    for x in RECALL_POINTS]  # fmt: skip
            values[SPECIES[species]] = float(np.mean(best))
        return values

    plain = every_ap(None)
    return number, {
        (code, name): max(value - plain[code], 0) for name in KINDS for code, value in every_ap(name).items()
    }


@pytest.mark.parametrize("seed", range(60))
def test_kinds_and_gains_are_those_of_a_plain_reading_of_tide(seed: int) -> None:
    truths, detections, images = hostile_study(np.random.default_rng([21, seed]))
    truths["ignore"] = False
    run = make_run(truths, detections, images)
    number, gain = plain_tide(run)
    table = pd.DataFrame(error_rows(run))
    table = table[table["level"] == "floor"]
    assert table.groupby("kind")["n"].sum().to_dict() == number
    gained = table.set_index(["species", "kind"])["d_ap"].dropna().to_dict()
    assert gained == pytest.approx(gain, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_every_detection_has_one_fate(seed: int) -> None:
    run = make_run(*hostile_study(np.random.default_rng([22, seed])))
    for level in ("threshold", "floor"):
        faults = faults_of(run, level)
        ignored = faults.kept & (run.taken >= 0) & ~faults.right
        fates = faults.right.astype(int) + (faults.kind >= 0) + ignored
        assert np.array_equal(fates, faults.kept.astype(int))
        assert not (faults.missed & run.true.ignore).any()
