"""Diversity of counts and of draws of counts, beside scikit-bio."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from podura.survey.diversity import INDICES, diversity, diversity_intervals

alpha = pytest.importorskip("skbio.diversity.alpha")


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 500)).filter(lambda one: one.sum() > 0))
def test_indices_are_those_of_scikit_bio(counts):
    expected = [
        alpha.sobs(counts),
        alpha.shannon(counts, base=np.e),
        alpha.simpson(counts),
        *(alpha.hill(counts, order=order) for order in (0, 1, 2)),
    ]
    np.testing.assert_allclose(diversity(counts), expected, atol=1e-9)


def test_an_empty_sample_has_no_species_and_nothing_else():
    values = dict(zip(INDICES, diversity(np.zeros(4)), strict=True))
    assert values["richness"] == 0
    assert values["hill_0"] == 0
    assert all(np.isnan(values[name]) for name in ("shannon", "simpson", "hill_1", "hill_2"))


def test_a_fraction_of_an_animal_is_no_species():
    assert diversity(np.array([10.0, 0.3, 2.0]))[0] == 2


def test_intervals_come_from_draws_and_hold_the_value():
    random = np.random.default_rng(1)
    draws = random.poisson([20, 10, 5, 0.2], size=(2000, 4))
    value, low, high = diversity_intervals(np.array([20.0, 10.0, 5.0, 0.2]), draws, 0.95)
    assert (low <= value).all()
    assert (value <= high).all()
    assert low[0] == 3
    assert high[0] == 4
    assert high[1] - low[1] > 0.1


def test_draws_without_animals_say_nothing_of_evenness():
    value, low, high = diversity_intervals(np.zeros(2), np.array([[0, 0], [1, 0]]), 0.95)
    assert (value[0], low[0], high[0]) == (0, 0, 1)
    assert np.isnan(value[1])
    assert np.isnan([low[1], high[1]]).all()
