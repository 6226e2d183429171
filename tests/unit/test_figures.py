from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from podura.report.curves import precision_recall_figure, thinned
from podura.report.figures import draw_figures, models_figure, species_figure
from podura.report.parts import balanced_columns
from podura.report.results import (
    Results,
    full_names,
    name_parts,
    ordered_models,
    seed_means,
    short_names,
    with_italics,
)
from podura.report.style import CONTROL, DISTINCT, inline_svg, model_styles, save_figure
from report_data import make_results

NASTY = '_<script>alert("1")</script> $x^2$ --> & ]]> id="a"'


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def with_labels(results: Results, **labels: str) -> Results:
    models = results.models_table.copy()
    models["label"] = models["label"].mask(models["model"].isin(labels), models["model"].map(labels))
    return dataclasses.replace(results, models_table=models)


class TestNames:
    def test_genus_is_abbreviated_where_that_is_clear(self) -> None:
        species = [
            {"code": "a", "name": "Lepidocyrtus cyaneus"},
            {"code": "b", "name": "Isotomiella minor"},
            {"code": "c", "name": "Isotoma minor"},
            {"code": "d", "name": "Folsomia sp."},
            {"code": "e", "name": "Entomobryidae"},
            {"code": "f", "name": None},
        ]
        short = short_names(species)
        assert short["a"] == "L. cyaneus"
        assert short["b"] == "Isotomiella minor", "I. minor would stand for two species"
        assert short["c"] == "Isotoma minor"
        assert short["d"] == "Folsomia sp."
        assert short["e"] == "Entomobryidae"
        assert short["f"] == "f"
        assert full_names(species)["f"] == "f"

    def test_only_names_of_genus_and_species_are_italic(self) -> None:
        assert name_parts("Lepidocyrtus cyaneus") == [("Lepidocyrtus cyaneus", True)]
        assert name_parts("Folsomia sp.") == [("Folsomia", True), (" sp.", False)]
        assert name_parts("Folsomia cf. candida") == [("Folsomia", True), (" cf. ", False), ("candida", True)]
        assert name_parts("Entomobryidae") == [("Entomobryidae", False)]

    def test_names_within_a_sentence_are_italic_and_nothing_else_is(self) -> None:
        names = ("Isotoma viridis", "Isotoma viridis pallida", "Folsomia sp.", "Other animals", "<b>x</b>")
        species = [{"code": str(k), "name": name} for k, name in enumerate(names)]
        text = "None: Isotoma viridis pallida, Folsomia sp. and Other animals; <b>x</b> Isotoma viridisx."
        parts = with_italics(text, species)
        assert "".join(piece for piece, _ in parts) == text
        assert [piece for piece, italic in parts if italic] == ["Isotoma viridis pallida", "Folsomia"]

    @given(st.lists(st.from_regex(r"[A-Z][a-z]{1,5} [a-z]{3,6}", fullmatch=True), max_size=8, unique=True))
    def test_different_species_never_share_a_short_name(self, names: list[str]) -> None:
        short = short_names([{"code": str(k), "name": name} for k, name in enumerate(names)])
        assert len(set(short.values())) == len(names)


class TestStyles:
    def test_detectors_by_rank_then_controls_in_grey(self, results: Results) -> None:
        styles = model_styles(results.models_table)
        ranked = list(ordered_models(results.models_table, "detector")["model"])
        assert list(styles)[: len(ranked)] == ranked
        controls = [style for style in styles.values() if style.control]
        assert [style.color for style in controls] == [CONTROL, CONTROL]

    def test_distinct_detectors_differ_in_colour_and_in_marker(self) -> None:
        styles = model_styles(make_results(n_detectors=DISTINCT + 3, n_seeds=1, n_epochs=2).models_table)
        distinct = [s for s in styles.values() if s.distinct and not s.control]
        assert len(distinct) == DISTINCT
        assert len({s.color for s in distinct}) == len({s.marker for s in distinct}) == DISTINCT

    def test_drawing_leaves_the_settings_of_matplotlib_alone(self, results: Results) -> None:
        before = dict(mpl.rcParams)
        models_figure(results.models_table, results.species_table)
        assert dict(mpl.rcParams) == before


class TestFigures:
    def test_a_panel_a_species_with_its_name_and_its_size(self, results: Results) -> None:
        figure = precision_recall_figure(results.scores, results.models_table, results.species_list, 0.95)
        titles = {a.get_title(loc="left") for a in figure.axes if a.get_visible()}
        assert titles == set(short_names(results.species_list).values())
        shown = texts(figure)
        assert "14 specimens on 8 slides" in shown
        assert shown.count("no test specimens") == 1, "PAR-NOT has no truth on test"
        assert "target precision 95 %" in shown

    def test_markers_stand_at_recall_and_precision_of_both_thresholds(self, results: Results) -> None:
        figure = precision_recall_figure(results.scores, results.models_table, results.species_list, 0.95)
        panel = next(a for a in figure.axes if a.get_title(loc="left") == "C. denticulata")
        # Lines of intervals are collections as well.
        marks = [c for c in panel.collections if isinstance(c, PathCollection)]
        drawn = {tuple(np.round(p, 9)) for c in marks for p in np.asarray(c.get_offsets())}
        expected = {
            (round(s[f"test_recall{kind}"], 9), round(s[f"test_precision{kind}"], 9))
            for s in results.scores
            for kind in ("", "_empirical")
            if s["species"] == "CER-DEN" and s["threshold"] is not None and "control" not in s["model"]
        }
        assert drawn == expected

    def test_a_missing_score_is_not_drawn_as_zero(self, results: Results) -> None:
        figure = species_figure(results.species_table, results.models_table, results.species_list)
        panel = figure.axes[0]
        row = [s["code"] for s in results.species_list].index("PAR-NOT")
        heights = [p[1] for c in panel.collections for p in np.asarray(c.get_offsets())]
        assert not [h for h in heights if abs(h - row) < 0.5]
        assert "no test specimens" in texts(figure)

    def test_every_seed_and_the_mean_are_drawn(self, results: Results) -> None:
        figure = models_figure(results.models_table, results.species_table)
        drawn = {
            round(float(p[0]), 9) for c in figure.axes[0].collections for p in np.asarray(c.get_offsets())
        }
        means = seed_means(results.species_table, "ap50_95")
        for row in results.models_table.to_dict("records"):
            assert round(row["map50_95"], 9) in drawn
            assert {round(value, 9) for value in means[row["model"]]} <= drawn

    def test_many_detectors_get_panels_of_their_own(self) -> None:
        many = make_results(n_detectors=9, n_seeds=1, n_species=4, n_epochs=2)
        figure = species_figure(many.species_table, many.models_table, many.species_list)
        assert sum(axis.get_visible() for axis in figure.axes) == 9
        curves = precision_recall_figure(many.scores, many.models_table, many.species_list, 0.95)
        assert f"the {9 - DISTINCT} other detectors" in texts(curves)

    def test_without_any_detector_every_figure_is_drawn(self) -> None:
        nothing = make_results(n_detectors=0, n_seeds=1)
        figures = draw_figures(nothing)
        assert "No detector was trained in this study." in texts(figures["learning_curves"])

    def test_without_any_truth_every_figure_is_drawn(self) -> None:
        codes = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
        figures = draw_figures(make_results(n_seeds=1, without_truth=codes))
        assert texts(figures["ap50_by_species"]).count("no test specimens") == 5

    @given(panels=st.integers(1, 60), most=st.integers(1, 8))
    def test_columns_are_balanced(self, panels: int, most: int) -> None:
        columns = balanced_columns(panels, most)
        assert 1 <= columns <= most
        assert -(-panels // columns) == -(-panels // most), "balancing costs no further row"


class TestThinnedCurves:
    @given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
    def test_every_point_stays_on_the_drawn_line(self, points: list[tuple[float, float]]) -> None:
        recall, precision = (np.array(values) for values in zip(*sorted(points), strict=True))
        x, y = thinned(recall, precision)
        assert len(x) <= len(recall)
        for point in zip(recall, precision, strict=True):
            assert distance(point, x, y) < 0.0025

    def test_a_straight_line_needs_two_points(self) -> None:
        x, y = thinned(np.linspace(0, 1, 500), np.ones(500))
        assert x.tolist() == [0, 1]
        assert y.tolist() == [1, 1]


def distance(point: tuple[float, float], x: np.ndarray, y: np.ndarray) -> float:
    """Distance of a point from a polyline."""
    line = np.column_stack([x, y])
    if len(line) == 1:
        return float(np.linalg.norm(line[0] - point))
    start, step = line[:-1], np.diff(line, axis=0)
    along = np.sum((np.asarray(point) - start) * step, axis=1) / np.sum(step**2, axis=1)
    nearest = start + np.clip(along, 0, 1)[:, None] * step
    return float(np.linalg.norm(nearest - point, axis=1).min())


class TestFiles:
    def test_the_same_results_give_the_same_bytes(self, tmp_path) -> None:
        stems = [tmp_path / "first", tmp_path / "second"]
        for stem in stems:
            made = make_results(n_seeds=1, n_species=2, n_epochs=3)
            for name, figure in draw_figures(made).items():
                save_figure(figure, f"{stem}_{name}")
        first = sorted(tmp_path.glob("first_*"))
        assert len(first) == 33
        for path in first:
            assert path.read_bytes() == (tmp_path / path.name.replace("first", "second")).read_bytes(), path

    def test_saving_again_gives_the_same_bytes(self, results: Results, tmp_path) -> None:
        figure = draw_figures(results)["map_by_model"]
        once = [path.read_bytes() for path in save_figure(figure, tmp_path / "map")]
        assert [path.read_bytes() for path in save_figure(figure, tmp_path / "map")] == once

    def test_files_hold_no_date(self, results: Results, tmp_path) -> None:
        paths = save_figure(models_figure(results.models_table, results.species_table), tmp_path / "map")
        assert [path.suffix for path in paths] == [".svg", ".pdf", ".png"]
        for path in paths:
            assert not re.search(rb"dc:date|CreationDate|tIME", path.read_bytes())

    def test_an_unknown_format_leaves_no_file(self, results: Results, tmp_path) -> None:
        with pytest.raises(KeyError):
            save_figure(
                models_figure(results.models_table, results.species_table), tmp_path / "map", ("bmp",)
            )
        assert list(tmp_path.iterdir()) == []


class TestInlineSvg:
    def test_is_one_named_element_with_ids_of_its_own(self, results: Results) -> None:
        figures = list(draw_figures(results).values())
        svgs = [inline_svg(figure, f"figure-{k}", "A <figure> & more") for k, figure in enumerate(figures)]
        ids: list[str] = []
        for svg in svgs:
            root = ET.fromstring(svg)
            assert root.attrib["role"] == "img"
            assert root.attrib["aria-label"] == "A <figure> & more"
            own = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
            used = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)
            assert set(used) <= set(own), "every reference has its element"
            ids += own
        assert len(ids) == len(set(ids))

    def test_ink_and_paper_follow_the_page(self, results: Results) -> None:
        svg = inline_svg(draw_figures(results)["precision_recall"], "f", "text")
        assert "var(--figure-ink)" in svg
        assert not re.search(r"#1a1a1a|#ffffff|#dddddd|: black|<style|<metadata", svg)

    def test_names_are_text_and_never_markup(self, results: Results) -> None:
        named = with_labels(results, yolov5n=NASTY)
        for name, figure in draw_figures(named).items():
            root = ET.fromstring(inline_svg(figure, name, "text"))
            assert not [e for e in root.iter() if e.tag.endswith("script")]
        label = ET.fromstring(inline_svg(draw_figures(named)["map_by_model"], "m", "text"))
        written = [e.text or "" for e in label.iter() if e.tag.endswith("text")]
        assert any(NASTY.startswith(text.rstrip("…")) for text in written if len(text) > 20)
