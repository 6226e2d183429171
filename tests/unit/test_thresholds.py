"""The empirical threshold is the lowest cut that reaches the target on its slides, and promises nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_data import SPECIES, detection_rows, truth_rows
from podura.evaluation.matching import match
from podura.evaluation.ranking import Ranking, ranking
from podura.evaluation.thresholds import (
    accepted_at,
    empirical_threshold,
    precision_and_recall_at,
)
from podura.tables import IOU_PERCENTS

A, B, _ = SPECIES
UNIT = (0.0, 0.0, 10.0, 10.0)


def ranked(scores, right, *, n_truth: int | None = None, ignored=None) -> Ranking:
    """A ranking that is the same at every IoU, from scores in any order."""
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    is_right = np.asarray(right, dtype=bool)[order]
    aside = np.zeros(len(order), dtype=bool) if ignored is None else np.asarray(ignored, bool)[order]
    truths = int((is_right & ~aside).sum()) if n_truth is None else n_truth
    return Ranking(
        scores=np.asarray(scores, dtype=float)[order],
        detection_slides=np.full(len(order), "a", dtype=object),
        right=np.tile(is_right & ~aside, (len(IOU_PERCENTS), 1)),
        wrong=np.tile(~is_right & ~aside, (len(IOU_PERCENTS), 1)),
        truth_slides=np.full(truths, "a", dtype=object),
    )


def threshold_of(of_species: Ranking, target: float = 0.95, iou_percent: int = 50):
    return empirical_threshold(of_species, iou_percent=iou_percent, target_precision=target)


@given(
    found=st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.booleans()), max_size=50),
    target=st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
@settings(max_examples=300, deadline=None)
def test_it_is_the_lowest_cut_that_reaches_the_target(found, target) -> None:
    scores = [score / 8 for score, _, _ in found]
    of_species = ranked(scores, [r for _, r, _ in found], ignored=[i for _, _, i in found])
    counted = [(score / 8, right) for score, right, ignored in found if not ignored]
    good = []
    for cut in {score for score, _ in counted}:
        accepted = [right for score, right in counted if score >= cut]
        if sum(accepted) / len(accepted) >= target:
            good.append((cut, len(accepted), len(accepted) - sum(accepted)))
    result = threshold_of(of_species, target)
    if not good:
        assert result is None
    else:
        assert result == min(good)[0]
        precision, _ = precision_and_recall_at(of_species, result, iou_percent=50)
        assert precision >= target


def test_exactly_the_target_is_enough() -> None:
    scores = np.linspace(1, 0.1, 60)
    assert threshold_of(ranked(scores, [True] * 57 + [False] * 3)) == scores[-1]
    assert threshold_of(ranked(scores, [True] * 56 + [False] * 4)) > scores[-1]


def test_a_threshold_may_lie_beyond_a_stretch_that_fails() -> None:
    # The best-scored detection is wrong; the target is only reached further down.
    assert threshold_of(ranked(np.linspace(1, 0.1, 21), [False] + [True] * 20)) == pytest.approx(0.1)


def test_equal_scores_are_never_parted() -> None:
    assert threshold_of(ranked([0.9, 0.5, 0.5], [True, True, False])) == 0.9


@pytest.mark.parametrize("of_species", [ranked([], []), ranked([], [], n_truth=3), ranked([0.9], [False])])
def test_where_no_cut_will_do_everything_is_missing(of_species: Ranking) -> None:
    assert threshold_of(of_species) is None


def test_duplicates_and_other_species_animals_are_errors_and_ignored_ones_are_nothing() -> None:
    truths = truth_rows(
        (1, "a1.png", A, UNIT),
        (2, "a1.png", B, (50, 0, 60, 10)),
        (3, "a1.png", A, (90, 0, 99, 9), True),
        (4, "a1.png", A, (20, 0, 30, 10)),
    )
    detections = detection_rows(
        ("a1.png", A, 0.9, UNIT),
        ("a1.png", A, 0.8, UNIT),
        ("a1.png", A, 0.7, (50, 0, 60, 10)),
        ("a1.png", A, 0.6, (90, 0, 99, 9)),
    )
    of_species = ranking(match(truths, detections, images={"a1.png": "a"}, species=SPECIES), A)
    accepted = accepted_at(of_species, 0.0, iou_percent=50)
    assert (accepted.n, accepted.errors, accepted.n_truth) == (3, 2, 2)
    assert threshold_of(of_species) == 0.9


def test_the_iou_matters() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT))
    detections = detection_rows(("a1.png", A, 0.9, (0, 0, 10, 7)))
    of_species = ranking(match(truths, detections, images={"a1.png": "a"}, species=SPECIES), A)
    assert threshold_of(of_species, iou_percent=70) == 0.9
    assert threshold_of(of_species, iou_percent=75) is None


def test_precision_and_recall_of_nothing_are_missing() -> None:
    precision, recall = precision_and_recall_at(ranked([0.3], [True], n_truth=4), 0.5, iou_percent=50)
    assert math.isnan(precision)
    assert recall == 0
    precision, recall = precision_and_recall_at(ranked([0.7], [False]), 0.5, iou_percent=50)
    assert precision == 0
    assert math.isnan(recall)


def test_it_breaks_its_promise_about_half_the_time() -> None:
    generator = np.random.default_rng(11)

    def true_precision(cut: float) -> float:
        # Of uniform scores s each right with probability s ** 0.2, the mean above the cut.
        return (1 - cut**1.2) / 1.2 / (1 - cut)

    below = 0
    for _ in range(400):
        scores = generator.random(600)
        found = threshold_of(ranked(scores, generator.random(600) < scores**0.2))
        below += found is not None and true_precision(found) < 0.95
    assert 0.35 < below / 400 < 0.75
