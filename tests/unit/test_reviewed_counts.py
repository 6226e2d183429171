"""Counts that rest on what people checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from podura.survey.checked import NOTHING, UNKNOWN, checked_samples, decided, score_bins
from podura.survey.evidence import gather
from podura.survey.reviewed import Reviewed, expectations
from simulated_reviews import decide, drawn_queue
from simulated_surveys import DENSITY, RECALL, SPECIES, Population, draw_slides, survey_detections


def reviewed(population, random, checks, targeted, images, samples=6):
    slides = draw_slides(Population(), 12, 2, 4, random)
    known = gather(slides.detections, slides.truths, slides.images, species=SPECIES, thresholds=np.zeros(6))
    edges = score_bins(slides.detections, SPECIES)
    expected = expectations(known, slides.detections, edges, SPECIES, 300, random)
    survey = draw_slides(population, samples, 2, 6, random, "new")
    queue = drawn_queue(survey, checks, targeted, images, random)
    decisions = decide(survey, queue)
    read = survey_detections(survey)
    found = checked_samples(read, survey.images, decisions, queue, species=SPECIES, edges=edges)
    return survey, Reviewed(found, expected), decisions


def test_checking_everything_leaves_the_truth_and_no_doubt():
    random = np.random.default_rng(1)
    survey, estimator, _ = reviewed(Population(), random, 10**6, 10**6, 10**6, samples=3)
    truth = survey.animals()
    for place, sample in enumerate(estimator.samples):
        assert sample.complete
        found = estimator.estimated(place, 50, random)
        low, high = found.interval(0.95)
        there = truth.loc[sample.sample].to_numpy()
        assert np.array_equal(found.estimate, there)
        assert np.array_equal(low, there)
        assert np.array_equal(high, there)


@pytest.mark.parametrize(
    "population",
    [
        Population(),
        Population(recall=RECALL * 0.6),
        Population(background=np.full(6, 1.0)),
        Population(density=DENSITY[::-1].copy()),
    ],
    ids=["as the annotated slides", "animals are missed more often", "more background", "other mix"],
)
def test_intervals_hold_even_where_the_sample_is_unlike_the_annotated_slides(population):
    inside, errors = [], []
    for repeat in range(4):
        random = np.random.default_rng([2, repeat])
        survey, estimator, _ = reviewed(population, random, 150, 40, 18)
        truth = survey.animals()
        for place, sample in enumerate(estimator.samples):
            found = estimator.estimated(place, 300, random)
            low, high = found.interval(0.95)
            there = truth.loc[sample.sample].to_numpy()
            inside.append((low <= there) & (there <= high))
            errors.append(found.estimate - there)
    assert np.mean(inside) >= 0.92
    # Less than 15 % of the animals, over all.
    assert abs(np.mean(errors)) < 0.15 * truth.to_numpy().mean()


def test_more_checks_tighten_and_no_searched_image_leaves_it_to_the_annotated_slides():
    widths = []
    for checks, images in ((60, 6), (400, 40)):
        random = np.random.default_rng(3)
        _, estimator, _ = reviewed(Population(), random, checks, 0, images)
        every = [estimator.estimated(place, 300, random).interval(0.95) for place in range(6)]
        widths.append(np.mean([high - low for low, high in every]))
        assert estimator.searched
    assert widths[1] < 0.7 * widths[0]
    _, estimator, _ = reviewed(Population(), np.random.default_rng(3), 60, 0, 0)
    assert not estimator.searched


def test_an_estimate_never_falls_below_what_people_have_confirmed():
    random = np.random.default_rng(4)
    _, estimator, decisions = reviewed(Population(), random, 40, 300, 10)
    confirmed = decisions[decisions["action"].isin(["accept", "species", "add"])]
    for place, sample in enumerate(estimator.samples):
        found = estimator.estimated(place, 200, random)
        known = confirmed[confirmed["sample"] == sample.sample]["species"].value_counts()
        least = known.reindex(SPECIES, fill_value=0).to_numpy()
        assert np.array_equal(sample.known + sample.added, least)
        assert (found.estimate >= least).all()
        assert (found.draws >= least).all()


def detections(*rows):
    columns = ["detection", "image", "slide", "sample", "species", "score"]
    return pd.DataFrame([(f"d{n}", "i", "s", "one", *row) for n, row in enumerate(rows)], columns=columns)


def decision(number, action, species=None, drawn="random", superseded=False):
    row = {"detection": None if number is None else f"d{number}", "image": "i", "sample": "one"}
    return {**row, "action": action, "species": species, "drawn": drawn, "superseded": superseded}


def test_verdicts_of_each_kind_of_decision():
    found = detections(("A", 0.9), ("A", 0.8), ("A", 0.7), ("B", 0.6), ("B", 0.5), ("B", 0.4))
    made = pd.DataFrame(
        [
            decision(0, "accept"),
            decision(1, "species", "B"),
            decision(2, "reject"),
            decision(3, "unsure"),
            decision(4, "accept", drawn="targeted"),
            decision(5, "reject", superseded=True),
        ]
    )
    verdicts = decided(found, made, ("A", "B"))
    assert verdicts["verdict"].tolist() == [0, 1, NOTHING, UNKNOWN, 1, UNKNOWN]
    assert verdicts["random"].tolist() == [True, True, True, False, False, False]


def images(*names, done=()):
    return pd.DataFrame(
        {"image": names, "slide": "s", "sample": "one", "site": "", "status": "ok"}, index=range(len(names))
    )


def test_without_any_decision_nothing_is_known():
    found = detections(("A", 0.9))
    none = pd.DataFrame(columns=["detection", "image", "sample", "action", "species", "drawn", "superseded"])
    (one,) = checked_samples(
        found, images("i", "j"), none, None, species=("A", "B"), edges=score_bins(None, ("A", "B"))
    )
    assert not one.complete
    assert one.n_random == 0
    assert one.unchecked.sum() == 1
    assert one.images == 2
    assert not one.checked.any()


def test_a_sample_without_detections_is_complete_once_its_images_are_searched():
    searched = pd.DataFrame([decision(None, "image_done")])
    (one,) = checked_samples(
        detections().iloc[:0], images("i"), searched, None, species=("A",), edges=score_bins(None, ("A",))
    )
    assert one.complete
    random = np.random.default_rng(5)
    expected = expectations(None, None, score_bins(None, ("A",)), ("A",), 50, random)
    found = Reviewed([one], expected).estimated(0, 50, random)
    assert found.estimate.tolist() == [0.0]
    assert not found.draws.any()


def test_checks_stand_for_unchecked_detections_by_their_chance():
    rows = [("A", 0.9)] * 10
    queue = pd.DataFrame(
        {
            "detection": ["d0", "d1", "d2", "d3"],
            "reason": "random",
            "probability": [0.9, 0.9, 0.1, 0.1],
        }
    )
    made = pd.DataFrame(
        [decision(0, "accept"), decision(1, "accept"), decision(2, "reject"), decision(3, "reject")]
    )
    (one,) = checked_samples(
        detections(*rows), images("i"), made, queue, species=("A",), edges=score_bins(None, ("A",))
    )
    share = one.checked[0, 3] / one.checked[0, 3].sum()
    # Weights (1 - p) / p: a ninth each of the accepted, nine each of the rejected.
    assert share[1] == pytest.approx(9 / (9 + 1 / 9))
    assert one.checked.sum() <= 4


def test_added_animals_on_an_image_not_searched_are_a_lower_bound_only():
    made = pd.DataFrame([decision(None, "add", "B")])
    (one,) = checked_samples(
        detections(("A", 0.9)),
        images("i"),
        made,
        None,
        species=("A", "B"),
        edges=score_bins(None, ("A", "B")),
    )
    assert one.added.tolist() == [0, 1]
    assert one.added_searched.tolist() == [0, 0]
    assert one.missed_random.tolist() == [0, 0]
    random = np.random.default_rng(6)
    expected = expectations(None, None, score_bins(None, ("A", "B")), ("A", "B"), 50, random)
    estimator = Reviewed([replace(one, n_random=1)], expected)
    assert estimator.estimated(0, 50, random).estimate[1] >= 1
