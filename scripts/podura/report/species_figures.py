"""Figures with a row for each species: average precision, and recall at the certified precision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from podura.report.parts import (
    UNIT_TICKS,
    WIDTH,
    balanced_columns,
    in_two_lines,
    legend,
    name_rows,
    stripes,
)
from podura.report.results import species_codes
from podura.report.style import CONTROL, DISTINCT, MUTED, PAPER, ModelStyle, model_styles, styled

# Species × detectors × (seeds + 1) that one panel can hold within a screen or two.
_MOST_LINES = 160
# Left of 0, where a run stands that has no certified threshold.
_NOWHERE = -0.09


@dataclass(frozen=True)
class _Measure:
    """A column of benchmark_species, with its interval in <column>_low and _high, and what is said of it.

    absent: what a mark left of 0 means, of a run of a species with specimens but without the measure.
    """

    column: str
    label: str
    absent: str | None = None


@styled
def species_figure(
    species_table: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
) -> Figure:
    """AP at IoU 0.5 by species: the mean of the seeds, and beneath it each seed and its interval.

    Few detectors share one panel; where rows would become too high, each gets a panel.
    """
    measure = _Measure("ap50", "AP at IoU 0.5 on test slides")
    return _rows_figure(measure, species_table, models_table, species_list)


@styled
def recall_figure(
    species_table: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
    target_precision: float,
) -> Figure:
    """Recall by species at the threshold that certifies the target precision, as ``species_figure``.

    A run without a certified threshold stands left of 0: it has no recall there, not a recall of 0. A mean is
    shown where every seed has one.
    """
    target = f"{100 * target_precision:g} %"
    measure = _Measure(
        "test_recall",
        f"Recall on test slides at certified {target} precision",
        absent=f"{target} precision not certified",
    )
    return _rows_figure(measure, species_table, models_table, species_list)


def _rows_figure(
    measure: _Measure,
    species_table: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
) -> Figure:
    codes = species_codes(species_list, species_table)
    styles = {m: s for m, s in model_styles(models_table).items() if not s.control}
    controls = {m: s for m, s in model_styles(models_table).items() if s.control}
    n_seeds = max(1, int(species_table.groupby("model")["seed"].nunique().max() or 1))
    lines = (n_seeds + 1) * len(styles)
    together = len(styles) <= DISTINCT and lines * len(codes) <= _MOST_LINES
    panels = [list(styles)] if together else [[model] for model in styles]
    columns = 1 if together else balanced_columns(len(panels), most=5)
    rows = math.ceil(len(panels) / columns)
    row = 0.1 + 0.08 * lines if together else max(0.19, 0.045 * (n_seeds + 1))
    height = rows * (len(codes) * max(row, 0.19) + 0.45) + 0.9
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _species_panel(axis, measure, species_table, codes, panel, styles, controls)
        if not together:
            axis.set_title(in_two_lines(styles[panel[0]].label, 95 // columns), fontsize=8)
            axis.tick_params(axis="x", labelbottom=True, labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    first = axes.flat[0]
    name_rows(list(axes[:, 0]), codes, species_list, size=9 if together else 7.5)
    first.set(xlim=(-0.03 if measure.absent is None else -0.15, 1.03), ylim=(len(codes) - 0.5, -0.5))
    first.set_xticks(UNIT_TICKS if together else (0.0, 0.5, 1.0))
    figure.supxlabel(measure.label, fontsize=9)
    absent = Line2D([], [], color=MUTED, lw=0, marker="x", markersize=5)
    extra = {} if measure.absent is None else {measure.absent: absent}
    # Of a control without the measure and a detector without a run nothing is drawn.
    drawn = set(species_table.loc[species_table[measure.column].notna(), "model"])
    controls = {model: style for model, style in controls.items() if model in drawn}
    known = {model: style for model, style in styles.items() if (species_table["model"] == model).any()}
    legend(figure, {**known, **controls} if together else controls, extra=extra)
    return figure


def _species_panel(
    axis: Axes,
    measure: _Measure,
    species_table: pd.DataFrame,
    codes: Sequence[str],
    panel: Sequence[str],
    styles: Mapping[str, ModelStyle],
    controls: Mapping[str, ModelStyle],
) -> None:
    stripes(axis, len(codes))
    column = measure.column
    place = {code: row for row, code in enumerate(codes)}
    for model, style in controls.items():
        means = species_table[species_table["model"] == model].groupby("species")[column].mean().dropna()
        rows: list[float] = [place[str(code)] for code in means.index]
        axis.scatter(means, rows, marker=style.marker, s=20, color=CONTROL, linewidths=0, zorder=2)
    slot = 0.9 / max(1, len(panel))
    alone = len(panel) < len(styles)
    for number, model in enumerate(panel):
        style = styles[model]
        color = style.color if style.distinct else MUTED
        of_model = species_table[species_table["model"] == model]
        seeds = sorted(of_model["seed"].unique())
        top = -0.45 + slot * number
        step = slot / (len(seeds) + 1)
        for turn, seed in enumerate(seeds):
            of_seed = of_model[of_model["seed"] == seed]
            runs = of_seed[of_seed[column].notna()]
            rows = [place[str(code)] + top + (turn + 1.5) * step for code in runs["species"]]
            width, size = (0.7, 4) if alone else (1.0, 8)
            low, high = runs[f"{column}_low"], runs[f"{column}_high"]
            axis.hlines(rows, low, high, color=color, lw=width, zorder=3)
            axis.scatter(runs[column], rows, s=size, color=color, linewidths=0, zorder=4)
            if measure.absent is not None:
                absent = of_seed.loc[of_seed[column].isna() & (of_seed["n_truth"] > 0), "species"]
                rows = [place[str(code)] + top + (turn + 1.5) * step for code in absent]
                nowhere = [_NOWHERE] * len(rows)
                axis.scatter(nowhere, rows, s=size + 4, marker="x", color=color, linewidths=0.8, zorder=4)
        by_species = of_model.groupby("species")[column]
        means = by_species.mean().dropna()
        if measure.absent is not None:
            # A mean of the runs that came out well would flatter.
            means = means[by_species.count().reindex(means.index) == len(seeds)]
        rows = [place[str(code)] + top + 0.5 * step for code in means.index]
        size = 14 if alone else 32
        axis.scatter(
            means, rows, s=size, marker=style.marker, color=color, edgecolors=PAPER, lw=0.5, zorder=5
        )
    scored = set(species_table.loc[species_table["n_truth"] > 0, "species"])
    for code in codes:
        if code not in scored:
            axis.text(0.0, place[code], "no test specimens", va="center", fontsize=7.5, color=MUTED)
