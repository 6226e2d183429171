"""The figures and the section of what goes wrong show what the tables say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from podura.report.faults import confusion_figure, confusion_matrix, errors_figure, reliability_figure
from podura.report.page import render_report
from podura.report.results import DIAGNOSIS_SHOWN
from podura.report.suspects import SHOWN, suspect_rows
from report_data import make_results
from report_diagnosis import make_diagnosis

FIGURES = (errors_figure, confusion_figure, reliability_figure)


def texts(figure: Figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def test_species_are_in_italics_and_each_detector_is_named() -> None:
    results = make_results()
    for draw in FIGURES:
        shown = texts(draw(results))
        words = " ".join(t.get_text().replace("\n", " ") for t in shown)
        assert "Faster R-CNN Lite0" in words
    for draw in (errors_figure, confusion_figure):
        species = [t for t in texts(draw(results)) if t.get_text().startswith("C. denticulata")]
        assert species
        assert all(t.get_style() == "italic" for t in species)


def test_bars_are_errors_per_hundred_specimens() -> None:
    results = make_results(n_detectors=1)
    errors = results.diagnosis["errors"]
    axis = errors_figure(results).axes[2]  # species of the best detector
    bars = [p for p in axis.patches if isinstance(p, Rectangle) and p.get_height() == 0.6]
    first = [p.get_width() for p in bars if np.isclose(p.get_y() + 0.3, 0)]
    of_first = errors[
        (errors["model"] == "fasterrcnn_lite0")
        & (errors["species"] == "CER-DEN")
        & (errors["level"] == "threshold")
    ]
    assert first == pytest.approx((100 * of_first["n"] / of_first["n_truth"]).tolist())


def test_a_matrix_counts_every_animal_once_however_many_species_there_are() -> None:
    results = make_results(n_detectors=1, n_seeds=1, n_species=50, n_epochs=2)
    codes = [species["code"] for species in results.species_list]
    table = results.diagnosis["confusion"]
    table = table[table["model"] == "fasterrcnn_lite0"]
    small = confusion_matrix(table, codes)
    assert small.shape == (14, 14)
    assert small.to_numpy().sum() == table["n"].sum()
    kept = [code for code in small.index if code in codes]
    assert len(kept) == 12
    between = table[
        table["true_species"].isin(codes)
        & table["found_species"].isin(codes)
        & (table["true_species"] != table["found_species"])
    ]
    confused = (
        between.groupby("true_species")["n"]
        .sum()
        .add(between.groupby("found_species")["n"].sum(), fill_value=0)
    )
    assert confused[kept].min() >= confused.drop(kept).max()
    whole = confusion_matrix(table[table["true_species"].isin(codes[:3])], codes[:3])
    assert whole.shape == (4, 4)


def test_a_study_without_detectors_has_figures_that_say_so() -> None:
    empty = {name: table.frame([]) for name, table in DIAGNOSIS_SHOWN.items()}
    for results in (make_results(n_detectors=0), make_results(diagnosis=empty)):
        for draw in FIGURES:
            assert [t.get_text() for t in texts(draw(results))] == [
                "No detector was evaluated in this study."
            ]


def test_a_species_without_specimens_is_drawn_without_bars() -> None:
    results = make_results()
    errors = results.diagnosis["errors"].copy()
    none = errors["species"] == "ISO-MIN"
    errors.loc[none, "n_truth"] = 0
    errors.loc[none, "d_ap"] = np.nan
    errors_figure(replace(results, diagnosis={**results.diagnosis, "errors": errors}))


def test_the_page_lists_the_first_suspects_of_each_kind() -> None:
    results = make_results()
    rows = suspect_rows(results)
    assert [row["kind"] for row in rows] == ["no annotation"] * SHOWN + ["annotated, found by no run"] * SHOWN
    assert rows[0]["runs"] == "3 of 4"
    assert rows[0]["found"] is None
    assert rows[SHOWN]["found"] == [("Parisotoma notabilis", True)]
    page = render_report(results)
    assert "Where does it fail?" in page
    assert "Where the truth itself may be wrong" in page
    assert "There are 24 in all" in page


def test_a_page_without_suspects_does_not_speak_of_them() -> None:
    results = make_results()
    suspects = DIAGNOSIS_SHOWN["suspects"].frame([])
    page = render_report(replace(results, diagnosis={**results.diagnosis, "suspects": suspects}))
    assert "Where the truth itself may be wrong" not in page


def test_names_in_the_list_of_suspects_are_escaped() -> None:
    results = make_results()
    suspects = make_diagnosis(results)["suspects"]
    suspects["image"] = "<script>alert(1)</script>.png"
    page = render_report(replace(results, diagnosis={**results.diagnosis, "suspects": suspects}))
    assert "<script>alert(1)" not in page
    assert isinstance(suspects, pd.DataFrame)
