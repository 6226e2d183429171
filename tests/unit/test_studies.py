"""Two studies side by side: paired on shared slides, honest without, refused where nothing compares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from evaluation_data import SPECIES, slide_study
from podura.errors import UserError
from podura.evaluation.average_precision import mean_average_precision
from podura.evaluation.comparison import ComparisonSettings
from podura.evaluation.matching import match
from podura.evaluation.studies import StudyResults, compare_studies
from podura.evaluation.study_files import read_study
from podura.report.studies import render_studies, verdict_sentences
from podura.tables import BENCHMARK_MODELS, BENCHMARK_SPECIES, MATCHES, PART_IMAGES, SPLIT

TERMS = {"score_floor": 0.01, "max_detections": 300, "iou": 0.5, "target_precision": 0.95}
SETTINGS = ComparisonSettings(0.95, 7, 10)
NAMES = [{"code": code, "name": f"Genus {'abc'[k] * 4}", "authority": ""} for k, code in enumerate(SPECIES)]


def study(name: str, *, seed: int = 1, worse: float = 0.0, slides: str = "", **changed) -> StudyResults:
    """A study whose detector misses a share of what that of the same seed finds."""
    truths, detections, images = slide_study(
        np.random.default_rng(seed), n_images=30, n_truth=300, n_detections=360, species=SPECIES[:2]
    )
    if slides:
        images = {image: f"{slides}{slide}" for image, slide in images.items()}
        truths, detections = (one.assign(slide=one["image"].map(images)) for one in (truths, detections))
    kept = np.random.default_rng(99).random(len(detections)) >= worse
    matches = match(truths, detections[kept].reset_index(drop=True), images=images, species=SPECIES)
    found = StudyResults(
        name=name,
        species=tuple(SPECIES[:2]),
        runs={"yolo": [(1, matches), (2, matches)]},
        images=pd.DataFrame({"image": list(images), "slide": list(images.values())}),
        best="yolo",
        terms=TERMS,
    )
    return replace(found, **changed)


def compared(here: StudyResults, there: StudyResults):
    return compare_studies(here, there, resamples=300, settings=SETTINGS)


def mean_row(found) -> dict:
    return found.table[found.table["species"].isna()].iloc[0].to_dict()


class TestPaired:
    def test_the_same_study_differs_by_nothing(self) -> None:
        row = mean_row(compared(study("here"), study("there")))
        assert row["paired"]
        assert row["difference"] == row["difference_low"] == row["difference_high"] == 0
        assert row["verdict"] == "undecided"

    def test_values_are_those_of_the_evaluator_and_the_better_one_is_told(self) -> None:
        here, there = study("here"), study("there", worse=0.3)
        found = compared(here, there)
        row = mean_row(found)
        for side, value in ((here, row["ap50_95"]), (there, row["other_ap50_95"])):
            assert value == pytest.approx(mean_average_precision(side.runs["yolo"][0][1], SPECIES[:2])[1])
        assert row["difference"] == pytest.approx(row["ap50_95"] - row["other_ap50_95"])
        assert row["verdict"] == "better"
        assert "Paired: both studies tested the same" in found.notes[0]
        back = mean_row(compared(there, here))
        assert back["difference"] == pytest.approx(-row["difference"])
        assert back["verdict"] == "worse"

    def test_pairing_makes_an_interval_narrower(self) -> None:
        there = study("there", worse=0.1)
        paired = mean_row(compared(study("here"), there))
        apart = mean_row(compared(study("here"), study("there", worse=0.1, slides="other ")))
        assert not apart["paired"]
        width = {
            name: r["difference_high"] - r["difference_low"] for name, r in (("p", paired), ("a", apart))
        }
        assert width["p"] < width["a"]
        assert apart["difference"] == pytest.approx(paired["difference"])

    def test_another_truth_on_a_slide_takes_it_out(self) -> None:
        here, there = study("here"), study("there", worse=0.3)
        first = there.slides[0]
        moved = []
        for seed, matches in there.runs["yolo"]:
            shifted = matches.copy()
            on = (shifted["kind"] == "truth") & (shifted["slide"] == first)
            shifted.loc[on, "x_max"] += 5
            moved.append((seed, shifted))
        row = mean_row(compared(here, replace(there, runs={"yolo": moved})))
        assert row["paired"]
        assert row["n_slides"] == len(here.slides) - 1

    def test_an_image_more_takes_a_slide_out_too(self) -> None:
        here, there = study("here"), study("there", worse=0.3)
        empty = pd.DataFrame({"image": ["empty.png"], "slide": [there.slides[0]]})
        there = replace(there, images=pd.concat([there.images, empty], ignore_index=True))
        assert mean_row(compared(here, there))["n_slides"] == len(here.slides) - 1

    def test_folders_of_images_do_not_count(self) -> None:
        here, there = study("here"), study("there", worse=0.3)
        elsewhere = {"image": lambda frame: "disk/" + frame["image"]}
        there = replace(
            there,
            images=there.images.assign(**elsewhere),
            runs={"yolo": [(seed, one.assign(**elsewhere)) for seed, one in there.runs["yolo"]]},
        )
        assert mean_row(compared(here, there))["paired"]

    def test_the_same_input_gives_the_same_table(self) -> None:
        tables = [compared(study("here"), study("there", worse=0.2)).table for _ in range(2)]
        pd.testing.assert_frame_equal(*tables)


class TestUnpaired:
    def test_intervals_hold_the_spread_of_both(self) -> None:
        found = compared(study("here"), study("there", slides="other "))
        row = mean_row(found)
        assert row["difference"] == pytest.approx(0)
        assert row["difference_low"] < 0 < row["difference_high"]
        assert row["verdict"] == "undecided"
        assert any(
            note.startswith("Not paired: the studies tested no slide in common.") for note in found.notes
        )

    def test_one_slide_tells_no_interval(self) -> None:
        def single(side):
            only = f"only {side.name}"
            runs = {"yolo": [(seed, one.assign(slide=only)) for seed, one in side.runs["yolo"]]}
            return replace(side, images=side.images.assign(slide=only), runs=runs)

        row = mean_row(compared(single(study("a")), single(study("b", worse=0.3))))
        assert np.isnan(row["difference_low"])
        assert row["verdict"] == "undecided"


class TestTerms:
    def test_no_species_in_common_is_refused(self) -> None:
        with pytest.raises(UserError, match="share no species"):
            compared(study("here"), study("there", species=("XXX-YYY",)))

    def test_a_species_of_one_study_is_left_out_and_said(self) -> None:
        found = compared(study("here", species=(*SPECIES[:2], "XXX-YYY")), study("there"))
        assert "XXX-YYY" not in set(found.table["species"].dropna())
        assert any(note.startswith("XXX-YYY: of here only") for note in found.notes)

    def test_a_species_without_truth_in_one_is_missing_and_not_in_the_mean(self) -> None:
        here, there = study("here", species=tuple(SPECIES)), study("there", species=tuple(SPECIES))
        found = compared(here, there)
        row = found.table[found.table["species"] == SPECIES[2]].iloc[0]
        assert np.isnan(row["difference"])
        assert row["verdict"] == "undecided"
        assert not np.isnan(mean_row(found)["difference"])

    def test_the_stricter_terms_hold_for_both(self) -> None:
        strict = {**TERMS, "score_floor": 0.5, "max_detections": 4, "iou": 0.75}
        found = compared(study("here"), study("there", terms=strict))
        row = mean_row(found)
        assert row["difference"] == 0
        assert row["ap50_95"] < mean_row(compared(study("here"), study("there")))["ap50_95"]
        words = " ".join(found.notes)
        assert "the higher score floor was applied to both" in words
        assert "the smaller cap was applied to both" in words
        assert "evaluation.iou is 0.5 here and 0.75 there" in words

    def test_the_best_of_each_stand_first_then_those_of_one_name(self) -> None:
        here = study("here")
        here = replace(here, runs={**here.runs, "rcnn": here.runs["yolo"]}, best="rcnn")
        found = compared(here, study("there"))
        pairs = found.table.loc[found.table["species"].isna(), ["model", "other"]].to_numpy().tolist()
        assert pairs == [["rcnn", "yolo"], ["yolo", "yolo"]]


def write_study(folder, side: StudyResults, *, ap_error: float = 0.0) -> None:
    config = {"study": side.name, "evaluation": dict(side.terms)}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    nothing = dict.fromkeys(BENCHMARK_SPECIES.names)
    rows = []
    for seed, matches in side.runs["yolo"]:
        MATCHES.write_parquet(matches, folder / f"matches/yolo/seed-{seed}/test.parquet")
        for code in side.species:
            ap50, ap50_95 = mean_average_precision(matches, [code])
            row = {
                "model": "yolo",
                "seed": seed,
                "species": code,
                "ap50": ap50 + ap_error,
                "ap50_95": ap50_95,
            }
            rows.append({**nothing, **row})
    BENCHMARK_SPECIES.write_csv(rows, folder / "benchmark/species.csv")
    model = {**dict.fromkeys(BENCHMARK_MODELS.names), "model": "yolo", "role": "detector", "rank": 1}
    BENCHMARK_MODELS.write_csv([model], folder / "benchmark/models.csv")
    split = side.images.assign(part="test", fold=0)
    SPLIT.write_csv(split, folder / "dataset/split.csv")
    images = side.images.assign(path="gone.png", width=100, height=100)
    PART_IMAGES.write_csv(images, folder / "dataset/parts/test/images.csv")


class TestFolders:
    def test_a_folder_is_read_as_it_was_written(self, tmp_path) -> None:
        side = study("last_year", worse=0.2)
        write_study(tmp_path / "other", side)
        read = read_study(tmp_path / "other")
        assert (read.name, read.species, read.best) == ("last_year", side.species, "yolo")
        pd.testing.assert_frame_equal(
            compared(study("here"), read).table, compared(study("here"), side).table
        )

    def test_results_of_another_evaluator_are_refused(self, tmp_path) -> None:
        write_study(tmp_path / "other", study("old"), ap_error=0.01)
        with pytest.raises(UserError, match="judged by another version"):
            read_study(tmp_path / "other")

    @pytest.mark.parametrize(
        "gone", ["config.yaml", "benchmark/models.csv", "matches/yolo/seed-2/test.parquet"]
    )
    def test_what_is_missing_is_named(self, gone, tmp_path) -> None:
        write_study(tmp_path / "other", study("other"))
        (tmp_path / "other" / gone).unlink()
        with pytest.raises(UserError, match=gone.split("/")[-1]):
            read_study(tmp_path / "other")

    def test_a_model_name_that_leaves_the_folder_is_refused(self, tmp_path) -> None:
        write_study(tmp_path / "other", study("other"))
        model = {**dict.fromkeys(BENCHMARK_MODELS.names), "model": "../../etc", "role": "detector"}
        BENCHMARK_MODELS.write_csv([model], tmp_path / "other/benchmark/models.csv")
        with pytest.raises(UserError, match="cannot be the name of a model"):
            read_study(tmp_path / "other")

    def test_a_table_of_another_version_is_refused(self, tmp_path) -> None:
        write_study(tmp_path / "other", study("other"))
        (tmp_path / "other/benchmark/models.csv").write_text("model,novelty\nyolo,1\n", encoding="utf-8")
        with pytest.raises(UserError, match="not what this version of Podura writes"):
            read_study(tmp_path / "other")


class TestPage:
    def test_it_says_who_is_better_and_escapes_every_name(self) -> None:
        found = compared(study("here"), study("there", worse=0.3))
        names = ("here", "<script>alert(1)</script>")
        page = render_studies(found.table, found.notes, names, NAMES, confidence=0.95)
        assert "<script>alert" not in page
        assert "yolo of here is better than yolo of &lt;script&gt;" in page
        assert "Paired: both studies tested the same" in page
        assert "Orange, pointing left: &lt;script&gt;" in page, "the figure's marks are explained"

    def test_sentences_say_on_which_slides(self) -> None:
        apart = compared(study("here"), study("there", slides="other "))
        (sentence,) = verdict_sentences(apart.table, ("here", "there"), 0.95)
        assert "are not told apart, each on its own slides" in sentence
