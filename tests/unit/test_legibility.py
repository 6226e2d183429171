"""Figures can be read: no label over another, none cut off, colours apart for any eye and in grey print."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from podura import tables
from podura.report.comparison_figures import differences_figure, ranks_figure
from podura.report.curves import learning_figure, precision_recall_figure
from podura.report.faults import KINDS, confusion_figure, errors_figure, reliability_figure
from podura.report.figures import models_figure
from podura.report.overlay_figure import Overlay, overlays_figure
from podura.report.species_figures import recall_figure, species_figure
from podura.report.speed import speed_figure, spread_out
from podura.report.style import DISTINCT, HUES, INK, PAPER, model_styles
from report_data import make_results

FIGURES = {
    "models": lambda r: models_figure(r.models_table, r.species_table),
    "species": lambda r: species_figure(r.species_table, r.models_table, r.species_list),
    "recall": lambda r: recall_figure(r.species_table, r.models_table, r.species_list, 0.95),
    "curves": lambda r: precision_recall_figure(r.scores, r.models_table, r.species_list, 0.95),
    "speed": lambda r: speed_figure(r.models_table),
    "errors": errors_figure,
    "confusion": confusion_figure,
    "reliability": reliability_figure,
    "learning": lambda r: learning_figure(r.histories, r.models_table),
    "differences": lambda r: differences_figure(r.comparisons, r.models_table),
    "ranks": lambda r: ranks_figure(r.ranks, r.models_table),
}


def drawn_texts(figure: Figure, monkeypatch) -> list[tuple[str, Bbox]]:
    """Every text that the renderer puts on the paper, with its extent in pixels."""
    found = []
    draw = Text.draw

    def noted(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            # Of an annotation the text alone, without its line.
            found.append((self.get_text(), Text.get_window_extent(self, renderer)))
        draw(self, renderer, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Text, "draw", noted)
        FigureCanvasAgg(figure).draw()
    # A figure's canvas may draw a text more than once.
    return list({(text, tuple(np.round(box.extents, 1))): (text, box) for text, box in found}.values())


def overlapping(texts: list[tuple[str, Bbox]]) -> list[tuple[str, str]]:
    """Pairs of texts that share more than half a point of paper."""
    found = []
    for (first, one), (second, other) in itertools.combinations(texts, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        if width > 1.4 and height > 1.4:
            found.append((first, second))
    return found


def cut_off(texts: list[tuple[str, Bbox]], figure: Figure) -> list[str]:
    width, height = figure.bbox.width, figure.bbox.height
    return [t for t, b in texts if b.x0 < -1 or b.y0 < -1 or b.x1 > width + 1 or b.y1 > height + 1]


def check(figure: Figure, monkeypatch) -> None:
    texts = drawn_texts(figure, monkeypatch)
    assert texts
    assert overlapping(texts) == []
    assert cut_off(texts, figure) == []


class TestLabels:
    @pytest.mark.parametrize("name", FIGURES)
    @pytest.mark.parametrize(("n_detectors", "n_species"), [(2, 2), (2, 10)])
    def test_a_small_study(self, name, n_detectors, n_species, monkeypatch) -> None:
        made = make_results(n_detectors=n_detectors, n_species=n_species)
        check(FIGURES[name](made), monkeypatch)

    @pytest.mark.parametrize("name", ["models", "speed", "reliability", "differences", "ranks", "learning"])
    def test_twenty_detectors(self, name, monkeypatch) -> None:
        check(FIGURES[name](make_results(n_detectors=20, n_seeds=2, n_species=2)), monkeypatch)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["species", "recall", "curves", "errors", "confusion"])
    def test_twenty_detectors_and_fifty_species(self, name, monkeypatch) -> None:
        check(FIGURES[name](make_results(n_detectors=20, n_seeds=2, n_species=50)), monkeypatch)

    @pytest.mark.parametrize("name", ["species", "errors", "confusion"])
    def test_fifty_species(self, name, monkeypatch) -> None:
        check(FIGURES[name](make_results(n_detectors=2, n_seeds=1, n_species=50)), monkeypatch)

    def test_long_names_stay_on_the_paper(self, monkeypatch) -> None:
        made = make_results(n_detectors=3)
        models = made.models_table.assign(label=[f"{'a very long name ' * 8}{k}" for k in range(5)])
        species = [{**one, "authority": f"({'Handschin & Stach ' * 5}, 1928)"} for one in made.species_list]
        for figure in (
            species_figure(made.species_table, models, species),
            speed_figure(models),
            models_figure(models, made.species_table),
        ):
            assert cut_off(drawn_texts(figure, monkeypatch), figure) == []

    def test_names_are_in_italics_and_authorities_upright(self) -> None:
        made = make_results()
        for figure in (
            species_figure(made.species_table, made.models_table, made.species_list),
            precision_recall_figure(made.scores, made.models_table, made.species_list, 0.95),
        ):
            styles = {text.get_text(): text.get_fontstyle() for text in figure.findobj(Text)}
            assert styles["L. cyaneus"] == "italic"
            assert styles["Tullberg, 1871"] == "normal"

    def test_labels_of_detections_in_a_heap_do_not_cover_each_other(self, monkeypatch) -> None:
        rows = pd.DataFrame(
            [
                {
                    "species": "CER-DEN",
                    "score": None if state == "missed" else 0.9 - k / 100,
                    "state": state,
                    **dict(zip(tables.BOX_COLUMNS, (10.0 + k, 20.0 + k, 90.0 + k, 70.0 + k), strict=True)),
                }
                for k, state in enumerate(["right", "wrong", "missed"] * 4)
            ]
        )  # fmt: skip
        overlay = Overlay("heap.png", Path("heap.png"), "YOLOv5n, seed 1: 4 right, 4 wrong, 4 missed", rows)
        pixels = np.full((120, 160, 3), 200, dtype=np.uint8)
        figure = overlays_figure([(overlay, pixels, (160, 120))] * 3)
        check(figure, monkeypatch)
        shown = [text for text in figure.findobj(Text) if text.get_visible() and "CER-DEN" in text.get_text()]
        assert len(shown) >= 3, "the first label of each slide stays"

    def test_boxes_lie_where_the_file_has_them_however_small_the_picture(self) -> None:
        box = dict(zip(tables.BOX_COLUMNS, (100.0, 50.0, 300.0, 250.0), strict=True))
        rows = pd.DataFrame([{"species": "CER-DEN", "score": 0.9, "state": "right", **box}])
        overlay = Overlay("a.png", Path("a.png"), "", rows)
        figure = overlays_figure([(overlay, np.zeros((75, 100, 3), dtype=np.uint8), (400, 300))])
        (axis,) = (axis for axis in figure.axes if axis.images)
        assert tuple(axis.images[0].get_extent()) == (0, 400, 300, 0)
        assert {patch.get_bbox().extents.tolist() == [100, 50, 300, 250] for patch in axis.patches} == {True}


class TestSpreadOut:
    def test_labels_keep_their_order_and_their_distance(self) -> None:
        wanted = [0.5, 0.52, 0.51, 2.0, 0.0]
        places = spread_out(wanted, 0.2, 3.0)
        assert np.argsort(places).tolist() == np.argsort(wanted).tolist()
        assert np.diff(sorted(places)).min() >= 0.2 - 1e-9

    def test_what_is_far_apart_stays_where_it_is(self) -> None:
        assert spread_out([0.5, 1.5], 0.2, 3.0) == [0.5, 1.5]

    def test_too_many_are_spread_evenly(self) -> None:
        places = spread_out([1.0] * 10, 0.5, 2.0)
        assert np.diff(sorted(places)) == pytest.approx([0.2] * 9)


# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113: severity 1, on linear RGB.
VISIONS = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
    "usual": np.eye(3).tolist(),
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(first: str, second: str, vision: str) -> float:
    """Colour difference (CIE 1976) of two colours as an eye with that vision sees them."""
    one, other = (lab(np.array(VISIONS[vision]) @ linear(colour)) for colour in (first, second))
    return float(np.linalg.norm(one - other))


class TestPalette:
    @pytest.mark.parametrize("vision", VISIONS)
    def test_colours_of_detectors_are_apart(self, vision) -> None:
        least = min(distance(a, b, vision) for a, b in itertools.combinations(HUES, 2))
        # Five times what is just noticed (about 2.3).
        assert least > (11.5 if vision != "tritanopia" else 2.3)

    @pytest.mark.parametrize("vision", VISIONS)
    def test_every_colour_is_apart_from_ink_and_paper(self, vision) -> None:
        assert min(distance(a, b, vision) for a in HUES for b in (INK, PAPER)) > 25

    def test_in_grey_print_detectors_differ_in_marker_and_dashes(self) -> None:
        made = make_results(n_detectors=DISTINCT + 2, n_seeds=1, n_species=2, n_epochs=2)
        styles = [s for s in model_styles(made.models_table).values() if s.distinct and not s.control]
        assert (
            len({style.marker for style in styles}) == len({str(style.line) for style in styles}) == DISTINCT
        )
        for one, other in itertools.combinations(styles, 2):
            # Some have one grey: then only these tell them apart.
            assert one.marker != other.marker
            assert one.line != other.line

    def test_curves_are_drawn_with_these_dashes(self) -> None:
        made = make_results(n_seeds=1)
        figure = precision_recall_figure(made.scores, made.models_table, made.species_list, 0.95)
        panel = figure.axes[0]
        dashed = {line.get_color(): line.is_dashed() for line in panel.lines if line.get_color() in HUES}
        assert dashed == {HUES[0]: False, HUES[1]: True}

    def test_kinds_of_errors_are_apart(self) -> None:
        colours = [color for _, color in KINDS.values()]
        for vision in ("deuteranopia", "protanopia", "usual"):
            assert min(distance(a, b, vision) for a, b in itertools.pairwise(colours)) > 11.5


class TestRecallAtCertifiedPrecision:
    def test_a_run_without_certificate_stands_left_of_zero_and_has_no_mean(self) -> None:
        made = make_results(n_detectors=1, n_seeds=2, n_species=2)
        table = made.species_table.copy()
        first = (table["model"] == "fasterrcnn_lite0") & (table["species"] == "CER-DEN")
        gone = first & (table["seed"] == 1)
        table.loc[gone, ["test_recall", "test_recall_low", "test_recall_high"]] = np.nan
        figure = recall_figure(table, made.models_table, made.species_list, 0.95)
        points = np.concatenate([c.get_offsets() for c in figure.axes[0].collections if len(c.get_offsets())])
        of_row = points[(points[:, 1] > -0.5) & (points[:, 1] < 0.5)]
        assert (of_row[:, 0] < 0).sum() == 1
        recall = float(table.loc[first & (table["seed"] == 2), "test_recall"].iloc[0])
        near = of_row[np.isclose(of_row[:, 0], recall)]
        assert len(near) == 1, "the other seed, and no mean of it alone"

    def test_the_legend_names_only_controls_that_are_drawn(self) -> None:
        made = make_results(n_detectors=1, n_seeds=1, n_species=2)
        measured = ["test_recall", "test_recall_low", "test_recall_high"]
        for gone, named in (("control_shuffled", True), ("control_truth", False)):
            table = made.species_table.copy()
            table.loc[table["model"] == gone, measured] = np.nan
            figure = recall_figure(table, made.models_table, made.species_list, 0.95)
            words = [text.get_text() for text in figure.findobj(Text)]
            assert ("Truth itself" in words) == named
            assert "Shuffled truth" not in words, "it has no certificate in either"


class TestSpeed:
    def test_faster_is_to_the_right_and_what_has_no_time_is_named(self) -> None:
        made = make_results(n_detectors=3)
        models = made.models_table.copy()
        models.loc[0, "detection_seconds"] = np.nan
        figure = speed_figure(models)
        words = " ".join(text.get_text() for text in figure.findobj(Text))
        assert f"without a score or a time: {models.loc[0, 'label']}" in words
        points = {line.get_xdata()[0]: line.get_ydata()[0] for line in figure.axes[0].lines}
        for row in models.loc[1:2].to_dict("records"):
            assert points[1 / row["detection_seconds"]] == row["map50_95"]

    def test_lines_to_the_labels_run_over_none(self) -> None:
        figure = speed_figure(make_results(n_detectors=20, n_seeds=1, n_species=2).models_table)
        FigureCanvasAgg(figure).draw()
        labels = figure.findobj(Annotation)
        begin = min(Text.get_window_extent(label).x0 for label in labels)
        assert len(labels) == 20
        assert max(label.arrow_patch.get_window_extent().x1 for label in labels) <= begin

    def test_without_any_time_it_says_so(self) -> None:
        made = make_results(n_detectors=1)
        figure = speed_figure(made.models_table.assign(detection_seconds=np.nan))
        assert "No detector has both a score and a time." in [t.get_text() for t in figure.findobj(Text)]
