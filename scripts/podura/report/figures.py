"""The figures of a benchmark, each drawn from finished tables."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from podura.report.comparison_figures import differences_figure, ranks_figure
from podura.report.curves import learning_figure, precision_recall_figure
from podura.report.faults import confusion_figure, errors_figure, reliability_figure
from podura.report.parts import UNIT_TICKS, WIDTH, is_number, shortened, stripes
from podura.report.people import people_figure
from podura.report.results import Results, seed_means
from podura.report.species_figures import recall_figure, species_figure
from podura.report.speed import speed_figure
from podura.report.style import MUTED, PAPER, model_styles, styled


def draw_figures(results: Results) -> dict[str, Figure]:
    """Every figure of the report by the name of its file; that of people only where there are some."""
    figures = {
        "map_by_model": models_figure(results.models_table, results.species_table),
        "ap50_by_species": species_figure(results.species_table, results.models_table, results.species_list),
        "recall_at_precision": recall_figure(
            results.species_table, results.models_table, results.species_list, results.target_precision
        ),
        "speed": speed_figure(results.models_table),
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
def models_figure(models_table: pd.DataFrame, species_table: pd.DataFrame) -> Figure:
    """Mean AP of each model with its interval over slides and seeds (bar) and its seeds (small dots)."""
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
            else:
                axis.text(0.0, place, "no score", va="center", fontsize=7.5, color=MUTED)
            dots = seeds.get(model, [])
            axis.scatter(dots, [place + 0.3] * len(dots), s=9, color=color, linewidths=0, zorder=4)
    axes[0].set_yticks(range(len(styles)), [shortened(s.label, 34) for s in styles.values()])
    axes[0].set(xlim=(-0.03, 1.03), ylim=(len(styles) - 0.4, -0.6), xticks=UNIT_TICKS)
    return figure
