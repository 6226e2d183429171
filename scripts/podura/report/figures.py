"""The figures of a benchmark, each drawn from finished tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from podura.report.comparison_figures import differences_figure, ranks_figure
from podura.report.curves import learning_figure, precision_recall_figure
from podura.report.faults import confusion_figure, errors_figure, reliability_figure
from podura.report.parts import (
    UNIT_TICKS,
    WIDTH,
    balanced_columns,
    in_two_lines,
    is_number,
    legend,
    name_rows,
    shortened,
    stripes,
)
from podura.report.people import people_figure
from podura.report.results import Results, seed_means, species_codes
from podura.report.style import (
    CONTROL,
    DISTINCT,
    MUTED,
    PAPER,
    ModelStyle,
    model_styles,
    styled,
)

# Species × detectors × (seeds + 1) that one panel can hold within a screen or two.
_MOST_LINES = 160


def draw_figures(results: Results) -> dict[str, Figure]:
    """Every figure of the report by the name of its file; that of people only where there are some."""
    figures = {
        "map_by_model": models_figure(results.models_table, results.species_table),
        "ap50_by_species": species_figure(results.species_table, results.models_table, results.species_list),
        "precision_recall": precision_recall_figure(
            results.scores, results.models_table, results.species_list, results.target_precision
        ),
        "errors": errors_figure(results),
        "confusion": confusion_figure(results),
        "reliability": reliability_figure(results),
        "learning_curves": learning_figure(results.histories, results.models_table),
        "differences": differences_figure(results.comparisons, results.models_table),
        "rank_chances": ranks_figure(results.ranks, results.models_table),
    }
    if results.people is not None and results.people_curves is not None:
        figures["people"] = people_figure(
            results.people, results.people_curves, results.models_table, results.species_list
        )
    return figures


@styled
def species_figure(
    species_table: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
) -> Figure:
    """AP at IoU 0.5 by species: the mean of the seeds, and beneath it each seed and its interval.

    Few detectors share one panel; where rows would become too high, each gets a panel.
    """
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
    height = rows * (len(codes) * row + 0.45) + 0.9
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _species_panel(axis, species_table, codes, panel, styles, controls)
        if not together:
            axis.set_title(in_two_lines(styles[panel[0]].label, 95 // columns), fontsize=8)
            axis.tick_params(axis="x", labelbottom=True, labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    first = axes.flat[0]
    name_rows(list(axes[:, 0]), codes, species_list, size=9 if together else 7.5)
    first.set(xlim=(-0.03, 1.03), ylim=(len(codes) - 0.5, -0.5))
    first.set_xticks(UNIT_TICKS if together else (0.0, 0.5, 1.0))
    figure.supxlabel("AP at IoU 0.5 on test slides", fontsize=9)
    if together:
        legend(figure, {**styles, **controls})
    else:
        legend(figure, controls)
    return figure


def _species_panel(
    axis: Axes,
    species_table: pd.DataFrame,
    codes: Sequence[str],
    panel: Sequence[str],
    styles: Mapping[str, ModelStyle],
    controls: Mapping[str, ModelStyle],
) -> None:
    stripes(axis, len(codes))
    place = {code: row for row, code in enumerate(codes)}
    for model, style in controls.items():
        means = species_table[species_table["model"] == model].groupby("species")["ap50"].mean()
        means = means.dropna()
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
            runs = of_model[(of_model["seed"] == seed) & of_model["ap50"].notna()]
            rows = [place[str(code)] + top + (turn + 1.5) * step for code in runs["species"]]
            width, size = (0.7, 4) if alone else (1.0, 8)
            axis.hlines(rows, runs["ap50_low"], runs["ap50_high"], color=color, lw=width, zorder=3)
            axis.scatter(runs["ap50"], rows, s=size, color=color, linewidths=0, zorder=4)
        means = of_model.groupby("species")["ap50"].mean().dropna()
        rows = [place[str(code)] + top + 0.5 * step for code in means.index]
        size = 14 if alone else 32
        axis.scatter(
            means, rows, s=size, marker=style.marker, color=color, edgecolors=PAPER, lw=0.5, zorder=5
        )
    scored = set(species_table.loc[species_table["ap50"].notna(), "species"])
    for code in codes:
        if code not in scored:
            axis.text(0.0, place[code], "no test specimens", va="center", fontsize=7.5, color=MUTED)


@styled
def models_figure(models_table: pd.DataFrame, species_table: pd.DataFrame) -> Figure:
    """Mean AP of each model with its interval over slides (bar) and its seeds (small dots)."""
    styles = model_styles(models_table)
    rows = models_table.set_index("model")
    figure = Figure(figsize=(WIDTH, 0.34 * len(styles) + 1.0), layout=ConstrainedLayoutEngine(wspace=0.06))
    axes = figure.subplots(1, 2, sharey=True, sharex=True)
    for axis, (column, per_seed, title) in zip(
        axes,
        (
            ("map50_95", "ap50_95", "Mean AP at IoU 0.50:0.95 (the ranking)"),
            ("map50", "ap50", "Mean AP at IoU 0.5"),
        ),
        strict=True,
    ):
        stripes(axis, len(styles))
        axis.set_title(title, loc="left")
        seeds = seed_means(species_table, per_seed)
        for place, (model, style) in enumerate(styles.items()):
            color = style.color if style.distinct else MUTED
            low, high = rows.loc[model, f"{column}_low"], rows.loc[model, f"{column}_high"]
            if is_number(low) and is_number(high):
                axis.hlines(place, low, high, color=color, lw=2.2, alpha=0.55, zorder=2)
            value = rows.loc[model, column]
            if is_number(value):
                axis.scatter(
                    value, place, s=52, marker=style.marker, color=color, edgecolors=PAPER, lw=0.8, zorder=3
                )
            dots = seeds.get(model, [])
            axis.scatter(dots, [place + 0.3] * len(dots), s=9, color=color, linewidths=0, zorder=4)
    axes[0].set_yticks(range(len(styles)), [shortened(s.label, 34) for s in styles.values()])
    axes[0].set(xlim=(-0.03, 1.03), ylim=(len(styles) - 0.4, -0.6), xticks=UNIT_TICKS)
    return figure
