"""Comparisons are paired, hold for all pairs at once, and say what the slides can tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from podura.evaluation.comparison import (
    ComparisonSettings,
    comparisons_table,
    rank_chances,
    ranks_table,
)
from podura.evaluation.draws import Draws, load_draws, over_seeds, save_draws, variance_of_seeds

SETTINGS = ComparisonSettings(confidence=0.95, random_seed=7, n_slides=20)


def draws(values: np.ndarray) -> Draws:
    """Of a model with one species, from (seeds, 1 + resamples)."""
    values = np.asarray(values, dtype=float)[:, None, :]
    seeds = tuple(range(1, len(values) + 1))
    return Draws(seeds, ("A",), np.array([50]), values, values)


def slides_study(generator: np.random.Generator, effects, *, n_seeds=3, seed_sd=0.01, resamples=400):
    """Models whose score on a slide is the slide's ease + the model's effect + noise."""
    n_slides = SETTINGS.n_slides
    ease = generator.normal(0.6, 0.1, n_slides)
    weights = generator.multinomial(n_slides, np.full(n_slides, 1 / n_slides), size=resamples)
    weights = np.concatenate([np.ones((1, n_slides)), weights]) / n_slides
    found = {}
    for name, effect in effects.items():
        of_seed = generator.normal(0, seed_sd, n_seeds)[:, None]
        scores = ease + effect + of_seed + generator.normal(0, 0.03, (n_seeds, n_slides))
        found[name] = draws(scores @ weights.T)
    return found


def test_a_clear_difference_is_told_and_a_small_one_is_not() -> None:
    found = slides_study(np.random.default_rng(0), {"weak": -0.1, "strong": 0.0, "alike": 0.001})
    labels = {"weak": "Weak", "strong": "Strong", "alike": "Alike"}
    table = comparisons_table(found, labels, SETTINGS).set_index(["model", "other"])
    assert len(table) == 3
    decided = table[table["verdict"] == "better"]
    assert {other for _, other in decided.index} == {"weak"}
    assert decided["statement"].str.contains("is better than Weak on slides like these").all()
    undecided = table[table["verdict"] == "undecided"].iloc[0]
    assert "do not tell" in undecided["statement"]
    assert undecided["difference_low"] < 0 < undecided["difference_high"]
    assert (table["joint_low"] < table["difference_low"]).all()
    assert (table["joint_high"] > table["difference_high"]).all()
    assert (table["difference"] >= 0).all()


def test_the_difference_is_paired_so_that_hard_slides_do_not_blur_it() -> None:
    found = slides_study(np.random.default_rng(3), {"a": 0.03, "b": 0.0}, n_seeds=1)
    row = comparisons_table(found, {"a": "A", "b": "B"}, SETTINGS).iloc[0]
    own_width = np.quantile(found["a"].ap50_95[0, 0, 1:], 0.975) - np.quantile(
        found["a"].ap50_95[0, 0, 1:], 0.025
    )
    assert row["difference_high"] - row["difference_low"] < own_width / 1.5


@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(1, 0.0), (3, 0.01), (5, 0.01)])
def test_two_equal_models_are_told_apart_no_more_often_than_stated(n_seeds: int, seed_sd: float) -> None:
    generator = np.random.default_rng(5 + n_seeds)
    outside = 0
    for _ in range(500):
        found = slides_study(generator, {"a": 0.0, "b": 0.0}, n_seeds=n_seeds, seed_sd=seed_sd, resamples=300)
        row = comparisons_table(found, {"a": "A", "b": "B"}, SETTINGS).iloc[0]
        outside += not row["difference_low"] <= 0 <= row["difference_high"]
    assert outside / 500 < 0.09


def test_of_many_equal_models_hardly_ever_one_is_called_better() -> None:
    generator = np.random.default_rng(11)
    effects = dict.fromkeys("abcdef", 0.0)
    labels = {name: name for name in effects}
    false = sum(
        (comparisons_table(slides_study(generator, effects), labels, SETTINGS)["verdict"] == "better").any()
        for _ in range(100)
    )
    assert false <= 12


def test_one_seed_is_told_of() -> None:
    found = slides_study(np.random.default_rng(0), {"weak": -0.1, "strong": 0.0}, n_seeds=1)
    row = comparisons_table(found, {"weak": "Weak", "strong": "Strong"}, SETTINGS).iloc[0]
    assert row["statement"].endswith("with one seed, what another seed would change is not in it.")


def test_one_slide_tells_nothing() -> None:
    found = {"a": draws([[0.7, 0.7, 0.7]]), "b": draws([[0.5, 0.5, 0.5]])}
    row = comparisons_table(found, {"a": "A", "b": "B"}, ComparisonSettings(0.95, 1, 1)).iloc[0]
    assert pd.isna(row["difference_low"])
    assert row["verdict"] == "undecided"
    assert "too few slides" in row["statement"]


def test_one_model_has_no_pair_and_is_the_best() -> None:
    found = {"a": draws([[0.7, 0.6, 0.8]])}
    assert comparisons_table(found, {"a": "A"}, SETTINGS).empty
    assert ranks_table(found, SETTINGS)["chance"].tolist() == [1.0]


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.sampled_from([0.1, 0.2, 0.3]))
)
@settings(deadline=None)
def test_chances_of_ranks_add_up_both_ways(values: np.ndarray) -> None:
    chances = rank_chances(values)
    np.testing.assert_allclose(chances.sum(axis=0), 1)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    # Equal models share their ranks; better in all draws is first.
    order = np.lexsort((np.arange(len(values)), -values.mean(axis=1)))
    best = order[0]
    others = np.delete(values, best, axis=0)
    if (values[best] > others).all():
        assert chances[best, 0] == 1


def test_seeds_spread_as_much_as_they_do() -> None:
    generator = np.random.default_rng(2)
    spreads = []
    for trial in range(300):
        of_seeds = np.repeat(generator.normal(0.5, 0.05, (3, 1)), 400, axis=1)
        spreads.append(np.var(over_seeds(of_seeds, trial, "m")[1:]))
    # The variance of a mean of three is a third of that of one.
    assert np.mean(spreads) == pytest.approx(0.05**2 / 3, rel=0.15)


def test_what_slides_do_to_seeds_is_not_counted_twice() -> None:
    # Equally good seeds, each with its own luck on twenty slides: all that spreads comes from slides.
    generator = np.random.default_rng(4)
    found = [
        variance_of_seeds(slides_study(generator, {"a": 0.0}, seed_sd=0.0)["a"].means("map50_95"))
        for _ in range(200)
    ]
    between = [
        np.var(slides_study(generator, {"a": 0.0}, seed_sd=0.0)["a"].means("map50_95")[:, 0], ddof=1)
        for _ in range(200)
    ]
    assert np.mean(found) < 0.5 * np.mean(between)


def test_draws_survive_their_file_and_are_the_same_bytes(tmp_path) -> None:
    one = draws(np.random.default_rng(0).random((2, 5)))
    for name in ("first", "second"):
        save_draws(one, tmp_path / f"{name}.npz")
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    again = load_draws(tmp_path / "first.npz")
    assert (again.seeds, again.species) == (one.seeds, one.species)
    np.testing.assert_array_equal(again.ap50, one.ap50)
