"""What the page says in sentences: methods, chance, what is missing; and the files that it becomes."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
from markupsafe import Markup

from podura import tables
from podura.report import archive
from podura.report.examples import MOST_BYTES, galleries, shown_in_page, within_budget
from podura.report.figures import draw_figures
from podura.report.gaps import gaps
from podura.report.made import (
    cost_rows,
    energy_note,
    randomness,
    species_spread_rows,
    spread_rows,
    training_rows,
)
from podura.report.methods import methods_paragraphs, methods_text
from podura.report.page import render_report
from podura.report.results import Results
from report_data import make_results
from report_diagnosis import make_crops


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


@pytest.fixture(scope="module")
def figures(results: Results) -> dict[str, Markup]:
    """Empty figures: these tests read words."""
    return {name: Markup("<svg></svg>") for name in [*draw_figures(results), "precision_recall_best"]}


class TestMethods:
    def test_the_numbers_are_those_of_the_study(self, results: Results) -> None:
        text = methods_text(results)
        split = results.split
        assert f"{split['image'].nunique()} images of {split['slide'].nunique()} slides" in text
        assert f"{int(results.counts['n_specimens'].sum())} annotated specimens of 5 species" in text
        assert "training (16 slides, 32 images, 310 specimens)" in text
        assert "Two detectors were trained: Faster R-CNN Lite0 (640 px, 30 epochs, batch size 8" in text
        assert "Each was trained twice, with the seeds 1 and 2" in text
        assert "1,000 resamples" in text
        assert "at most 300 per image" in text
        assert "PyTorch 2.9.0" in text
        assert "AMD EPYC" in text
        for missing in ("None", "nan", "{", "–"):
            assert missing not in text

    def test_species_are_in_italics(self, results: Results) -> None:
        italics = [text for paragraph in methods_paragraphs(results) for text, italic in paragraph if italic]
        assert italics == [one["name"] for one in results.species_list]

    def test_authorities_are_told_and_stay_upright(self, results: Results) -> None:
        text = methods_text(results)
        assert ": Ceratophysella denticulata (Bagnall, 1941); Isotomiella minor (Schäffer, 1896); " in text
        assert "; and Parisotoma notabilis (Schäffer, 1896). Whole slides" in text
        nameless = [{**one, "authority": None} for one in results.species_list]
        plain = methods_text(dataclasses.replace(results, species_list=nameless))
        assert "Metaphorura affinis and Parisotoma notabilis. Whole slides" in plain

    def test_parts_that_were_given_are_not_called_drawn_by_chance(self, results: Results) -> None:
        def text(given: int) -> str:
            facts = {"split": {"images_with_given_part": given}}
            return methods_text(dataclasses.replace(results, provenance=facts))

        assert "stratified by species (Sechidis" in text(0)
        assert "10 images as the data set gives it, the others stratified by species" in text(10)
        assert "The parts came with the data set: training (16 slides" in text(80)
        assert "stratified" not in text(80)

    def test_painted_slides_are_called_so(self, results: Results) -> None:
        config = {**results.config, "dataset": {"annotations": {"format": "painted"}}}
        painted = dataclasses.replace(results, config=config)
        assert "40 slides, painted by Podura, with" in methods_text(painted)
        assert gaps(painted)[0].startswith("These slides are painted")
        assert "painted" not in methods_text(results) + " ".join(gaps(results))

    def test_what_is_missing_from_a_partial_study_is_not_told_as_done(self, results: Results) -> None:
        trainings = {key: facts for key, facts in results.trainings.items() if key != ("yolov5n", "seed-2")}
        partial = dataclasses.replace(results, trainings=trainings, missing=["YOLOv5n, seed 2: not yet."])
        text = methods_text(partial)
        assert "with the seeds 1 and 2 (fewer: YOLOv5n (anchor-free head), 1 training)" in text
        assert "Results are preliminary: 1 planned run is not among them." in text
        alone = {key: facts for key, facts in results.trainings.items() if key[0] != "yolov5n"}
        assert "One detector was trained: Faster" in methods_text(
            dataclasses.replace(results, trainings=alone)
        )
        assert "preliminary" not in methods_text(results)
        assert "fewer" not in methods_text(results)

    def test_only_libraries_that_were_used_are_named(self, results: Results) -> None:
        trainings = {
            key: {**facts, "versions": {"python": "3.11", "torchvision": "0.29", "transformers": "5.24"}}
            for key, facts in results.trainings.items()
        }
        text = methods_text(dataclasses.replace(results, trainings=trainings))
        assert "torchvision 0.29" in text
        assert "transformers" not in text

    def test_another_study_has_another_text(self, results: Results) -> None:
        assert methods_text(results) == methods_text(make_results())
        one = methods_text(make_results(n_detectors=1, n_seeds=1))
        assert "One detector was trained" in one
        assert "once, with the seed 1" in one
        assert "averaged over species." in one
        many = methods_text(make_results(n_detectors=12, n_species=20, n_epochs=2))
        assert "Twelve detectors were trained." in many
        assert "of 20 species." in many

    def test_without_trainings_nothing_is_made_up(self, results: Results) -> None:
        text = methods_text(dataclasses.replace(results, trainings={}))
        assert "px" not in text
        assert "PyTorch" not in text
        assert "seeds 1 and 2" in text  # the configuration tells them


class TestRandomness:
    def test_answers_seeds_determinism_folds_ensembles_and_spread(self, results: Results) -> None:
        answers = dict(randomness(results))
        text = " ".join(answers.values())
        assert "seeds 1 and 2" in text
        assert "byte for byte" in answers["Would it come out the same again?"]
        assert "one split" in answers["Does it hang on one split?"]
        assert "No detector here fuses" in answers["Are runs averaged?"]
        sd = results.models_table.loc[results.models_table["role"] == "detector", "map50_95_seed_sd"].median()
        assert f"{sd:.3f}" in answers["What spread remains?"]

    def test_operations_without_a_deterministic_form_are_named(self, results: Results) -> None:
        key, facts = next(iter(results.trainings.items()))
        loose = {**facts, "nondeterministic_operations": ["roi_align_backward"]}
        text = dict(randomness(dataclasses.replace(results, trainings={**results.trainings, key: loose})))
        assert "roi_align_backward" in text["Would it come out the same again?"]
        assert "byte for byte" not in text["Would it come out the same again?"]

    def test_one_seed_has_no_spread(self) -> None:
        single = make_results(n_seeds=1)
        assert "not known" in dict(randomness(single))["What spread remains?"]
        assert {row["sd"] for row in spread_rows(single)} == {"–"}
        assert {row["seeds"] for row in species_spread_rows(single)} == {"–"}

    def test_missing_runs_are_not_told_as_trained(self, results: Results) -> None:
        partial = dataclasses.replace(results, missing=["YOLOv5n, seed 2: not yet.", "another"])
        said = dict(randomness(partial))["Which seeds?"]
        assert said.startswith("Every detector is to be trained with each of the seeds 1 and 2 ")
        assert "lacks 2 of these runs" in said
        assert "lacks" not in dict(randomness(results))["Which seeds?"]

    def test_one_thread_is_one(self, results: Results) -> None:
        assert {row["determinism"] for row in training_rows(results)} == {
            "deterministic algorithms, 1 CPU thread"
        }

    def test_every_training_has_its_digest(self, results: Results) -> None:
        rows = training_rows(results)
        assert len(rows) == 4
        assert [row["weights"] for row in rows] == [
            results.trainings[model, f"seed-{seed}"]["weights_sha256"]
            for model in ("fasterrcnn_lite0", "yolov5n")
            for seed in (1, 2)
        ]


class TestCosts:
    def test_what_was_not_measured_is_a_dash(self, results: Results) -> None:
        rows = cost_rows(results)
        assert [row["label"] for row in rows] == ["Faster R-CNN Lite0", "YOLOv5n (anchor-free head)"]
        assert rows[0]["training"] == "1 min 33 s"
        assert rows[0]["training_energy"] == rows[0]["device"] == "–"
        assert rows[0]["size"] == "", "a dash beneath a value would tell nothing"
        assert energy_note(results) == ""

    def test_the_table_of_costs_adds_size_speed_and_energy(self, results: Results) -> None:
        nothing = dict.fromkeys(tables.BENCHMARK_COSTS.names)
        measured = {
            "model_mb": 10.2,
            "device": "cuda:0 (NVIDIA A40)",
            "training_images_per_second": 61.3,
            "training_energy_wh": 12.345,
            "detection_megapixels_per_second": 4.5,
            "energy_status": "measured",
            "energy_note": "of the GPU",
        }
        costs = tables.BENCHMARK_COSTS.frame([{**nothing, "model": "yolov5n", **measured}])
        known = dataclasses.replace(results, costs=costs)
        (_, fast) = cost_rows(
            dataclasses.replace(
                results,
                costs=costs.assign(training_energy_wh=12_345.0, training_images_per_second=1239.7),
            )
        )
        assert (fast["training_energy"], fast["training_images"]) == ("12,345 Wh", "1,240 images/s")
        other, row = cost_rows(known)
        assert row["training_energy"] == "12.3 Wh"
        assert row["training_images"] == "61.3 images/s"
        assert row["detection_rate"] == "4.5 megapixels/s"
        assert row["device"] == "cuda:0 (NVIDIA A40)"
        assert other["size"] == ""
        assert energy_note(known) == "Energy: measured (of the GPU)."


class TestGaps:
    def test_a_whole_study_has_none(self) -> None:
        whole = make_results(without_truth=(), leakage=tables.LEAKAGE.frame([]))
        assert gaps(whole) == []

    def test_species_seeds_scores_and_images(self, results: Results) -> None:
        assert any("Parisotoma notabilis" in sentence for sentence in gaps(results))
        single = gaps(make_results(n_seeds=1))
        assert any("one seed only" in sentence and "two detectors" in sentence for sentence in single)
        alone = " ".join(gaps(make_results(n_seeds=1, n_detectors=1)))
        assert "The detector was trained with one seed only." in alone
        assert "two detectors" not in alone
        models = results.models_table.copy()
        models.loc[models["model"] == "yolov5n", ["map50_95", "rank"]] = None
        models.loc[models["model"] == "fasterrcnn_lite0", "n_seeds"] = 1
        detections = {
            ("yolov5n", "seed-1"): {"test": {"failed": {"a.png": "is cut off"}, "capped": ["b.png"]}}
        }
        said = " ".join(gaps(dataclasses.replace(results, models_table=models, detections=detections)))
        assert "Without a score: YOLOv5n (anchor-free head)." in said
        assert "With 1 seed of 2: Faster R-CNN Lite0." in said
        models.loc[models["model"] == "yolov5n", "n_seeds"] = 0
        said_once = " ".join(gaps(dataclasses.replace(results, models_table=models)))
        assert said_once.count("YOLOv5n") == 1
        assert "could not be read, and so show no detection: a.png." in said
        assert "cap of 300" in said

    def test_missing_runs_stand_first_and_are_told(
        self, results: Results, figures: dict[str, Markup]
    ) -> None:
        missing = [f"Detector {k}, seed 1: its training has not ended." for k in range(20)]
        page = render_report(dataclasses.replace(results, missing=missing), figures)
        assert "20 runs are missing" in page
        assert page.index("This report is not whole") < page.index('id="which"')
        assert all(sentence in page for sentence in missing)
        assert "This report is not whole" not in render_report(results, figures)


class TestGalleries:
    def test_tells_what_happened_and_how_many_there_are(self, results: Results) -> None:
        first = galleries(results)[0]
        assert first["label"] == "Faster R-CNN Lite0"
        kinds = {kind["kind"]: kind for kind in first["kinds"]}
        errors = results.diagnosis["errors"]
        of_first = errors[(errors["model"] == "fasterrcnn_lite0") & (errors["level"] == "threshold")]
        total = of_first.loc[of_first["kind"] == "missed", "n"].sum()
        assert kinds["missed"]["shown"] == f"3 of {total}"
        said = kinds["wrong_species"]["items"][0]
        assert said["alt"] == "Isotomiella minor (0.99), in truth Ceratophysella denticulata"
        assert [text for text, italic in said["words"] if italic] == [
            "Isotomiella minor",
            "Ceratophysella denticulata",
        ]
        assert "nothing is annotated" in kinds["background"]["items"][0]["alt"]
        assert said["source"].startswith("data:image/jpeg;base64,")

    def test_a_page_holds_few_and_the_archive_all(self, results: Results) -> None:
        table, files = make_crops(results, n_of_kind=20)
        shown = shown_in_page(table, results.models_table)
        assert len(shown) == 2 * 6 * 8
        assert shown["rank"].head(6).tolist() == [1] * 6
        few = dict(list(files.items())[:5])
        some = dataclasses.replace(results, crops_table=table, crops=few)
        assert sum(len(k["items"]) for g in galleries(some) for k in g["kinds"]) == 5
        everything = galleries(some, "gallery")
        assert sum(len(k["items"]) for g in everything for k in g["kinds"]) == len(files)
        assert everything[0]["kinds"][0]["items"][0]["source"].startswith("gallery/fasterrcnn")

    def test_the_budget_of_bytes_is_kept(self, results: Results, tmp_path: Path) -> None:
        table, files = make_crops(results)
        for name in files:
            (tmp_path / name).write_bytes(b"x" * (MOST_BYTES // 10))
        found = within_budget(table, results.models_table, tmp_path)
        assert len(found) == 10
        assert sum(map(len, found.values())) <= MOST_BYTES

    def test_a_page_that_is_too_large_leaves_out_pictures(
        self, results: Results, figures: dict[str, Markup]
    ) -> None:
        whole, n = archive.fitted_page(results, figures)
        assert n == 36
        smaller, n = archive.fitted_page(results, figures, most=len(whole.encode()) - 1)
        assert n == 18
        assert len(smaller) < len(whole)
        _, none = archive.fitted_page(results, figures, most=1000)
        assert none == 0

    def test_the_archive_is_the_same_each_time_and_its_pictures_are_there(
        self, results: Results, figures: dict[str, Markup], tmp_path: Path
    ) -> None:
        (tmp_path / "gallery").mkdir()
        for name, picture in results.crops.items():
            (tmp_path / "gallery" / name).write_bytes(picture)
        (tmp_path / "species.csv").write_text("a,b\n", encoding="utf-8")
        page = render_report(results, figures, crops_folder="gallery")
        for name in ("one.zip", "two.zip"):
            archive.write_archive(tmp_path / name, page, tmp_path / "gallery", tmp_path)
        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
        with zipfile.ZipFile(tmp_path / "one.zip") as opened:
            names = opened.namelist()
            assert opened.testzip() is None
        assert "report/tables/species.csv" in names
        sources = [i["source"] for g in galleries(results, "gallery") for k in g["kinds"] for i in k["items"]]
        assert {f"report/{source}" for source in sources} <= set(names)
        assert "benchmark/report.zip" not in page
        assert "This page is one file" not in page
        assert "pictures that lie beside it" in page
