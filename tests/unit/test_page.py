from __future__ import annotations

import dataclasses
import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podura import tables
from podura.annotations.kinds import KINDS
from podura.report import certificates, summary, wording
from podura.report.figures import models_figure
from podura.report.leakage import leakage_rows, leakage_verdict
from podura.report.page import render_report
from podura.report.results import SHUFFLED_CONTROL, TRUTH_CONTROL, Results
from report_data import make_results

NASTY = "<script>alert(\"1\")</script><b onclick='x'>&"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a page holds: its elements, and the text of each."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.mistakes: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return render_report(results)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def with_models(results: Results, model: str, **values: Any) -> Results:
    models = results.models_table.copy()
    for column, value in values.items():
        models.loc[models["model"] == model, column] = value
    return dataclasses.replace(results, models_table=tables.BENCHMARK_MODELS.frame(models))


def with_species(results: Results, model: str, **values: Any) -> Results:
    rows = results.species_table.copy()
    for column, value in values.items():
        rows.loc[(rows["model"] == model) & rows["ap50"].notna(), column] = value
    return dataclasses.replace(results, species_table=tables.BENCHMARK_SPECIES.frame(rows))


class TestNumbers:
    @given(st.floats(0, 1))
    def test_only_exact_ends_are_written_as_such(self, value: float) -> None:
        shown = wording.fraction(value)
        assert (shown == "1.00") == (value == 1)
        assert (shown == "0.00") == (value == 0)
        assert abs(float(shown.strip("<>")) - value) <= 0.01

    @pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, float("inf")])
    def test_missing_is_a_dash_in_every_wording(self, missing: Any) -> None:
        words = (
            wording.fraction,
            wording.count,
            wording.duration,
            wording.memory,
            wording.millions,
        )
        assert {word(missing) for word in words} == {"–"}
        assert wording.interval(missing, 1.0) == wording.interval(0.0, missing) == "–"

    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [
            (0.041, "41 ms"),
            (0.9996, "1 s"),
            (3.52, "3.5 s"),
            (59.9, "1 min 0 s"),
            (93.4, "1 min 33 s"),
            (4820, "1 h 20 min"),
        ],
    )
    def test_durations(self, seconds: float, shown: str) -> None:
        assert wording.duration(seconds) == shown

    def test_others(self) -> None:
        assert wording.count(12345) == "12,345"
        assert wording.millions(41_300_000) == "41.3 million"
        assert wording.millions(1_239_600_000) == "1,240 million"
        assert wording.memory(2048) == "2.0 GB"
        assert wording.memory(999.7) == "1.0 GB"
        assert wording.listing(["A", "B", "C"]) == "A, B and C"
        assert wording.percent(0.95) == "95\u00a0%"


class TestVerdict:
    def test_names_the_best_with_interval_and_seeds(self, results: Results) -> None:
        told = with_models(results, "fasterrcnn_lite0", map50_95=0.714, map50_95_low=0.66, map50_95_high=0.75)
        rows = told.species_table.copy()
        for seed, value in ((1, 0.70), (2, 0.72)):
            mask = (rows["model"] == "fasterrcnn_lite0") & (rows["seed"] == seed) & rows["ap50"].notna()
            rows.loc[mask, "ap50_95"] = value
        told = dataclasses.replace(told, species_table=rows)
        first = wording.verdict(told)[0].replace("\u00a0", " ")
        assert first == (
            "Faster R-CNN Lite0 has the highest mean AP50:95 "
            "(0.71; 95 % interval over slides and seeds 0.66 to 0.75; seeds 0.70 to 0.72)."
        )

    def test_without_comparisons_intervals_say_whether_detectors_differ(self, results: Results) -> None:
        results = dataclasses.replace(results, comparisons=None)
        apart = with_models(results, "yolov5n", map50_95_low=0.1, map50_95_high=0.2)
        assert "lies wholly below it" in wording.verdict(apart)[1]
        close = with_models(results, "yolov5n", map50_95_high=0.72)
        assert "overlaps that of YOLOv5n" in wording.verdict(close)[1]
        assert "do not separate them" in wording.verdict(close)[1]
        unknown = with_models(results, "yolov5n", map50_95_high=None)
        assert "cannot be said" in wording.verdict(unknown)[1]

    def test_equal_detectors_share_the_first_place(self, results: Results) -> None:
        value = float(results.models_table["map50_95"][results.models_table["role"] == "detector"].max())
        sentence = wording.verdict(with_models(results, "yolov5n", map50_95=value))[0]
        assert "share the highest" in sentence

    def test_one_seed_and_one_detector(self) -> None:
        sentences = wording.verdict(make_results(n_detectors=1, n_seeds=1))
        assert "spread over seeds is unknown" in sentences[0]
        assert "highest" not in sentences[0]
        assert " has a mean AP50:95 of 0." in sentences[0]
        assert "only detector" in sentences[1]

    def test_without_a_score_nobody_wins(self, results: Results) -> None:
        assert "No detector has a score" in wording.verdict(make_results(n_detectors=0))[0]
        partly = with_models(results, "yolov5n", map50_95=None, rank=None)
        assert wording.verdict(partly)[-1] == "YOLOv5n (anchor-free head): no score."


class TestOneDetectorWithOneSeed:
    def test_what_one_alone_cannot_tell_is_not_told(self) -> None:
        alone = make_results(n_detectors=1, n_seeds=1)
        assert summary.ranking_rows(alone)[0]["chance_best"] == "–"
        verdict = certificates.species_verdict(alone)
        assert verdict is not None
        assert "Yes" in dict(verdict["answers"])
        text = Page(render_report(alone)).text
        assert "Each detector is trained again with each seed: the same images" not in text
        assert "over slides and seeds" not in text
        assert "each detector was trained with one seed" in text

    def test_a_detector_without_a_score_has_a_row_that_says_so(self, results: Results) -> None:
        unscored = with_models(
            results, "yolov5n", map50_95=None, map50_95_low=None, map50_95_high=None, rank=None
        )
        row = summary.ranking_rows(unscored)[-1]
        assert (row["label"], row["map50_95"], row["map50_95_interval"]) == (
            "YOLOv5n (anchor-free head)", "–", "",
        )  # fmt: skip
        figure = models_figure(unscored.models_table, unscored.species_table)
        assert [t.get_text() for axis in figure.axes for t in axis.texts] == ["no score"]


class TestControls:
    def test_good_controls_raise_no_alarm(self, results: Results, page: Page) -> None:
        assert [row["fault"] for row in summary.control_rows(results)] == ["", ""]
        assert "Do not use these results" not in page.text
        assert not [e for _, e in page.elements if e.get("role") == "alert"]

    @pytest.mark.parametrize(
        ("model", "values", "said"),
        [
            (TRUTH_CONTROL, {"map50_95": 0.9999}, "less than 1"),
            (TRUTH_CONTROL, {"map50": None}, "no score"),
            (SHUFFLED_CONTROL, {"map50": 0.05}, "not about 0"),
        ],
    )
    def test_a_control_at_fault_is_announced_first(
        self, results: Results, model: str, values: dict[str, Any], said: str
    ) -> None:
        text = Page(render_report(with_models(results, model, **values))).text
        assert said in text
        assert text.index("Do not use these results") < text.index("has the highest")

    def test_one_species_of_the_truth_below_one_is_a_fault(self, results: Results) -> None:
        rows = results.species_table.copy()
        rows.loc[rows[(rows["model"] == TRUTH_CONTROL) & rows["ap50"].notna()].index[0], "ap50"] = 0.5
        at_fault = dataclasses.replace(results, species_table=rows)
        assert "lowest: 0.500" in summary.control_rows(at_fault)[0]["fault"]

    def test_a_control_that_was_not_run_is_a_fault(self, results: Results) -> None:
        models = results.models_table[results.models_table["model"] != SHUFFLED_CONTROL]
        without = dataclasses.replace(results, models_table=models)
        assert summary.control_rows(without)[1]["fault"] == "was not run"

    def test_controls_are_never_ranked(self, results: Results) -> None:
        labels = {row["label"] for row in summary.ranking_rows(results)}
        assert labels == {"Faster R-CNN Lite0", "YOLOv5n (anchor-free head)"}
        assert {row["label"] for row in summary.species_rows(results)} == labels


class TestSpecies:
    def test_a_row_for_each_detector_seed_and_species(self, results: Results) -> None:
        rows = summary.species_rows(results)
        assert len(rows) == 2 * 2 * 5
        assert [row["code"] for row in rows[:4]] == ["CER-DEN"] * 4

    def test_missing_is_a_dash_and_sorts_as_missing(self, results: Results) -> None:
        row = next(r for r in summary.species_rows(results) if r["code"] == "PAR-NOT")
        for cell in ("ap50", "ap50_95", "threshold", "precision", "recall", "calibration"):
            assert (row[cell]["text"], row[cell]["value"]) == ("–", "")
        assert row["target"] == "–"
        assert row["truth"]["text"] == "0", "no specimen was found: that is a count, and not missing"

    @pytest.mark.parametrize(
        ("precision", "high", "answer"), [(0.95, 0.99, "yes"), (0.94, 0.99, "no"), (0.9, 0.93, "clearly no")]
    )
    def test_target_on_test(self, results: Results, precision: float, high: float, answer: str) -> None:
        made = with_species(results, "yolov5n", test_precision=precision, test_precision_high=high)
        rows = [r for r in summary.species_rows(made) if r["model"] == "yolov5n" and r["code"] == "CER-DEN"]
        assert {row["target"] for row in rows} == {answer}

    def test_the_best_detector_answers_for_each_species_once(self, results: Results) -> None:
        made = with_species(results, "fasterrcnn_lite0", threshold_status="certified")
        verdict = certificates.species_verdict(made)
        assert verdict is not None
        assert verdict["label"] == "Faster R-CNN Lite0"
        answers = {answer: len(species) for answer, species in verdict["answers"]}
        assert answers == {"Yes, with every seed": 4, "Not yet: it takes more calibration slides": 1}

    @pytest.mark.parametrize(
        ("states", "answer"),
        [
            (["certified", "needs_more"], "With some seeds only"),
            (["needs_more", "failed"], "Not yet: it takes more calibration slides"),
            (["failed", "failed"], "No: the calibration slides show less"),
        ],
    )
    def test_seeds_that_differ(self, results: Results, states: list[str], answer: str) -> None:
        rows = results.species_table.copy()
        of_best = (rows["model"] == "fasterrcnn_lite0") & (rows["species"] == "CER-DEN")
        rows.loc[of_best, "threshold_status"] = states
        verdict = certificates.species_verdict(dataclasses.replace(results, species_table=rows))
        assert verdict is not None
        names = dict(verdict["answers"])[answer]
        assert [("Ceratophysella denticulata", True)] in names

    def test_what_a_threshold_still_needs_is_told(self, results: Results) -> None:
        made = with_species(
            results, "yolov5n", threshold=None, threshold_status="needs_more", needs_about=80, needs_slides=1
        )
        row = next(
            r for r in summary.species_rows(made) if r["model"] == "yolov5n" and r["code"] == "CER-DEN"
        )
        assert row["threshold"]["text"] == "–"
        assert row["certificate"]["text"] == "needs more slides"
        assert row["certificate"]["note"] == "about 80 detections on 1 slide"

    def test_a_certificate_that_test_contradicts_is_flagged(self, results: Results) -> None:
        assert certificates.contradictions(with_species(results, "yolov5n", test_precision_high=0.99)) == []
        low = {"test_precision": 0.9, "test_precision_low": 0.85, "test_precision_high": 0.93}
        made = with_species(results, "yolov5n", threshold_status="certified", **low)
        found = certificates.contradictions(made)
        assert len(found) == 2 * 4
        assert found[0].endswith("seed 1: 0.90 (0.85 to 0.93)")
        page = render_report(made)
        assert "Do not use these thresholds" in page
        unproved = with_species(made, "yolov5n", threshold_status="needs_more")
        assert certificates.contradictions(unproved) == []

    def test_the_empirical_threshold_is_explained(self, page: Page) -> None:
        assert "misses its promise about half of the time" in page.text
        assert "empirical threshold" in page.text
        assert "not_certified" not in page.text

    def test_only_statuses_that_occur_are_explained(self, results: Results) -> None:
        made = with_species(results, "fasterrcnn_lite0", threshold_status="certified")
        made = with_species(made, "yolov5n", threshold_status="certified")
        labels = [label for label, _ in certificates.status_meanings(made)]
        assert labels == ["certified", "needs more slides"], "PAR-NOT has no detection on calibration slides"


class TestData:
    def test_parts_and_specimens(self, results: Results) -> None:
        parts = {row["part"]: row for row in summary.part_rows(results)}
        assert parts["train"] == {"part": "train", "slides": "16", "images": "32", "specimens": "310"}
        rows = summary.species_count_rows(results)
        assert [c["text"] for c in rows[4]["cells"]] == ["64", "24", "29", "0"]

    def test_a_species_without_counts_is_missing_not_zero(self, results: Results) -> None:
        some = dataclasses.replace(results, counts=results.counts[results.counts["species"] != "ISO-MIN"])
        cells = summary.species_count_rows(some)[1]["cells"]
        assert [cell["text"] for cell in cells] == ["–"] * 4

    def test_faults_by_kind_the_gravest_first(self, results: Results) -> None:
        rows = summary.problem_rows(results)
        assert [(row["severity"], row["number"], row["more"]) for row in rows] == [
            ("error", 1, 0),
            ("warning", 7, 4),
        ]
        assert sum(row["number"] for row in rows) == len(results.problems)
        assert rows[1]["kind"] == "partly outside"
        assert rows[1]["meaning"] == KINDS["partly_outside"].meaning
        assert rows[1]["meaning"] in Page(render_report(results)).text

    def test_a_kind_of_another_version_is_told_without_meaning(self, results: Results) -> None:
        other = dataclasses.replace(results, problems=results.problems.assign(kind="some_old_kind"))
        assert {(row["kind"], row["meaning"]) for row in summary.problem_rows(other)} == {
            ("some old kind", "")
        }

    def test_no_fault_is_said_in_words(self) -> None:
        page = Page(render_report(make_results(problems=tables.PROBLEMS.frame([]))))
        assert "None was found." in page.text


class TestPage:
    def test_is_well_formed_and_names_itself(self, html: str, page: Page) -> None:
        assert html.startswith("<!DOCTYPE html>")
        assert page.mistakes == []
        assert page.open == []
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.all("h1")) == 1
        assert "demo" in html[html.index("<title>") : html.index("</title>")]

    def test_needs_nothing_from_elsewhere(self, html: str, page: Page) -> None:
        for _, attributes in page.elements:
            for key in ("src", "href", "action", "data", "poster"):
                assert attributes.get(key, "#").startswith(("#", "data:"))
        assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", html)
        policy = page.all("meta")[3]["content"]
        assert policy.startswith("default-src 'none'")

    def test_answers_in_the_order_of_the_questions(self, page: Page) -> None:
        ids = [e["id"] for e in page.all("section") if "id" in e]
        assert ids == ["which", "species", "sure", "fails", "data", "made", "limits"]
        linked = [e["href"] for e in page.all("a") if "class" not in e]
        assert linked == [f"#{name}" for name in ids]

    def test_headings_do_not_skip_a_level(self, page: Page) -> None:
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))

    def test_tables_and_figures_are_named(self, page: Page) -> None:
        assert len(page.all("caption")) == len(page.all("table"))
        assert {e.get("scope") for e in page.all("th")} == {"col", "row"}
        # The image of the viewer has neither a source nor a name until it is opened.
        assert all(e["alt"] for e in page.all("img") if "src" in e)
        assert len(page.all("svg")) == 12
        assert all(e["role"] == "img" and e["aria-label"] for e in page.all("svg"))

    def test_ids_are_unique_and_references_lead_somewhere(self, page: Page) -> None:
        ids = [e["id"] for _, e in page.elements if "id" in e]
        assert len(ids) == len(set(ids))
        for _, element in page.elements:
            if "aria-labelledby" in element:
                assert element["aria-labelledby"] in ids

    def test_every_row_of_the_tables_has_all_cells(self, html: str) -> None:
        for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
            widths = {
                len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
            }
            assert len(widths) == 1

    def test_says_what_made_it(self, page: Page) -> None:
        for fact in ("torch", "2.9.0", "x86_64, 2 cores", "ad30434", "20261124", "max_detections", "300"):
            assert fact in page.text

    def test_same_results_same_page(self, html: str) -> None:
        assert render_report(make_results()) == html

    def test_texts_are_escaped_everywhere(self, results: Results) -> None:
        models = results.models_table.copy()
        for column in ("label", "framework", "licence"):
            models[column] = NASTY
        evil = dataclasses.replace(
            results,
            models_table=models,
            problems=results.problems.assign(image=NASTY, kind=NASTY, message=NASTY, treatment=NASTY),
            species_list=[
                {"code": s["code"], "name": NASTY, "authority": NASTY, "family": NASTY}
                for s in results.species_list
            ],
            config={**results.config, "study": NASTY, "seeds": [NASTY], NASTY: NASTY},
            provenance={NASTY: {NASTY: [NASTY, {NASTY: NASTY}]}},
            overlays=[(NASTY, b"")],
        )
        page = Page(render_report(evil))
        assert len(page.all("script")) == 1, "only the page's own"
        assert page.all("b") == []
        assert not [e for _, e in page.elements if any(key.startswith("on") for key in e)]
        assert page.mistakes == []

    @pytest.mark.parametrize(
        "made",
        [
            {"n_detectors": 0, "n_seeds": 1},
            {"n_detectors": 1, "n_seeds": 1, "n_species": 1, "without_truth": ("CER-DEN",)},
            {"overlays": (), "provenance": {}},
        ],
    )
    def test_a_study_with_little_still_has_a_page(self, made: dict[str, Any]) -> None:
        page = Page(render_report(make_results(n_epochs=2, **made)))
        assert page.mistakes == []
        assert "nan" not in page.text.lower().split()
        assert "None" not in page.text.replace("None was found", "")

    @pytest.mark.slow
    def test_a_large_study_stays_below_15_megabytes(self) -> None:
        large = make_results(n_detectors=20, n_seeds=5, n_species=50)
        html = render_report(large)
        assert len(html.encode()) < 15e6
        assert html.count('<tr data-model="') == 20 * 5 * 50
        assert re.search(r'<option value="\w+" selected>', html), "one detector is shown at first"


def test_results_refuse_tables_that_are_not_the_declared_ones(results: Results) -> None:
    with pytest.raises(ValueError, match="benchmark_models"):
        dataclasses.replace(results, models_table=results.models_table.drop(columns="rank"))
    with pytest.raises(ValueError, match="n_specimens"):
        dataclasses.replace(results, counts=results.counts.drop(columns="n_specimens"))


def leakage(*rows: tuple[str, str]) -> pd.DataFrame:
    """Pairs of these severities and kinds."""
    found = [
        {
            "severity": severity,
            "kind": kind,
            "image_1": f"a{number}{NASTY}",
            "slide_1": "s1",
            "part_1": "train",
            "image_2": f"b{number}",
            "slide_2": "s2",
            "part_2": "test",
            "score": 0.9,
            "message": "the files are equal",
        }
        for number, (severity, kind) in enumerate(rows)
    ]
    return tables.LEAKAGE.frame(found)


def test_the_page_says_whether_parts_share_images():
    leaks = leakage(("leak", "same_file"), ("leak", "same_file"), ("within part", "overlap"))
    page = Page(render_report(make_results(leakage=leaks)))
    assert "2 pairs of images in different parts show the same" in page.text
    assert "flatter every detector" in page.text
    assert "two parts" in page.text
    assert f"a0{NASTY}" in page.text
    assert not page.mistakes
    assert leakage_rows(make_results(leakage=leaks))[0]["number"] == "2"


def test_the_page_says_that_nothing_was_found_or_that_nobody_looked():
    harmless = leakage(("within part", "overlap"))
    assert "none of one part shows what another part shows" in leakage_verdict(harmless)
    assert "1 pair does" in leakage_verdict(harmless)
    page = Page(render_report(make_results(leakage=leakage())))
    assert "none of one part shows what another part shows" in page.text
    assert "not compared with each other" in Page(render_report(make_results())).text


def test_a_search_of_settings_is_told_of_with_its_budget(results: Results) -> None:
    assert "were searched" not in render_report(results)
    config = {**results.config, "search": {"trials": 12, "epochs_per_trial": 4}}
    page = Page(render_report(dataclasses.replace(results, config=config)))
    assert "12 trials of 4 epochs each, as many for every detector" in page.text
