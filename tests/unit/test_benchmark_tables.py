"""The benchmark's tables say what their columns promise; missing is missing."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from evaluation_data import SPECIES, detection_rows, slide_study, truth_rows
from podura.evaluation.average_precision import average_precision
from podura.evaluation.benchmark import (
    ModelFacts,
    folds_table,
    models_table,
    species_table,
)
from podura.evaluation.certification import CertificateSettings, certify
from podura.evaluation.comparison import ComparisonSettings, ranks_table
from podura.evaluation.draws import Draws, draws_of, over_seeds
from podura.evaluation.intervals import logit_interval
from podura.evaluation.judging import FoldMatches
from podura.evaluation.matching import match
from podura.evaluation.ranking import ranking
from podura.evaluation.resampling import resampled_average_precisions
from podura.evaluation.scoring import CURVE_POINTS, ScoreSettings, pooled, score_species
from podura.tables import BENCHMARK_FOLDS, BENCHMARK_MODELS, BENCHMARK_SPECIES, write_json

A, B, C = SPECIES
UNIT = (0.0, 0.0, 10.0, 10.0)
SLIDES = "abcdefghijklmnopqrst"
SETTINGS = ScoreSettings(
    iou_percent=50, target_precision=0.6, resamples=300, confidence=0.95, random_seed=20261124
)
MODELS = ("good", "poor", "control_truth")
SEEDS = (1, 2)


def study(seed: int, n_truth: int = 240, species=(A, B)):
    """Truths, detections and images of two of the three species on 10 slides."""
    return slide_study(
        np.random.default_rng(seed),
        n_images=20,
        n_truth=n_truth,
        n_detections=n_truth * 5 // 4,
        species=species,
    )


def matched(truths, detections, images) -> pd.DataFrame:
    return match(truths, detections, images=images, species=SPECIES)


def draws_on(slides, tests, species=SPECIES) -> Draws:
    """The draws of one model: tests are seeds and matches."""
    return draws_of(tests, species=species, slides=slides, weights=SETTINGS.slide_weights(slides))


@pytest.fixture(scope="module")
def benchmark() -> dict:
    """Two detectors and the truth itself, two seeds, three species of which one has no truth."""
    truths, detections, images = study(0)
    exact = truths[~truths["ignore"]].drop(columns=["id", "ignore"]).assign(score=1.0)
    generator = np.random.default_rng(1)
    matches = {}
    for seed in SEEDS:
        kept = detections[generator.random(len(detections)) < 0.9]
        matches["good", seed] = matched(truths, kept, images)
        noisy = kept.assign(score=generator.random(len(kept)))
        matches["poor", seed] = matched(truths, noisy, images)
        matches["control_truth", seed] = matched(truths, exact, images)
    slides = sorted(set(images.values()))
    calibration, validation = matched(*study(5, 1200)), matched(*study(6, 1200))
    scores = [
        score_species(
            model=model,
            seed=seed,
            species=code,
            folds=[FoldMatches(0, validation, calibration, matches[model, seed])],
            test_slides=slides,
            settings=SETTINGS,
        )
        for code in SPECIES
        for seed in reversed(SEEDS)
        for model in MODELS
    ]
    table = species_table(scores, models=MODELS, species=SPECIES)
    facts = [
        ModelFacts("good", "Good", "detector", "torchvision", "MIT", 4_600_000, 60.0, 0.1, 900.0),
        ModelFacts("poor", "Poor", "detector", "ultralytics", "AGPL-3.0-or-later"),
        ModelFacts("control_truth", "Truth (control)", "control"),
    ]
    draws = {model: draws_on(slides, [(seed, matches[model, seed]) for seed in SEEDS]) for model in MODELS}
    detectors = {model: draws[model] for model in MODELS if model != "control_truth"}
    return {
        "matches": matches,
        "slides": slides,
        "draws": draws,
        "scores": scores,
        "species": table,
        "models": models_table(
            species_table=table,
            draws=draws.__getitem__,
            n_slides=len(slides),
            ranks=ranks_table(
                detectors, ComparisonSettings(SETTINGS.confidence, SETTINGS.random_seed, len(slides))
            ),
            models=facts,
            settings=SETTINGS,
        ),
        "facts": facts,
    }


def score_of(test, calibration=None, validation=None, species=A, slides="abc", **changed) -> dict:
    every = {f"{slide}1.png": slide for slide in SLIDES}
    images = {f"{slide}1.png": slide for slide in slides}
    settings = ScoreSettings(**{**SETTINGS.__dict__, **changed})
    return score_species(
        model="m",
        seed=1,
        species=species,
        folds=[
            FoldMatches(
                0,
                *(matched(*part, {**every, **images}) for part in (validation or test, calibration or test)),
                matched(*test, {**every, **images}),
            )
        ],
        test_slides=slides,
        settings=settings,
    )


# --- one species of one run ----------------------------------------------------------------------


def test_a_score_holds_every_column_and_is_strict_json(benchmark, tmp_path) -> None:
    for score in benchmark["scores"]:
        assert set(BENCHMARK_SPECIES.names) <= set(score)
        assert set(score) - set(BENCHMARK_SPECIES.names) == {"curve", "threshold_evidence", "folds"}
        write_json(score, tmp_path / "score.json")
        assert json.loads((tmp_path / "score.json").read_text(encoding="utf-8")) == score


def test_figures_are_those_of_the_evaluator(benchmark) -> None:
    for score in benchmark["scores"]:
        if score["species"] == C:
            continue
        of_species = ranking(benchmark["matches"][score["model"], score["seed"]], score["species"])
        plain = average_precision(of_species)
        assert (score["ap50"], score["ap50_95"], score["ap50_voc"]) == (
            plain.ap50,
            plain.ap50_95,
            plain.ap50_voc,
        )
        assert score["n_truth"] == of_species.n_truth
        assert score["n_slides"] == len(set(of_species.truth_slides))
        assert score["n_detections"] == len(of_species.scores)


def test_intervals_hold_the_figure_and_have_a_width(benchmark) -> None:
    of_detectors = benchmark["species"].query("model != 'control_truth' and n_truth > 0")
    for name in ("ap50", "test_precision", "test_recall"):
        low, value, high = (of_detectors[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert (low < value).all()
        assert (value < high).all()
        assert ((high - low) < 0.5).all()


def test_a_species_without_truth_is_missing_but_for_its_counts(benchmark) -> None:
    absent = benchmark["species"].query("species == @C")
    assert (absent[["n_slides", "n_truth"]] == 0).all(axis=None)
    others = [name for name in absent.columns if name.startswith(("ap50", "test_"))]
    assert absent[others].isna().all(axis=None)
    for score in benchmark["scores"]:
        if score["species"] == C:
            assert score["curve"] == {"recall": [], "precision": [], "score": []}


def test_the_truth_itself_has_1_everywhere(benchmark) -> None:
    of_truth = benchmark["species"].query("model == 'control_truth' and n_truth > 0")
    for name in ("ap50", "ap50_95", "ap50_voc", "ap50_low", "ap50_high", "test_precision", "test_recall"):
        assert of_truth[name].tolist() == pytest.approx([1.0] * len(of_truth))
    assert set(of_truth["threshold_status"]) == {"certified"}


def test_a_species_with_truth_that_nothing_found_has_0() -> None:
    score = score_of((truth_rows((1, "a1.png", A, UNIT), (2, "b1.png", A, UNIT)), detection_rows()))
    assert (score["ap50"], score["ap50_95"], score["ap50_voc"]) == (0, 0, 0)
    assert (score["ap50_low"], score["ap50_high"]) == (0, 0)
    assert score["threshold"] is score["threshold_empirical"] is None
    assert (score["threshold_status"], score["calibration_n"]) == ("needs_more", 0)
    missing = ("precision_lower", "deff", "test_precision", "test_recall", "test_recall_empirical")
    assert all(score[name] is None for name in missing)


def plenty(cut: float, slides: str = SLIDES) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten animals on each slide, all found at scores from ``cut`` on, and as many errors below it."""
    places = [(f"{slide}1.png", (20.0 * k, 0.0, 20.0 * k + 10, 10.0)) for slide in slides for k in range(10)]
    truths = truth_rows(*((i + 1, image, A, box) for i, (image, box) in enumerate(places)))
    right = [(image, A, cut + 0.001 * (i % 50), box) for i, (image, box) in enumerate(places)]
    wrong = [(image, A, cut - 0.1, (x, 50.0, x2, 60.0)) for image, (x, _, x2, _) in places]
    return truths, detection_rows(*right, *wrong)


def test_a_threshold_that_accepts_nothing_on_test() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT), (2, "b1.png", A, UNIT))
    score = score_of((truths, detection_rows(("a1.png", A, 0.5, UNIT))), plenty(0.9), plenty(0.9))
    assert score["threshold"] == 0.9
    assert (score["test_precision"], score["test_precision_low"]) == (None, None)
    assert (score["test_recall"], score["test_recall_low"]) == (0, 0)
    # Two specimens missed do not show that none would be found.
    assert score["test_recall_high"] > 0.5


def test_candidates_come_from_validation_the_certificate_from_calibration_the_report_from_test() -> None:
    box = (30, 30, 40, 40)
    test = (
        truth_rows((1, "a1.png", A, UNIT), (2, "b1.png", A, UNIT), (3, "c1.png", A, UNIT)),
        detection_rows(
            ("a1.png", A, 0.9, UNIT),
            ("b1.png", A, 0.8, box),
            ("b1.png", A, 0.7, UNIT),
            ("c1.png", A, 0.6, UNIT),
        ),
    )
    score = score_of(test, plenty(0.7), plenty(0.7), target_precision=0.95)
    assert (score["threshold"], score["threshold_status"]) == (0.7, "certified")
    n = 10 * len(SLIDES)
    assert (score["calibration_n"], score["calibration_errors"], score["calibration_slides"]) == (n, 0, 20)
    # No errors above the cut, all below it: no slide differs, and the bound is Clopper and Pearson's.
    assert score["deff"] == 1
    assert score["precision_lower"] == pytest.approx(0.05 ** (1 / n))
    assert score["test_precision"] == pytest.approx(2 / 3)
    assert score["test_recall"] == pytest.approx(2 / 3)
    evidence = score["threshold_evidence"]
    assert (evidence["test_n"], evidence["test_errors"], evidence["calibration_recall"]) == (3, 1, 1.0)
    assert score["threshold_empirical"] == 0.7
    assert score["test_precision_empirical"] == score["test_precision"]
    # Where validation has other scores, it proposes other candidates, and the threshold is one of them.
    elsewhere = score_of(test, plenty(0.7), plenty(0.72), target_precision=0.95)
    assert elsewhere["threshold"] == 0.72
    assert elsewhere["threshold_empirical"] == 0.7
    # Whatever calibration and test hold, candidates are the same.
    candidates = [c["threshold"] for c in evidence["certificates"][0]["candidates"]]
    other = score_of(plenty(0.3), plenty(0.2), plenty(0.7), slides=SLIDES)["threshold_evidence"]
    assert [c["threshold"] for c in other["certificates"][0]["candidates"]] == candidates


def test_errors_on_a_test_part_without_the_species_stay_in_the_evidence() -> None:
    score = score_of((truth_rows(), detection_rows(("a1.png", A, 0.95, UNIT))), plenty(0.5), plenty(0.5))
    assert score["test_precision"] is None
    assert (score["threshold_evidence"]["test_n"], score["threshold_evidence"]["test_errors"]) == (1, 1)


def test_one_slide_shows_no_spread_so_there_is_no_interval() -> None:
    truths = truth_rows((1, "a1.png", A, UNIT), (2, "a1.png", A, (50, 0, 60, 10)))
    score = score_of((truths, detection_rows(("a1.png", A, 0.9, UNIT))))
    assert score["n_slides"] == 1
    assert score["ap50"] > 0
    ends = [f"{name}_{end}" for name in ("ap50", "test_precision", "test_recall") for end in ("low", "high")]
    assert all(score[name] is None for name in ends)


def test_slides_without_animals_are_drawn_as_well() -> None:
    with_animals = list("abcdefgh")
    slides = sorted([*with_animals, *"uvwxyz"])
    truths = truth_rows(*((i + 1, f"{slide}1.png", A, UNIT) for i, slide in enumerate(with_animals)))
    found = detection_rows(*((f"{slide}1.png", A, 0.9 - i / 10, UNIT) for i, slide in enumerate("abcde")))
    score = score_of((truths, found), slides=slides)

    def ends(drawn_slides: list[str]) -> tuple[float, float]:
        images = {f"{slide}1.png": slide for slide in slides}
        of_species = ranking(matched(truths, found, images), A)
        weights = SETTINGS.slide_weights(drawn_slides)
        draws = resampled_average_precisions(of_species, drawn_slides, weights)[:, 0]
        return logit_interval(score["ap50"], draws, degrees=7, n_truth=8, confidence=0.95)

    assert (score["ap50_low"], score["ap50_high"]) == ends(slides) != ends(with_animals)


def test_the_same_resamples_for_all_and_others_for_another_seed() -> None:
    slides = ["a", "b", "c", "d"]
    np.testing.assert_array_equal(SETTINGS.slide_weights(slides), SETTINGS.slide_weights(slides))
    other = ScoreSettings(**{**SETTINGS.__dict__, "random_seed": 5})
    assert not np.array_equal(SETTINGS.slide_weights(slides), other.slide_weights(slides))


def test_a_long_curve_is_thinned_without_changing_its_shape() -> None:
    truths, detections, images = slide_study(
        np.random.default_rng(2), n_images=20, n_truth=2500, n_detections=4000, species=(A,)
    )
    matches = matched(truths, detections, images)
    slides = sorted(set(images.values()))
    score = score_species(
        model="m",
        seed=1,
        species=A,
        folds=[FoldMatches(0, matches, matches, matches)],
        test_slides=slides,
        settings=SETTINGS,
    )
    curve = {name: np.array(values) for name, values in score["curve"].items()}
    of_species = ranking(matches, A)
    right, wrong = np.cumsum(of_species.right[0]), np.cumsum(of_species.wrong[0])
    counted = (of_species.right | of_species.wrong)[0]
    recall, precision = (right / of_species.n_truth)[counted], (right / (right + wrong))[counted]
    assert len(curve["recall"]) == len(curve["precision"]) == len(curve["score"]) <= CURVE_POINTS
    assert (np.diff(curve["recall"]) >= 0).all()
    assert (np.diff(curve["score"]) <= 0).all()
    assert (curve["recall"][-1], curve["precision"][-1]) == (recall[-1], precision[-1])
    drawn = np.interp(recall, curve["recall"], curve["precision"])
    assert np.abs(drawn - precision)[recall > 0.02].max() < 0.02


# --- the tables ----------------------------------------------------------------------------------


def test_species_table_has_one_row_each_in_the_order_given(benchmark) -> None:
    table = benchmark["species"]
    assert list(table.columns) == BENCHMARK_SPECIES.names
    assert list(zip(table["model"], table["seed"], table["species"], strict=True)) == [
        (model, seed, code) for model in MODELS for seed in SEEDS for code in SPECIES
    ]


def test_map_is_the_mean_over_species_with_truth_then_over_seeds(benchmark) -> None:
    table, models = benchmark["species"], benchmark["models"].set_index("model")
    for model in MODELS:
        rows = table[(table["model"] == model) & (table["species"] != C)]
        per_seed = [rows.loc[rows["seed"] == seed, "ap50"].mean() for seed in SEEDS]
        row = models.loc[model]
        assert (row["n_seeds"], row["n_species"]) == (2, 2)
        assert row["map50"] == pytest.approx(np.mean(per_seed))
        assert (row["map50_seed_min"], row["map50_seed_max"]) == pytest.approx((min(per_seed), max(per_seed)))
        assert row["map50_seed_sd"] == pytest.approx(abs(per_seed[0] - per_seed[1]) / math.sqrt(2))
        assert row["map50_95"] == pytest.approx(rows["ap50_95"].mean())


def test_interval_of_map_holds_slides_and_seeds(benchmark) -> None:
    row = benchmark["models"].set_index("model").loc["good"]
    draws = benchmark["draws"]["good"]
    for name in ("map50", "map50_95"):
        of_seeds = draws.means(name)
        assert of_seeds[:, 0].mean() == pytest.approx(row[name])
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        assert low < row[name] < high
        resampled = over_seeds(of_seeds, SETTINGS.random_seed, "good")[1:]
        # Most, not all, of the resamples lie inside.
        assert 0.93 < np.mean((resampled > low) & (resampled < high)) < 1


def test_only_detectors_have_a_rank(benchmark) -> None:
    models = benchmark["models"]
    assert list(models.columns) == BENCHMARK_MODELS.names
    assert models["model"].tolist() == list(MODELS)
    assert models["rank"].tolist()[:2] == [1, 2]
    assert models["rank"].isna().tolist() == [False, False, True]
    assert models["map50"].iloc[2] == pytest.approx(1.0)


def test_facts_of_a_model_are_passed_on_and_missing_where_unknown(benchmark) -> None:
    good, poor = benchmark["models"].iloc[0], benchmark["models"].iloc[1]
    assert (good["label"], good["framework"], good["licence"]) == ("Good", "torchvision", "MIT")
    assert (good["parameters"], good["training_seconds"], good["peak_memory_mb"]) == (4_600_000, 60.0, 900.0)
    assert poor[["parameters", "training_seconds", "detection_seconds", "peak_memory_mb"]].isna().all()


def test_tables_survive_csv(benchmark, tmp_path) -> None:
    for table, definition in (("species", BENCHMARK_SPECIES), ("models", BENCHMARK_MODELS)):
        definition.write_csv(benchmark[table], tmp_path / "table.csv")
        pd.testing.assert_frame_equal(definition.read_csv(tmp_path / "table.csv"), benchmark[table])


def one_model_table(matches, scores, species, slides=("a", "b", "c")) -> pd.Series:
    draws = draws_on(slides, [(1, matches)], species)
    return models_table(
        species_table=species_table(scores, models=["m"], species=species),
        draws=lambda _model: draws,
        n_slides=len(slides),
        ranks=ranks_table({"m": draws}, ComparisonSettings(0.95, 1, len(slides))),
        models=[ModelFacts("m", "M", "detector")],
        settings=SETTINGS,
    ).iloc[0]


def test_one_seed_has_no_deviation() -> None:
    test = (
        truth_rows((1, "a1.png", A, UNIT), (2, "b1.png", A, UNIT)),
        detection_rows(("a1.png", A, 0.9, UNIT)),
    )
    images = {f"{slide}1.png": slide for slide in "abc"}
    row = one_model_table(matched(*test, images), [score_of(test)], [A])
    assert row["n_seeds"] == 1
    assert pd.isna(row["map50_seed_sd"])
    assert pd.isna(row["map50_95_seed_sd"])
    assert row["map50_seed_min"] == row["map50_seed_max"] == row["map50"] > 0


def test_a_model_is_without_figures_where_no_species_has_truth() -> None:
    test = (truth_rows(), detection_rows(("a1.png", A, 0.9, UNIT)))
    images = {f"{slide}1.png": slide for slide in "abc"}
    row = one_model_table(matched(*test, images), [score_of(test)], [A])
    assert row["n_species"] == 0
    names = ["rank", "map50", "map50_low", "map50_high", "map50_seed_min", "map50_95", "map50_95_low"]
    assert row[names].isna().all()


def test_a_model_without_scores_is_an_error(benchmark) -> None:
    with pytest.raises(ValueError, match="absent"):
        models_table(
            species_table=benchmark["species"],
            draws=lambda _model: benchmark["draws"]["good"],
            n_slides=10,
            ranks=ranks_table({}, ComparisonSettings(0.95, 1, 10)),
            models=[ModelFacts("absent", "Absent", "detector")],
            settings=SETTINGS,
        )


# --- folds ---------------------------------------------------------------------------------------


def fold_study(number: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """A study whose images, slides and ids are its own."""
    truths, detections, images = study(seed)
    mark = f"f{number}-"
    for frame in (truths, detections):
        frame["image"], frame["slide"] = mark + frame["image"], mark + frame["slide"]
    truths["id"] += 10_000 * number
    return truths, detections, {mark + image: mark + slide for image, slide in images.items()}


@pytest.fixture(scope="module")
def folds() -> list[FoldMatches]:
    return [
        FoldMatches(
            number,
            matched(*study(40 + number)),
            matched(*study(20 + number)),
            matched(*fold_study(number, 30 + number)),
        )
        for number in (1, 2, 3)
    ]


def folds_score(folds: list[FoldMatches], **changed) -> dict:
    slides = sorted({slide for fold in folds for slide in fold.test["slide"]})
    return score_species(
        model="m",
        seed=1,
        species=A,
        folds=folds,
        test_slides=slides,
        settings=ScoreSettings(**{**SETTINGS.__dict__, **changed}),
    )


def test_pooled_average_precision_is_that_of_all_test_slides_matched_at_once(folds) -> None:
    parts = [fold_study(number, 30 + number) for number in (1, 2, 3)]
    images = {image: slide for part in parts for image, slide in part[2].items()}
    at_once = matched(pd.concat([p[0] for p in parts]), pd.concat([p[1] for p in parts]), images)
    score, expected = folds_score(folds), average_precision(ranking(at_once, A))
    assert score["ap50"] == expected.ap50
    assert score["ap50_95"] == expected.ap50_95
    assert score["ap50_voc"] == expected.ap50_voc
    assert score["n_truth"] == sum(fold["n_truth"] for fold in score["folds"])
    assert score["n_slides"] == sum(fold["n_slides"] for fold in score["folds"])


def test_each_fold_keeps_its_own_threshold(folds) -> None:
    score = folds_score(folds)
    rights = accepted = 0
    for fold, row in zip(folds, score["folds"], strict=True):
        parts = (ranking(fold.validation, A), ranking(fold.calibration, A))
        found = certify(*parts, CertificateSettings(50, 0.6))
        assert row["fold"] == fold.fold
        assert row["threshold"] == found.threshold is not None
        test = ranking(fold.test, A)
        above = test.scores >= found.threshold
        rights += int((test.right[0] & above).sum())
        accepted += int(((test.right[0] | test.wrong[0]) & above).sum())
    assert len({row["threshold"] for row in score["folds"]}) == 3
    assert score["threshold"] == float(np.median([row["threshold"] for row in score["folds"]]))
    assert score["test_precision"] == rights / accepted
    assert score["test_recall"] == rights / score["n_truth"]
    assert score["calibration_n"] == sum(row["calibration_n"] for row in score["folds"])
    assert score["test_precision_low"] <= score["test_precision"] <= score["test_precision_high"]


def test_a_fold_without_a_threshold_accepts_nothing_and_its_specimens_are_missed(folds) -> None:
    hopeless = folds[0].calibration.copy()
    of_truth = hopeless["kind"] == "truth"
    hopeless.loc[~of_truth, "match_50"] = 0
    changed = [FoldMatches(1, folds[0].validation, hopeless, folds[0].test), *folds[1:]]
    score, before = folds_score(changed), folds_score(folds)
    assert score["folds"][0]["threshold"] is None
    assert score["folds"][0]["threshold_status"] == "failed"
    assert score["threshold_status"] == "needs_more"
    assert score["folds"][0]["test_n"] is None
    assert score["n_truth"] == before["n_truth"]
    assert score["test_recall"] < before["test_recall"]
    rows = [row for row in score["folds"] if row["test_n"] is not None]
    assert score["test_precision"] == 1 - sum(r["test_errors"] for r in rows) / sum(r["test_n"] for r in rows)
    assert score["ap50"] == before["ap50"]


def test_without_any_threshold_nothing_is_said_of_precision(folds) -> None:
    hopeless = []
    for fold in folds:
        calibration = fold.calibration.copy()
        calibration.loc[calibration["kind"] == "detection", "match_50"] = 0
        hopeless.append(FoldMatches(fold.fold, fold.validation, calibration, fold.test))
    score = folds_score(hopeless)
    assert score["threshold"] is score["test_precision"] is score["test_recall"] is None
    assert score["threshold_status"] == "failed"
    assert score["calibration_n"] == score["calibration_errors"] > 0
    assert score["ap50"] > 0


def test_pooling_keeps_the_order_of_equal_scores_and_refuses_an_image_in_two_folds(folds) -> None:
    together = pooled([fold.test for fold in folds])
    assert len(together) == sum(len(fold.test) for fold in folds)
    backwards = pooled([fold.test for fold in reversed(folds)])
    pd.testing.assert_frame_equal(together, backwards)
    with pytest.raises(ValueError, match="more than one fold"):
        pooled([folds[0].test, folds[0].test])


def test_the_table_of_folds_has_a_row_a_model_seed_fold_and_species(benchmark, folds) -> None:
    table = folds_table([folds_score(folds)], models=["m"], species=SPECIES)
    assert list(table.columns) == BENCHMARK_FOLDS.names
    assert table["fold"].tolist() == [1, 2, 3]
    plain = folds_table(benchmark["scores"], models=MODELS, species=SPECIES)
    assert set(plain["fold"]) == {0}
    merged = plain.merge(benchmark["species"], on=["model", "seed", "species"], suffixes=("", "_all"))
    for name in ("ap50", "threshold", "test_precision", "test_recall"):
        pd.testing.assert_series_equal(merged[name], merged[f"{name}_all"], check_names=False)


def test_one_certificate_for_all_folds_counts_every_slide_once(folds) -> None:
    # Each slide is a calibration slide of two folds; validation slides of fold 1 are calibration's elsewhere.
    first, second = matched(*study(51, 600)), matched(*fold_study(9, 52))
    shared = [
        FoldMatches(1, second, first, folds[0].test),
        FoldMatches(2, matched(*fold_study(8, 53)), first, folds[1].test),
        FoldMatches(3, matched(*fold_study(7, 54)), second, folds[2].test),
    ]
    score = folds_score(shared, pooled=True)
    assert score["threshold_status"] == "certified"
    assert {row["threshold"] for row in score["folds"]} == {score["threshold"]}
    alone = ranking(first, A).scores >= score["threshold"]
    counted = (ranking(first, A).right[0] | ranking(first, A).wrong[0]) & alone
    other = ranking(second, A)
    of_other = (other.right[0] | other.wrong[0]) & (other.scores >= score["threshold"])
    assert score["calibration_n"] == 2 * counted.sum() + of_other.sum()
    assert score["calibration_slides"] == 20
    # Twice the same detections on a slide are no more than once.
    assert score["deff"] > 1.5
    proposed = {c["threshold"] for c in score["threshold_evidence"]["certificates"][0]["candidates"]}
    assert proposed <= {*ranking(shared[1].validation, A).scores, *ranking(shared[2].validation, A).scores}
    evidence = score["threshold_evidence"]["certificates"]
    assert all(one["pooled_over_folds"] for one in evidence)
    apart = folds_score(shared)
    assert len({row["calibration_n"] for row in apart["folds"]}) > 1
