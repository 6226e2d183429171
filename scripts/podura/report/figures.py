"""The figures of a benchmark, each drawn from finished tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from podura.report.curves import learning_figure, precision_recall_figure
from podura.report.parts import (
    UNIT_TICKS,
    WIDTH,
    is_number,
    legend,
    name_rows,
    shortened,
    stripes,
)
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


def draw_figures(results: Results) -> dict[str, Figure]:
    """Every figure of the report by the name of its file."""
    figures = {
        "map_by_model": models_figure(results.models_table, results.species_table),
        "ap50_by_species": species_figure(results.species_table, results.models_table, results.species_list),
        "precision_recall": precision_recall_figure(
            results.scores, results.models_table, results.species_list, results.target_precision
        ),
    }
    if results.histories:
        figures["learning_curves"] = learning_figure(results.histories, results.models_table)
    return figures


@styled
def species_figure(
    species_table: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
) -> Figure:
    """AP at IoU 0.5 by species: a dot a seed with its interval over slides, a marker for the mean.

    Up to ``DISTINCT`` detectors share one panel; more get a panel each.
    """
    codes = species_codes(species_list, species_table)
    styles = {m: s for m, s in model_styles(models_table).items() if not s.control}
    controls = {m: s for m, s in model_styles(models_table).items() if s.control}
    n_seeds = max(1, int(species_table.groupby("model")["seed"].nunique().max() or 1))
    together = len(styles) <= DISTINCT
    panels = [list(styles)] if together else [[model] for model in styles]
    columns = 1 if together else 4
    rows = math.ceil(len(panels) / columns)
    lines = n_seeds * max(len(panel) for panel in panels)
    height = len(codes) * max(0.19, 0.085 * lines + (0.1 if together else 0.0)) + 0.45
    figure = Figure(figsize=(WIDTH, rows * height + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _species_panel(axis, species_table, codes, panel, styles, controls)
        if not together:
            axis.set_title(shortened(styles[panel[0]].label), fontsize=8.5)
            axis.tick_params(axis="x", labelbottom=True, labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    first = axes.flat[0]
    name_rows(axes[:, 0], codes, species_list, size=9 if together else 7.5)
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
        rows = [place[str(code)] for code in means.index]
        axis.scatter(means, rows, marker=style.marker, s=26, color=CONTROL, linewidths=0, zorder=2)
    slot = 0.8 / len(panel)
    for number, model in enumerate(panel):
        style = styles[model]
        color = style.color if style.distinct or len(panel) > 1 else MUTED
        of_model = species_table[species_table["model"] == model]
        seeds = sorted(of_model["seed"].unique())
        centre = -0.4 + slot * (number + 0.5)
        for turn, seed in enumerate(seeds):
            runs = of_model[(of_model["seed"] == seed) & of_model["ap50"].notna()]
            offset = centre + 0.75 * slot * ((turn + 0.5) / len(seeds) - 0.5)
            rows = np.array([place[str(code)] + offset for code in runs["species"]])
            axis.hlines(rows, runs["ap50_low"], runs["ap50_high"], color=color, lw=1, zorder=3)
            axis.scatter(runs["ap50"], rows, s=7, color=color, linewidths=0, zorder=4)
        means = of_model.groupby("species")["ap50"].mean().dropna()
        rows = np.array([place[str(code)] + centre for code in means.index])
        axis.scatter(means, rows, s=38, marker=style.marker, color=color, edgecolors=PAPER, lw=0.8, zorder=5)
    scored = set(species_table.loc[species_table["ap50"].notna(), "species"])
    for code in codes:
        if code not in scored:
            axis.text(0.0, place[code], "no test specimens", va="center", fontsize=7.5, color=MUTED)


@styled
def models_figure(models_table: pd.DataFrame, species_table: pd.DataFrame) -> Figure:
    """Mean AP of each model with its interval over slides (bar) and its seeds (small dots)."""
    styles = model_styles(models_table)
    rows = models_table.set_index("model")
    figure = Figure(figsize=(WIDTH, 0.34 * len(styles) + 1.0), layout="constrained")
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
