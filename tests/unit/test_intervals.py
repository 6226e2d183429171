"""Intervals hold the truth as often as they say, where things cluster by slide and where errors are rare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podura.evaluation.intervals import (
    degrees_of_freedom,
    difference_interval,
    effective_number,
    effective_slides,
    logit_interval,
    proportion_interval,
    student,
)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=40),
    st.floats(0.5, 0.99),
)
def test_an_interval_of_a_share_holds_it_and_stays_within_0_and_1(slides, confidence: float) -> None:
    total = np.array([right + wrong for right, wrong in slides])
    right = np.array([right for right, _ in slides])
    low, high = proportion_interval(right, total, confidence=confidence)
    if np.count_nonzero(total) < 2:
        assert np.isnan([low, high]).all()
    else:
        assert 0 <= low <= right.sum() / total.sum() <= high <= 1
        assert low < high


def test_a_few_full_slides_tell_less_than_as_many_equal_ones() -> None:
    assert effective_slides(np.full(12, 7)) == pytest.approx(12)
    assert effective_slides(np.array([100, 1, 1, 1])) == 2
    assert effective_slides(np.array([9, 0, 0])) == 1
    total = np.array([40, 40, 40, 40, 5, 5, 5, 5, 5, 5])
    assert effective_slides(total) == pytest.approx(190**2 / (4 * 1600 + 6 * 25))
    even = proportion_interval(np.full(10, 17), np.full(10, 19), confidence=0.95)
    uneven = proportion_interval(total * 17 / 19, total, confidence=0.95)
    assert uneven[1] - uneven[0] > even[1] - even[0]


def test_things_that_cluster_count_as_fewer() -> None:
    total = np.full(20, 10)
    spread = np.full(20, 9)
    clustered = np.array([10] * 18 + [0] * 2)
    assert effective_number(spread, total) == 200
    # Two slides hold all errors: as good as one thing a slide.
    assert effective_number(clustered, total) == pytest.approx(20, rel=0.1)
    assert effective_number(total, total) == 200


def test_no_error_among_few_is_no_proof() -> None:
    few, many = (proportion_interval(np.full(10, n), np.full(10, n), confidence=0.95) for n in (1, 50))
    assert few[1] == many[1] == 1
    assert few[0] < 0.75
    assert many[0] > 0.98


@pytest.mark.parametrize(
    ("n_slides", "shape"), [(15, (8.0, 2.0)), (30, (8.0, 2.0)), (15, (60.0, 2.0)), (30, (60.0, 2.0))]
)
def test_shares_are_covered_where_slides_differ(n_slides: int, shape: tuple[float, float]) -> None:
    generator = np.random.default_rng(21)
    truth = shape[0] / sum(shape)
    covered = naive = 0
    for _ in range(600):
        total = generator.poisson(40, n_slides)
        right = generator.binomial(total, generator.beta(*shape, n_slides))
        low, high = proportion_interval(right, total, confidence=0.95)
        covered += low <= truth <= high
        share = right.sum() / total.sum()
        naive += abs(share - truth) <= 1.96 * np.sqrt(share * (1 - share) / total.sum())
    assert 0.92 < covered / 600 < 0.99
    assert covered > naive


def test_student_is_wider_than_normal_and_approaches_it() -> None:
    assert student(0.95, 14) == pytest.approx(2.1448, abs=1e-3)
    assert student(0.95, 1e6) == pytest.approx(1.95997, abs=1e-3)


def test_an_average_precision_keeps_its_interval_within_0_and_1() -> None:
    draws = np.clip(np.random.default_rng(0).normal(0.96, 0.04, 500), 0, 1)
    low, high = logit_interval(0.96, draws, degrees=9, n_truth=40, confidence=0.95)
    assert 0.7 < low < 0.96 < high < 1
    # Not symmetric: there is more room below.
    assert 0.96 - low > high - 0.96


def test_an_average_precision_without_spread_is_its_own_interval_and_without_slides_has_none() -> None:
    assert logit_interval(1.0, np.ones(50), degrees=5, n_truth=9, confidence=0.95) == (1, 1)
    for estimate, draws, degrees in (
        (0.5, np.full(5, np.nan), 5),
        (0.5, np.ones(5), 0),
        (np.nan, np.ones(5), 5),
    ):
        interval = logit_interval(estimate, draws, degrees=degrees, n_truth=9, confidence=0.95)
        assert np.isnan(interval).all()


def test_a_difference_is_wider_with_few_slides_and_leaves_missing_resamples_out() -> None:
    draws = np.append(np.random.default_rng(1).normal(0.1, 0.02, 4000), [np.nan] * 50)
    few, many = (difference_interval(0.1, draws, degrees=degrees, confidence=0.95) for degrees in (9, 900))
    assert many == pytest.approx((0.1 - 1.96 * 0.02, 0.1 + 1.96 * 0.02), abs=0.003)
    assert few[0] < many[0] < many[1] < few[1]
    assert np.isnan(difference_interval(0.1, np.full(5, np.nan), degrees=9, confidence=0.95)).all()


def test_degrees_of_freedom_lie_between_those_of_the_parts() -> None:
    assert degrees_of_freedom((1.0, 21), (0.0, 3)) == 20
    assert degrees_of_freedom((0.0, 21), (1.0, 3)) == 2
    assert 2 < degrees_of_freedom((1.0, 21), (1.0, 3)) < 22
    assert degrees_of_freedom((1.0, 21), (0.0, 1)) == 20
    assert degrees_of_freedom((1.0, 1)) == 0
