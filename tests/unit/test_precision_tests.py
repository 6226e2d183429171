"""The tests of a precision: exact without clustering, beta-binomial with it, and bounds that invert them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, binomtest

from podura.evaluation.precision_tests import clopper_pearson_lower, p_values, precision_lower


@given(n=st.integers(1, 400), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_clopper_pearson_is_that_of_scipy(n: int, share: float) -> None:
    right = round(share * n)
    expected = binomtest(right, n, alternative="greater").proportion_ci(0.95, "exact").low
    assert clopper_pearson_lower(right, n) == pytest.approx(expected, abs=1e-9)
    assert precision_lower(n, n - right, 1.0, 0.05) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("errors", "n"), [(0, 59), (1, 93), (2, 124), (3, 153), (5, 208), (10, 336)])
def test_smallest_numbers_that_prove_95_percent(errors: int, n: int) -> None:
    assert p_values(n, errors, 1.0, 0.95) <= 0.05 < p_values(n - 1, errors, 1.0, 0.95)
    assert precision_lower(n, errors, 1.0, 0.05) >= 0.95 > precision_lower(n - 1, errors, 1.0, 0.05)


@pytest.mark.parametrize(("errors", "n"), [(0, 107), (1, 150), (2, 187), (3, 221), (5, 284), (10, 429)])
def test_smallest_numbers_jointly_for_twelve_species(errors: int, n: int) -> None:
    level = 0.05 / 12
    assert p_values(n, errors, 1.0, 0.95) <= level < p_values(n - 1, errors, 1.0, 0.95)


@given(n=st.integers(2, 3000), share=st.floats(0, 1), effect=st.floats(1.01, 40))
@settings(max_examples=150, deadline=None)
def test_with_clustering_it_is_the_beta_binomial(n: int, share: float, effect: float) -> None:
    errors = math.floor(0.0499 * share * n)
    effect = min(effect, 0.9 * n)
    if effect <= 1:
        return
    size = (n - 1) / (effect - 1) - 1
    expected = float(betabinom.cdf(errors, n, 0.05 * size, 0.95 * size))
    exact = float(binom.cdf(errors, n, 0.05))
    assert float(p_values(n, errors, effect, 0.95)) == pytest.approx(
        max(expected, exact), rel=1e-6, abs=1e-12
    )


def test_the_variance_is_larger_by_the_design_effect() -> None:
    n, effect = 400, 3.0
    size = (n - 1) / (effect - 1) - 1
    assert betabinom.var(n, 0.05 * size, 0.95 * size) == pytest.approx(effect * binom.var(n, 0.05))


@given(n=st.integers(1, 800), share=st.floats(0, 0.2), effect=st.floats(1, 20), level=st.floats(0.001, 0.2))
@settings(max_examples=150, deadline=None)
def test_the_bound_reaches_the_target_where_the_test_passes_and_only_there(n, share, effect, level) -> None:
    errors = int(share * n)
    bound = precision_lower(n, errors, effect, level)
    p = float(p_values(n, errors, effect, 0.95))
    if abs(bound - 0.95) > 1e-9:
        assert (bound > 0.95) == (p <= level)
    assert 0 <= bound <= 1 - errors / n


def test_more_clustering_more_errors_and_fewer_detections_prove_less() -> None:
    effects = p_values(300, 3, np.linspace(1, 30, 40), 0.95)
    assert (np.diff(effects) >= 0).all()
    assert (np.diff(p_values(300, np.arange(14), 2.0, 0.95)) > 0).all()
    assert (np.diff(p_values(np.arange(60, 600, 20), 2, 2.0, 0.95)) < 0).all()


@pytest.mark.parametrize(
    ("n", "errors", "effect"),
    [(0, 0, 1.0), (50, 50, 1.0), (100, 5, 1.0), (100, 0, math.inf)],
)
def test_what_proves_nothing_has_the_p_value_1(n: int, errors: int, effect: float) -> None:
    assert p_values(n, errors, effect, 0.95) == 1
    if errors == n or math.isinf(effect):
        assert precision_lower(n, errors, effect, 0.05) == 0


def test_detections_that_are_all_one_prove_as_much_as_one() -> None:
    assert p_values(50, 0, 50.0, 0.95) == pytest.approx(0.95, abs=1e-6)


def test_any_axes_will_do() -> None:
    n, errors = np.full((2, 3, 4), 200), np.arange(4)
    together = p_values(n, errors, 1.5, 0.95)
    assert together.shape == (2, 3, 4)
    assert together[1, 2, 3] == p_values(200, 3, 1.5, 0.95)
