"""What the page and its figures say of which detector is better, and of detectors among people."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from podura import tables
from podura.report import people as of_people
from podura.report import wording
from podura.report.comparison_figures import differences_figure, ranks_figure
from podura.report.comparisons import pair_rows, signed, undecided_groups, winner_sentences
from podura.report.page import render_report
from podura.report.people import people_figure, people_rows, people_sentences
from podura.report.results import Results
from podura.report.style import HUES, INK
from report_data import make_results, with_people

LITE0, YOLO, THIRD = "Faster R-CNN Lite0", "YOLOv5n (anchor-free head)", "Detector number 0"


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def compared(results: Results, *verdicts: tuple[str, str, str]) -> Results:
    """The same results with these verdicts of pairs."""
    assert results.comparisons is not None
    table = results.comparisons.copy()
    for model, other, verdict in verdicts:
        pair = (table["model"] == model) & (table["other"] == other)
        assert pair.sum() == 1
        table.loc[pair, "verdict"] = verdict
    return dataclasses.replace(results, comparisons=table)


def bars(figure: Figure) -> list[tuple[float, float]]:
    """Left and right end of the bars that join detectors."""
    lines = [line for axis in figure.axes for line in axis.lines if line.get_linewidth() > 3]
    return [(float(line.get_xdata()[0]), float(line.get_xdata()[1])) for line in lines]  # type: ignore[index]


@pytest.fixture(scope="module")
def three() -> Results:
    return make_results(n_detectors=3)


class TestUndecided:
    @staticmethod
    def table(rows: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=["model", "other", "verdict"])

    def test_bars_join_neighbours_that_nothing_tells_apart(self) -> None:
        rows = [("a", "b", "undecided"), ("a", "c", "better"), ("b", "c", "undecided"), ("a", "d", "better")]
        rows += [("b", "d", "better"), ("c", "d", "undecided")]
        table = self.table(rows)
        assert undecided_groups(table, ["a", "b", "c", "d"]) == [("a", "b"), ("b", "c"), ("c", "d")]
        table["verdict"] = "undecided"
        assert undecided_groups(table, ["a", "b", "c", "d"]) == [("a", "b", "c", "d")]


class TestDifferences:
    def test_a_bar_spans_its_group_and_no_more(self, three: Results) -> None:
        values = three.models_table.set_index("model")["map50_95"].astype(float)
        made = compared(
            three,
            ("fasterrcnn_lite0", "yolov5n", "better"),
            ("fasterrcnn_lite0", "model_0", "better"),
            ("yolov5n", "model_0", "undecided"),
        )
        ((left, right),) = bars(differences_figure(made.comparisons, made.models_table))
        assert left < values["model_0"] < values["yolov5n"] < right < values["fasterrcnn_lite0"]

    def test_where_all_are_told_apart_there_is_no_bar(self, three: Results) -> None:
        pairs = [("fasterrcnn_lite0", "yolov5n"), ("fasterrcnn_lite0", "model_0"), ("yolov5n", "model_0")]
        made = compared(three, *[(one, other, "better") for one, other in pairs])
        assert bars(differences_figure(made.comparisons, made.models_table)) == []

    def test_names_stand_beside_the_axis_and_do_not_overlap(self) -> None:
        many = make_results(n_detectors=20)
        figure = differences_figure(many.comparisons, many.models_table)
        renderer = FigureCanvasAgg(figure).get_renderer()
        (axis,) = figure.axes
        names = [text for text in axis.texts if "Detector" in text.get_text()]
        assert len(names) == 18
        boxes = [text.get_window_extent(renderer) for text in names]
        assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[place + 1 :])
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= figure.bbox.width

    @pytest.mark.parametrize("n", [0, 1])
    def test_without_two_detectors_it_says_so(self, n: int) -> None:
        little = make_results(n_detectors=n, n_seeds=1)
        assert "nothing is compared" in texts(differences_figure(little.comparisons, little.models_table))[0]
        assert "no ranking" in texts(ranks_figure(little.ranks, little.models_table))[0]


class TestRanks:
    def test_every_chance_is_written_in_its_place(self, three: Results) -> None:
        chances = {
            ("fasterrcnn_lite0", 1): 0.7,
            ("fasterrcnn_lite0", 2): 0.298,
            ("fasterrcnn_lite0", 3): 0.002,
        }
        chances |= {("yolov5n", 1): 0.3, ("yolov5n", 2): 0.7, ("yolov5n", 3): 0.0}
        chances |= {("model_0", 1): 0.0, ("model_0", 2): 0.002, ("model_0", 3): 0.998}
        rows = [{"model": m, "rank": rank, "chance": c} for (m, rank), c in chances.items()]
        figure = ranks_figure(tables.BENCHMARK_RANKS.frame(rows), three.models_table)
        (axis,) = figure.axes
        written = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in axis.texts}
        assert written == {
            (0, 1): "70", (0, 2): "30", (0, 3): "<1", (1, 1): "30", (1, 2): "70", (2, 2): "<1", (2, 3): ">99",
        }  # fmt: skip
        assert [label.get_text() for label in axis.get_yticklabels()] == [LITE0, YOLO, THIRD]
        assert {to_hex(cell.get_facecolor()[0]) for cell in axis.collections} == {HUES[0]}

    def test_ranks_that_nothing_tells_are_not_drawn(self, three: Results) -> None:
        assert three.ranks is not None
        unknown = three.ranks.assign(chance=None)
        assert "tell no ranks" in texts(ranks_figure(unknown, three.models_table))[0]


class TestPage:
    def test_the_winner_is_told_against_each_other_detector(self, three: Results) -> None:
        sentences = winner_sentences(three)
        assert len(sentences) == 2
        assert all(sentence.startswith(LITE0) for sentence in sentences)
        assert YOLO in sentences[0]
        page = render_report(three)
        assert "<details>\n<summary>All" not in page
        assert len(pair_rows(three)) == 3

    def test_many_pairs_are_folded_away(self) -> None:
        page = render_report(make_results(n_detectors=6))
        assert "<summary>All 15 pairs</summary>" in page
        assert "<summary>5 sentences" in page

    def test_one_detector_is_not_compared(self) -> None:
        alone = make_results(n_detectors=1, n_seeds=1)
        assert winner_sentences(alone) == pair_rows(alone) == []
        assert "Who is better than whom?" not in render_report(alone)

    def test_the_verdict_goes_by_paired_differences(self, three: Results) -> None:
        both = (("fasterrcnn_lite0", "yolov5n"), ("fasterrcnn_lite0", "model_0"))
        better = compared(three, *[(*pair, "better") for pair in both])
        assert wording.verdict(better)[1] == "It is better than every other detector on slides like these."
        models = better.models_table.copy()
        models.loc[len(models)] = {
            **models.iloc[0].to_dict(), "model": "failed", "label": "F", "rank": None, "map50_95": None,
        }  # fmt: skip
        failed = dataclasses.replace(better, models_table=tables.BENCHMARK_MODELS.frame(models))
        assert "better than every other detector with a score on slides" in wording.verdict(failed)[1]
        mixed = compared(three, (*both[0], "undecided"), (*both[1], "better"))
        assert wording.verdict(mixed)[1] == (
            f"It is better than {THIRD} on slides like these. These test slides do not tell it from {YOLO}: "
            "speed, size or licence may decide between them."
        )
        neither = compared(three, *[(*pair, "undecided") for pair in both])
        assert wording.verdict(neither)[1].startswith(f"These test slides do not tell it from {YOLO} and")
        assert three.comparisons is not None
        unknown = dataclasses.replace(three, comparisons=three.comparisons.assign(difference_low=None))
        assert "too few test slides" in wording.verdict(unknown)[1]

    def test_differences_are_signed(self) -> None:
        assert [signed(v) for v in (0.0123, -0.0041, 0.0, -0.0001, None)] == [
            "+0.012", "−0.004", "0.000", "0.000", "–",
        ]  # fmt: skip

    def test_chances_are_never_more_certain_than_they_are(self) -> None:
        shown = [wording.chance(v).replace("\u00a0", " ") for v in (0.999, 1.0, 0.5, 0.001, None)]
        assert shown == [">99 %", ">99 %", "50 %", "<1 %", "–"]


class TestPeople:
    def test_without_experts_the_page_does_not_speak_of_people(self, three: Results) -> None:
        page = render_report(three)
        assert 'id="people"' not in page
        assert 'href="#people"' not in page
        assert people_rows(three) == people_sentences(three) == []

    def test_with_experts_there_is_a_section_between_curves_and_data(self, three: Results) -> None:
        page = render_report(with_people(three))
        assert page.index('id="sure"') < page.index('id="people"') < page.index('id="data"')
        assert 'id="figure-people' in page or "Precision against recall on the test images" in page
        assert "Expert 3" in page
        assert "nan" not in page.lower().split()

    def test_detectors_stand_first_by_rank_then_experts_by_round(self, three: Results) -> None:
        rows = people_rows(with_people(three, n_experts=2))
        shown = [(row["label"], row["what"]) for row in rows]
        assert shown[:2] == [(LITE0, f"seed 1, {kind} thresholds") for kind in ("certified", "empirical")]
        assert shown[6:] == [
            *[("All experts", turn) for turn in ("first", "second")],
            *[(f"Expert {n}", turn) for turn in ("first", "second") for n in (0, 1)],
        ]

    def test_sentences_say_where_the_first_detector_stands(self, three: Results) -> None:
        made = with_people(three)
        assert made.people is not None
        table = made.people.copy()
        whole = table["species"] == tables.ALL_SPECIES
        last = whole & (table["kind"] == "expert") & (table["round"] == "second")
        table.loc[last & (table["reference"] == "given"), "f1"] = [0.6, 0.7, 0.8, 0.9]
        table.loc[last & (table["reference"] == "earlier"), "f1"] = 0.83
        first = whole & (table["who"] == "fasterrcnn_lite0")
        table.loc[first & (table["threshold"] == "certified"), "f1"] = 0.75
        table.loc[first & (table["threshold"] == "empirical"), "f1"] = None
        told = people_sentences(dataclasses.replace(made, people=table))
        assert told == [
            "4 experts on 12 test images, round “second”, compared with the annotations of the study: F1 "
            "0.60 to 0.90 over all species (median 0.75).",
            f"{LITE0}, ranked first, reaches an F1 of 0.75 at its certified thresholds: more than 2 of the 4 "
            "experts.",
            f"{LITE0}, ranked first, has no empirical threshold.",
            "Each expert agrees with their own earlier round with an F1 of 0.83.",
        ]
        table.loc[first & (table["threshold"] == "certified"), "f1"] = 0.5
        told = people_sentences(dataclasses.replace(made, people=table))
        assert told[1].endswith("no more than any of the experts.")

    def test_the_figure_has_a_dot_for_each_person_and_a_line_for_each_run(self, three: Results) -> None:
        made = with_people(three)
        assert made.people is not None
        assert made.people_curves is not None
        figure = people_figure(made.people, made.people_curves, made.models_table, made.species_list)
        whole, *species = [axis for axis in figure.axes if axis.get_visible()]
        assert len(species) == 5
        dark = [points for points in whole.collections if to_hex(points.get_edgecolor()[0]) == INK]
        people = [points for points in dark if len(points.get_offsets()) == 4]
        assert len(people) == 1, "those of the last round are dark"
        table = made.people
        shown = table[
            (table["species"] == tables.ALL_SPECIES)
            & (table["kind"] == "expert")
            & (table["reference"] == "given")
            & (table["round"] == "second")
        ]
        expected = shown[["recall", "precision"]].to_numpy(float)
        assert np.asarray(people[0].get_offsets()) == pytest.approx(expected)
        lines = [line for line in species[0].lines if len(line.get_xdata()) > 2]  # type: ignore[arg-type]
        assert len(lines) == 3

    def test_with_the_reference_others_the_page_explains_the_consensus(self, three: Results) -> None:
        page = render_report(with_people(three, reference="others"))
        assert "more than half of the experts" in page
        assert of_people.REFERENCES["others"] in page
        assert "flatters them" not in page
        assert "flatters them" in render_report(with_people(three))
