"""Clustering by slide: found where it is, near nothing where it is not, infinite where it cannot be seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from podura.evaluation.clustering import Counts, design_effect, slide_effect
from podura.evaluation.precision_tests import p_values
from simulated_studies import Setting, draw


def counts_of(setting: Setting, repeats: int, slides: int, seed: int = 1) -> Counts:
    part = draw(setting, slides, repeats, np.random.default_rng(seed))
    return part.counts(part.kept_quantiles(part.right, 20))


def even(slides: int, accepted: int, errors: int = 0) -> Counts:
    """One candidate, so many detections on each slide, the errors spread evenly over the first ones."""
    wrong = np.zeros((1, slides))
    wrong[0, :errors] = 1
    return Counts(np.full((1, slides), float(accepted)), wrong)


@pytest.mark.parametrize(("sigma", "low", "high"), [(0.0, 0.0, 0.05), (0.5, 0.15, 0.4), (0.8, 0.4, 0.95)])
def test_the_variance_of_slides_is_found(sigma: float, low: float, high: float) -> None:
    counts = counts_of(Setting("", 40, 50, sigma), 300, 40)
    # One standard error above the estimate, which the linear approximation draws down a little.
    assert low <= np.median(slide_effect([counts])) / (1 + math.sqrt(2 / 39)) <= high


def test_two_parts_tell_more_than_one() -> None:
    setting = Setting("", 20, 50, 0.8)
    one, other = counts_of(setting, 400, 20), counts_of(setting, 400, 15, seed=2)
    assert np.std(slide_effect([one, other])) < np.std(slide_effect([one]))


def test_the_design_effect_is_that_of_the_numbers_on_slides() -> None:
    counts, effect = even(20, 30), np.array(0.64)
    assert design_effect(counts, effect, 0.95) == pytest.approx([1 + 0.64 * 0.0475 * 29])
    assert design_effect(even(20, 1), effect, 0.95) == pytest.approx([1.0])
    # Unequal slides cluster more: the mean is weighted by detections.
    unequal = Counts(np.array([[100.0, *np.ones(500)]]), np.zeros((1, 501)))
    expected = 1 + 0.64 * 0.0475 * (100**2 + 500 - 600) / 600
    assert design_effect(unequal, effect, 0.95) == pytest.approx([expected])


def test_few_slides_count_for_less_by_student_s_quantile() -> None:
    effect = design_effect(even(8, 50), np.array(0.0), 0.95)
    assert effect == pytest.approx([(2.364624 / 1.965927) ** 2], rel=1e-5)
    assert design_effect(even(15, 50), np.array(0.0), 0.95) == pytest.approx([1.0])
    # Fourteen slides of which one holds most are as good as few.
    uneven = Counts(np.array([[700.0, *np.full(13, 5.0)]]), np.zeros((1, 14)))
    assert design_effect(uneven, np.array(0.0), 0.95)[0] > 10


def test_one_slide_proves_nothing() -> None:
    counts = even(1, 5000)
    effect = design_effect(counts, slide_effect([counts]), 0.95)
    assert p_values(counts.n, counts.wrong, effect, 0.95) == 1


def test_nothing_accepted_and_a_single_detection_prove_nothing() -> None:
    for counts in (even(5, 0), even(1, 1)):
        assert np.isinf(design_effect(counts, slide_effect([counts]), 0.95)).all()


def test_without_any_error_no_clustering_can_be_seen() -> None:
    counts = even(20, 50)
    assert slide_effect([counts, counts]) == 0
    assert design_effect(counts, slide_effect([counts]), 0.95) == 1


def test_errors_at_low_scores_and_on_validation_tell_of_clustering_among_the_accepted() -> None:
    # The strict candidate accepts no error; below it all errors are on two of 20 slides.
    accepted = np.stack([np.full(20, 20.0), np.full(20, 40.0)])
    errors = np.zeros((2, 20))
    errors[1, :2] = 20
    clustered = Counts(accepted, errors)
    assert design_effect(clustered, slide_effect([clustered]), 0.95)[0] > 2
    clean = Counts(accepted, np.zeros((2, 20)))
    assert slide_effect([clean]) == 0 < slide_effect([clean, clustered]) < slide_effect([clustered])


def test_slides_of_any_order_and_slides_without_detections_change_nothing() -> None:
    one = counts_of(Setting("", 20, 30, 0.8), 1, 20)
    order = np.random.default_rng(2).permutation(20)
    mixed = Counts(one.accepted[..., order], one.errors[..., order])
    padded = Counts(*(np.pad(c, ((0, 0), (0, 0), (0, 9))) for c in (one.accepted, one.errors)))
    for other in (mixed, padded):
        assert slide_effect([other]) == pytest.approx(slide_effect([one]))
        effect = slide_effect([one])
        assert design_effect(other, effect, 0.95) == pytest.approx(design_effect(one, effect, 0.95))
