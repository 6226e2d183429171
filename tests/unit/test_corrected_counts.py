"""Counts corrected by annotated slides: exact where nothing is uncertain, honest where little is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from podura.survey.correction import Corrector, Counted, expected_animals, interval
from podura.survey.evidence import Evidence, counting_thresholds, gather, image_areas
from podura.survey.parameters import (
    draw_parameters,
    mean_parameters,
    slide_weights,
    spread_between_slides,
)
from simulated_surveys import SPECIES, Population, draw_slides

ZERO = np.zeros(2)


def evidence(slides: int, animals, found, background=(0.0, 0.0), again=None) -> Evidence:
    """The same on every slide: animals and background (species,), found (species, species)."""
    size = len(animals)
    return Evidence(
        species=tuple("AB"[:size]),
        slides=tuple(f"s{number}" for number in range(slides)),
        thresholds=np.zeros(size),
        animals=np.tile(np.array(animals, dtype=float), (slides, 1)),
        found=np.tile(np.array(found, dtype=float), (slides, 1, 1)),
        again=np.tile(np.zeros((size, size)) if again is None else np.array(again, float), (slides, 1, 1)),
        background=np.tile(np.array(background, dtype=float), (slides, 1)),
        area=np.ones(slides),
    )


def test_the_estimate_solves_for_misses_mistakes_and_background():
    per_animal = np.array([[0.7, 0.2], [0.1, 0.8]])
    background = np.array([2.0, 5.0])
    truth = np.array([40.0, 10.0])
    found = expected_animals(truth @ per_animal + background, per_animal, background)
    np.testing.assert_allclose(found, truth, rtol=1e-3)


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, 3, elements=st.integers(0, 200)), st.integers(0, 2**32 - 1))
def test_an_estimate_is_never_negative_and_explains_no_more_than_was_detected(counts, seed):
    random = np.random.default_rng(seed)
    per_animal = random.dirichlet(np.ones(4), size=3)[:, :3]
    background = random.gamma(1.0, 2.0, size=3)
    animals = expected_animals(counts, per_animal, background)
    assert (animals >= 0).all()
    assert (animals @ per_animal).sum() <= counts.sum() * (1 + 1e-6) + 1e-6


def test_detections_that_background_explains_are_no_animals():
    animals = expected_animals(np.array([3]), np.array([[0.9]]), np.array([6.0]))
    assert animals[0] < 0.01


def test_a_detector_without_faults_leaves_the_count_with_a_narrow_interval():
    plenty = evidence(200, [20, 20], np.eye(2) * 20)
    random = np.random.default_rng(1)
    found = Corrector(plenty, random, 500).estimated(Counted(np.array([[30, 4]]), np.ones(1)), random)
    low, high = found.interval(0.95)
    np.testing.assert_allclose(found.estimate, [30, 4], rtol=0.02)
    assert (high - low <= 4).all()


def test_a_missed_share_is_added_and_a_confused_one_is_moved():
    known = evidence(50, [20, 20], [[12, 4], [0, 16]])
    random = np.random.default_rng(1)
    # 100 and 50 animals give 60 detections of A, and 20 + 40 of B.
    found = Corrector(known, random, 500).estimated(Counted(np.array([[60, 60]]), np.ones(1)), random)
    np.testing.assert_allclose(found.estimate, [100, 50], rtol=0.02)
    low, high = found.interval(0.95)
    assert low[0] < 100 < high[0]
    assert low[1] < 50 < high[1]


def test_no_detection_does_not_prove_that_there_is_no_animal():
    known = evidence(10, [10, 10], [[5, 0], [0, 10]])
    random = np.random.default_rng(2)
    found = Corrector(known, random, 1000).estimated(Counted(np.array([[0, 0]]), np.ones(1)), random)
    low, high = found.interval(0.95)
    assert (low == 0).all()
    assert found.estimate[0] == pytest.approx(0, abs=1e-3)
    # Half of the animals of A are missed, hardly one of B.
    assert high[0] >= 1
    assert high[0] > high[1]


def test_a_species_that_the_evidence_never_shows_has_the_widest_interval():
    known = evidence(20, [10, 0], [[8, 0], [0, 0]])
    random = np.random.default_rng(3)
    found = Corrector(known, random, 1000).estimated(Counted(np.array([[20, 20]]), np.ones(1)), random)
    low, high = found.interval(0.95)
    assert np.isfinite(found.estimate).all()
    assert found.estimate[1] == pytest.approx(25, rel=0.15)
    assert high[1] - low[1] > 2 * (high[0] - low[0])


def test_few_slides_make_wide_intervals():
    random = np.random.default_rng(4)
    widths = []
    for slides in (3, 60):
        known = evidence(slides, [10, 10], [[8, 0], [0, 8]])
        uneven = known.found.copy()
        uneven[::2, 0, 0] = 6
        uneven[1::2, 0, 0] = 10
        known = Evidence(**{**known.__dict__, "found": uneven})
        found = Corrector(known, random, 1000).estimated(Counted(np.array([[80, 0]]), np.ones(1)), random)
        low, high = found.interval(0.95)
        widths.append(high[0] - low[0])
    assert widths[0] > 1.3 * widths[1]


def test_animals_of_one_slide_vary_more_than_the_same_on_many():
    base = Population(effect=1.5)
    random = np.random.default_rng(5)
    slides = draw_slides(base, 30, 2, 4, random)
    thresholds = counting_thresholds(slides.detections, slides.truths, SPECIES)
    known = gather(slides.detections, slides.truths, slides.images, species=SPECIES, thresholds=thresholds)
    corrector = Corrector(known, random, 1500)
    one = Counted(np.array([[60] * 6]), np.ones(1) * known.area.mean())
    many = Counted(np.array([[6] * 6] * 10), np.ones(10) * known.area.mean() / 10)
    width = [np.subtract(*corrector.estimated(at, random).interval(0.95)[::-1]).mean() for at in (one, many)]
    assert width[0] > 1.15 * width[1]


def test_second_detections_of_an_animal_follow_the_animals_and_not_the_area():
    boxes = {"x_min": 0.0, "y_min": 0.0, "x_max": 10.0, "y_max": 10.0}
    where = {"image": "i", "slide": "s"}
    truths = pd.DataFrame([{**where, **boxes, "species": "A", "found_species": "A", "found_score": 0.9}])
    detections = pd.DataFrame(
        [
            {**where, **boxes, "species": "A", "score": 0.9, "truth_species": "A"},
            {**where, **boxes, "x_min": 3.0, "species": "B", "score": 0.6, "truth_species": None},
            {**where, "x_min": 50.0, "y_min": 50.0, "x_max": 60.0, "y_max": 60.0, "species": "B"}
            | {"score": 0.6, "truth_species": None},
            {**where, **boxes, "x_min": 4.0, "species": "B", "score": 0.2, "truth_species": None},
        ]
    )
    images = pd.DataFrame([{**where, "width": 1000, "height": 500, "um_per_pixel": 2.0}])
    known = gather(detections, truths, images, species="AB", thresholds=np.array([0.5, 0.5]))
    assert known.animals.tolist() == [[1, 0]]
    assert known.found[0].tolist() == [[1, 0], [0, 0]]
    assert known.again[0].tolist() == [[0, 1], [0, 0]]
    assert known.background.tolist() == [[0, 1]]
    assert known.area.tolist() == [2.0]
    assert known.area_unit == "mm²"


def test_an_animal_found_below_the_counting_score_is_missed():
    where = {"image": "i", "slide": "s", "x_min": 0.0, "y_min": 0.0, "x_max": 10.0, "y_max": 10.0}
    truths = pd.DataFrame([{**where, "species": "A", "found_species": "A", "found_score": 0.3}])
    detections = pd.DataFrame([{**where, "species": "A", "score": 0.3, "truth_species": "A"}])
    images = pd.DataFrame([{"image": "i", "slide": "s", "width": 10, "height": 10, "um_per_pixel": pd.NA}])
    known = gather(detections, truths, images, species="A", thresholds=np.array([0.5]))
    assert known.found.sum() == 0
    assert known.background.sum() == 0
    assert known.area_unit == "megapixels"


def test_areas_count_only_images_of_known_size():
    images = pd.DataFrame({"width": [100, None], "height": [100, None], "um_per_pixel": [10.0, None]})
    images = images.astype("Float64")
    assert image_areas(images, in_mm2=True).tolist() == [1.0, 0.0]
    assert image_areas(images, in_mm2=False).tolist() == [0.01, 0.0]


def test_a_counting_score_parts_animals_from_nothing():
    random = np.random.default_rng(6)
    slides = draw_slides(Population(), 20, 2, 4, random)
    thresholds = counting_thresholds(slides.detections, slides.truths, SPECIES)
    assert ((thresholds > 0.25) & (thresholds < 0.75)).all()
    assert counting_thresholds(slides.detections.iloc[:0], slides.truths, ("A",)).tolist() == [0.5]


def test_weights_of_slides_spread_as_student_asks():
    from scipy.stats import t

    random = np.random.default_rng(7)
    for slides in (8, 20, 60):
        values = np.arange(slides, dtype=float)
        weights = slide_weights(slides, 20_000, random)
        means = weights @ values / weights.sum(axis=1)
        expected = values.std(ddof=1) / np.sqrt(slides) * t.ppf(0.975, slides - 1) / 1.96
        assert means.std() == pytest.approx(expected, rel=0.06)


def test_draws_centre_on_the_mean_parameters():
    known = evidence(40, [10, 5], [[8, 1], [0, 4]], background=(1.0, 0.5), again=[[1, 0], [0, 0]])
    mean, drawn = mean_parameters(known), draw_parameters(known, 4000, np.random.default_rng(8))
    np.testing.assert_allclose(drawn.found.mean(axis=0), mean.found, atol=0.01)
    np.testing.assert_allclose(drawn.again.mean(axis=0), mean.again, atol=0.01)
    np.testing.assert_allclose(drawn.background.mean(axis=0), mean.background, atol=0.03)
    assert (drawn.found.sum(axis=2) <= 1 + 1e-9).all()


def test_spread_between_slides_is_seen_where_it_is():
    random = np.random.default_rng(9)
    spreads = []
    for effect, variation in ((0.01, 0.02), (1.5, 1.5)):
        drawn = draw_slides(
            Population(effect=effect, background_variation=variation, background=np.full(6, 1.5)),
            60,
            1,
            4,
            random,
        )
        known = gather(drawn.detections, drawn.truths, drawn.images, species=SPECIES, thresholds=np.zeros(6))
        spreads.append(spread_between_slides(known))
    assert spreads[1].likeness.mean() > 3 * spreads[0].likeness.mean()
    assert spreads[1].variation.mean() > 5 * spreads[0].variation.mean()


def test_the_same_generator_gives_the_same_animals():
    known = evidence(10, [10, 5], [[8, 1], [0, 4]])
    draws = []
    for _ in range(2):
        random = np.random.default_rng(10)
        draws.append(Corrector(known, random, 100).estimated(Counted(np.array([[7, 3]]), np.ones(1)), random))
    assert np.array_equal(draws[0].draws, draws[1].draws)


def test_an_interval_always_holds_its_estimate():
    low, high = interval(np.array([[5], [6], [7]]), np.array([9.5]), 0.95)
    assert low[0] == 5
    assert high[0] == 9.5


@pytest.mark.parametrize("change", [{}, {"density": 4.0}, {"density": 0.25}, {"mix": True}])
def test_intervals_hold_the_truth_in_samples_of_other_density_and_mix(change):
    from dataclasses import replace

    base = Population()
    density = base.density * change.get("density", 1.0)
    other = replace(base, density=density[::-1].copy() if change.get("mix") else density)
    inside, corrected, naive = [], [], []
    for repeat in range(6):
        random = np.random.default_rng([11, repeat])
        slides = draw_slides(base, 12, 2, 4, random)
        thresholds = counting_thresholds(slides.detections, slides.truths, SPECIES)
        corrector = Corrector(
            gather(slides.detections, slides.truths, slides.images, species=SPECIES, thresholds=thresholds),
            random,
            300,
        )
        survey = draw_slides(other, 4, 2, 4, random, "new")
        truth = survey.animals()
        for sample in truth.index:
            rows = survey.detections[survey.detections["sample"] == sample]
            pictures = survey.images[survey.images["sample"] == sample]
            counts = [
                [
                    ((of_slide["species"] == code) & (of_slide["score"] >= least)).sum()
                    for code, least in zip(SPECIES, thresholds, strict=True)
                ]
                for of_slide in (rows[rows["slide"] == slide] for slide in pictures["slide"].unique())
            ]
            counted = Counted(np.array(counts), image_areas(pictures, in_mm2=True).reshape(2, -1).sum(axis=1))
            found = corrector.estimated(counted, random)
            low, high = found.interval(0.95)
            there = truth.loc[sample].to_numpy()
            inside.append((low <= there) & (there <= high))
            corrected.append(found.estimate - there)
            naive.append(counted.total - there)
    assert np.mean(inside) >= 0.93
    assert abs(np.sum(corrected)) < 0.5 * abs(np.sum(naive)) or change.get("density") == 0.25
