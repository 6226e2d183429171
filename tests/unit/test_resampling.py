"""Resampling slides by weights is the same as drawing slides, and its intervals cover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_data import SPECIES, hostile_study, slide_study
from podura.errors import UserError
from podura.evaluation import kernels
from podura.evaluation.average_precision import (
    RECALL_POINTS,
    average_precision,
    average_precision_coco,
    mean_average_precision,
    precision_recall,
)
from podura.evaluation.draws import draws_of
from podura.evaluation.matching import match
from podura.evaluation.ranking import Ranking, ranking
from podura.evaluation.resampling import (
    counts_at_thresholds,
    nan_mean,
    resampled_average_precisions,
    slide_weights,
)
from podura.evaluation.thresholds import precision_and_recall_at
from podura.tables import IOU_PERCENTS


def study(seed: int, n_images: int = 12, n_truth: int = 60, n_detections: int = 100):
    """A study whose scores are all different, so that copies of slides have one order only."""
    generator = np.random.default_rng(seed)
    truths, detections, images = slide_study(
        generator, n_images=n_images, n_truth=n_truth, n_detections=n_detections
    )
    detections["score"] = (1 + generator.permutation(n_detections)) / (n_detections + 1)
    return truths, detections, images


def drawn(truths, detections, images, weight: dict[str, int]):
    """The study that holds every slide as often as its weight says, under names of their own."""

    def copies(frame: pd.DataFrame) -> pd.DataFrame:
        parts = [
            frame[frame["slide"] == slide].assign(
                image=lambda f, n=n: f["image"] + f"~{n}", slide=lambda f, n=n: f["slide"] + f"~{n}"
            )
            for slide, times in weight.items()
            for n in range(times)
        ]
        return pd.concat(parts, ignore_index=True)

    renamed = {
        f"{image}~{n}": f"{slide}~{n}" for image, slide in images.items() for n in range(weight[slide])
    }
    many = copies(truths)
    return many.assign(id=range(1, len(many) + 1)), copies(detections), renamed


def weighted_shares(of_species: Ranking, threshold: float, slides, weight) -> tuple[float, float]:
    """Precision and recall of a threshold in one resample."""
    counts = counts_at_thresholds([(of_species, threshold)], 50, slides)
    right, accepted, truths = (
        int(weight @ of_slides) for of_slides in (counts.right, counts.accepted, counts.truths)
    )
    return right / accepted if accepted else np.nan, right / truths if truths else np.nan


def mean_of_draws(matches: pd.DataFrame, slides, weights) -> np.ndarray:
    """mAP50 and mAP50:95 (2, 1 + resamples); the first is that of all slides as they are."""
    draws = draws_of([(1, matches)], species=SPECIES, slides=slides, weights=weights)
    return np.array([draws.means(metric)[0] for metric in ("map50", "map50_95")])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_weights_of_one_give_the_plain_figures(seed: int) -> None:
    truths, detections, images = hostile_study(np.random.default_rng(seed))
    matches = match(truths, detections, images=images, species=SPECIES)
    slides = sorted(set(images.values()))
    once = np.ones((1, len(slides)), dtype=np.int64)
    for code in SPECIES:
        of_species = ranking(matches, code)
        plain = average_precision(of_species)
        (drawn_once,) = resampled_average_precisions(of_species, slides, once)
        np.testing.assert_allclose(
            [drawn_once[0], drawn_once.mean()], [plain.ap50, plain.ap50_95], rtol=0, atol=1e-12
        )
        assert weighted_shares(of_species, 0.5, slides, once[0]) == pytest.approx(
            precision_and_recall_at(of_species, 0.5, iou_percent=50), nan_ok=True
        )
    np.testing.assert_allclose(
        mean_of_draws(matches, slides, once)[:, 1],
        mean_average_precision(matches, SPECIES),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_weight_is_as_many_copies_of_the_slide(seed: int) -> None:
    truths, detections, images = study(seed)
    slides = sorted(set(images.values()))
    weights = slide_weights(slides, resamples=1, generator=np.random.default_rng(seed))
    matches = match(truths, detections, images=images, species=SPECIES)
    copied = drawn(truths, detections, images, dict(zip(slides, weights[0], strict=True)))
    of_copies = match(*copied[:2], images=copied[2], species=SPECIES)
    for code in SPECIES:
        weighted, expected = ranking(matches, code), ranking(of_copies, code)
        plain = [average_precision_coco(precision_recall(expected, percent)) for percent in IOU_PERCENTS]
        (once,) = resampled_average_precisions(weighted, slides, weights)
        np.testing.assert_allclose(once, plain, rtol=0, atol=1e-12)
        assert weighted_shares(weighted, 0.4, slides, weights[0]) == pytest.approx(
            precision_and_recall_at(expected, 0.4, iou_percent=50), nan_ok=True
        )
    np.testing.assert_allclose(
        mean_of_draws(matches, slides, weights)[:, 1],
        mean_average_precision(of_copies, SPECIES),
        rtol=0,
        atol=1e-12,
    )


def test_a_resample_without_truth_is_missing_and_leaves_the_mean() -> None:
    truths, detections, images = study(1)
    slides = sorted(set(images.values()))
    # The first species keeps its truth on the first slide only.
    kept = truths[(truths["species"] != SPECIES[0]) | (truths["slide"] == slides[0])]
    matches = match(kept, detections, images=images, species=SPECIES)
    weights = np.ones((2, len(slides)), dtype=np.int64)
    weights[1, 0] = 0
    each = [resampled_average_precisions(ranking(matches, code), slides, weights)[:, 0] for code in SPECIES]
    assert np.isnan(each[0]).tolist() == [False, True]
    mean = mean_of_draws(matches, slides, weights)[0, 1:]
    assert mean.tolist() == pytest.approx([np.mean([ap[0] for ap in each]), (each[1][1] + each[2][1]) / 2])


def test_draws_are_paired_whole_and_of_equal_chance() -> None:
    slides = [f"slide-{i:02d}" for i in range(10)]
    first = slide_weights(slides, resamples=4000, generator=np.random.default_rng(8))
    again = slide_weights(slides, resamples=4000, generator=np.random.default_rng(8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(
        first, slide_weights(slides, resamples=4000, generator=np.random.default_rng(9))
    )
    assert (first.sum(axis=1) == 10).all()
    # Drawing 10 of 10 with replacement: each count is binomial(10, 1/10).
    np.testing.assert_allclose(first.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(first.var(axis=0), 0.9, atol=0.12)


@pytest.mark.parametrize("slides", [["b", "a"], ["a", "a"]])
def test_slides_must_be_in_their_one_order(slides: list[str]) -> None:
    with pytest.raises(ValueError, match="sorted"):
        slide_weights(slides, resamples=5, generator=np.random.default_rng(0))


def test_a_part_without_slides_is_told_of() -> None:
    with pytest.raises(UserError, match="no slide"):
        slide_weights([], resamples=5, generator=np.random.default_rng(0))


def test_a_slide_that_is_not_of_the_part_is_an_error() -> None:
    truths, detections, images = study(3)
    slides = sorted(set(images.values()))
    of_species = ranking(match(truths, detections, images=images, species=SPECIES), SPECIES[0])
    with pytest.raises(ValueError, match=slides[0]):
        resampled_average_precisions(of_species, slides[1:], np.ones((1, len(slides) - 1), dtype=int))


def test_mean_leaves_missing_values_out() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(nan_mean(values), [2, 5, np.nan])


def test_a_recall_point_is_reached_by_the_same_count_as_on_a_single_curve() -> None:
    # Recall is a quotient in floating point: 0.07 * 100 is more than 7, yet 7 / 100 reaches 0.07.
    needed = np.empty(len(RECALL_POINTS), dtype=np.int64)
    for n_truth in range(1, 1500):
        kernels._needed(n_truth, RECALL_POINTS, needed)
        expected = np.searchsorted(np.arange(n_truth + 1) / n_truth, RECALL_POINTS, side="left")
        np.testing.assert_array_equal(needed, expected)
