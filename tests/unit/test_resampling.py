"""Resampling slides by weights is the same as drawing slides, and its intervals cover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_data import SPECIES, hostile_study, slide_study
from podura.evaluation import resampling
from podura.evaluation.average_precision import (
    RECALL_POINTS,
    average_precision,
    average_precision_coco,
    mean_average_precision,
    precision_recall,
)
from podura.evaluation.matching import match
from podura.evaluation.ranking import Ranking, ranking
from podura.evaluation.resampling import (
    interval,
    nan_mean,
    resampled_average_precision,
    resampled_average_precisions,
    resampled_mean_average_precision,
    resampled_precision_and_recall,
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
        ap50, ap50_95 = resampled_average_precisions(of_species, slides, once)
        np.testing.assert_allclose([ap50[0], ap50_95[0]], [plain.ap50, plain.ap50_95], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(
            np.ravel(resampled_precision_and_recall([(of_species, 0.5)], 50, slides, once)),
            precision_and_recall_at(of_species, 0.5, iou_percent=50),
        )
    np.testing.assert_allclose(
        np.ravel(resampled_mean_average_precision(matches, SPECIES, slides, once)),
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
        for percent in IOU_PERCENTS:
            ap = resampled_average_precision(weighted, percent, slides, weights)[0]
            plain = average_precision_coco(precision_recall(expected, percent))
            assert ap == pytest.approx(plain, abs=1e-12, nan_ok=True)
        np.testing.assert_array_equal(
            np.ravel(resampled_precision_and_recall([(weighted, 0.4)], 50, slides, weights)),
            precision_and_recall_at(expected, 0.4, iou_percent=50),
        )
    np.testing.assert_allclose(
        np.ravel(resampled_mean_average_precision(matches, SPECIES, slides, weights)),
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
    each = [resampled_average_precisions(ranking(matches, code), slides, weights)[0] for code in SPECIES]
    assert np.isnan(each[0]).tolist() == [False, True]
    mean, _ = resampled_mean_average_precision(matches, SPECIES, slides, weights)
    assert mean.tolist() == pytest.approx([np.mean([ap[0] for ap in each]), (each[1][1] + each[2][1]) / 2])


def test_memory_is_bounded_without_changing_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    truths, detections, images = study(2)
    slides = sorted(set(images.values()))
    of_species = ranking(match(truths, detections, images=images, species=SPECIES), SPECIES[0])
    weights = slide_weights(slides, resamples=100, generator=np.random.default_rng(0))
    whole = resampled_average_precision(of_species, 50, slides, weights)
    monkeypatch.setattr(resampling, "_MAX_CELLS", 7)
    np.testing.assert_array_equal(resampled_average_precision(of_species, 50, slides, weights), whole)


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


@pytest.mark.parametrize("slides", [["b", "a"], ["a", "a"], []])
def test_slides_must_be_in_their_one_order(slides: list[str]) -> None:
    with pytest.raises(ValueError, match="sorted"):
        slide_weights(slides, resamples=5, generator=np.random.default_rng(0))


def test_a_slide_that_is_not_of_the_part_is_an_error() -> None:
    truths, detections, images = study(3)
    slides = sorted(set(images.values()))
    of_species = ranking(match(truths, detections, images=images, species=SPECIES), SPECIES[0])
    with pytest.raises(ValueError, match=slides[0]):
        resampled_average_precision(of_species, 50, slides[1:], np.ones((1, len(slides) - 1), dtype=int))


def test_interval_leaves_missing_resamples_out() -> None:
    values = np.append(np.linspace(0, 1, 101), [np.nan] * 50)
    assert interval(values, 0.9) == pytest.approx((0.05, 0.95))
    assert interval(np.full(5, 0.25), 0.95) == (0.25, 0.25)
    assert np.isnan(interval(np.full(5, np.nan), 0.95)).all()


def test_mean_leaves_missing_values_out() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(nan_mean(values), [2, 5, np.nan])


def test_the_interval_covers_where_errors_cluster_by_slide_and_that_of_boxes_does_not() -> None:
    generator = np.random.default_rng(21)
    slides = [f"s{i:02d}" for i in range(30)]
    each = 40
    weights = slide_weights(slides, resamples=400, generator=generator)
    covered = naive = 0
    for _ in range(300):
        # Slides differ in their precision; over all slides its mean is 0.8.
        precision = generator.beta(8, 2, size=len(slides))
        right = generator.random((len(slides), each)) < precision[:, None]
        n = right.size
        of_species = Ranking(
            scores=np.ones(n),
            detection_slides=np.repeat(np.array(slides, dtype=object), each),
            right=np.tile(right.ravel(), (len(IOU_PERCENTS), 1)),
            wrong=np.tile(~right.ravel(), (len(IOU_PERCENTS), 1)),
            truth_slides=np.repeat(np.array(slides, dtype=object), each),
        )
        draws, _ = resampled_precision_and_recall([(of_species, 0.5)], 50, slides, weights)
        low, high = interval(draws, 0.95)
        covered += low <= 0.8 <= high
        share = right.mean()
        naive += abs(share - 0.8) <= 1.96 * np.sqrt(share * (1 - share) / n)
    assert covered / 300 > 0.88
    assert naive / 300 < 0.8


def test_a_recall_point_is_reached_by_the_same_count_as_on_a_single_curve() -> None:
    # Recall is a quotient in floating point: 0.07 * 100 is more than 7, yet 7 / 100 reaches 0.07.
    truths = np.arange(1, 1500)
    needed = resampling._right_needed(truths)
    expected = [np.searchsorted(np.arange(n + 1) / n, RECALL_POINTS, side="left") for n in truths]
    np.testing.assert_array_equal(needed, expected)
