"""Figures of what goes wrong: kinds of errors, confusion of species, what a score is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from podura.report.parts import (
    UNIT_TICKS,
    WIDTH,
    balanced_columns,
    in_two_lines,
    is_number,
    label_rows,
    name_rows,
    shortened,
    slant,
    species_parts,
    stripes,
)
from podura.report.results import Results, full_names, short_names, species_codes
from podura.report.style import DISTINCT, HUES, INK, MUTED, OTHER, PAPER, ModelStyle, model_styles, styled

#: The kinds of errors in the order in which they are drawn, with what they are called and their colours.
KINDS: Mapping[str, tuple[str, str]] = {
    "wrong_species": ("wrong species", HUES[1]),
    "poor_box": ("poor box", HUES[0]),
    "both": ("both", HUES[3]),
    "duplicate": ("duplicate", HUES[4]),
    "background": ("background", HUES[2]),
    "missed": ("missed", OTHER),
}
_MARKERS = dict(zip(KINDS, ("o", "s", "^", "D", "v", "X"), strict=True))
# More species would make the cells of a matrix too small to read.
_MOST_SPECIES = 12
_MOST_MATRICES = 3
_OTHERS = "other species"


def detector_styles(results: Results) -> dict[str, ModelStyle]:
    """The detectors by rank."""
    return {model: s for model, s in model_styles(results.models_table).items() if not s.control}


@styled
def errors_figure(results: Results) -> Figure:
    """Kinds of errors of each detector and, of the best one, of each species; all runs together.

    Left: errors per 100 specimens at the threshold. Right: what AP would gain, without a threshold, if a
    kind were mended; of a detector the mean over species.
    """
    errors = results.diagnosis["errors"]
    errors = errors[errors["seed"].isna()]
    styles = detector_styles(results)
    models = [model for model in styles if (errors["model"] == model).any()]
    if not models:
        return _nothing()
    codes = species_codes(results.species_list, results.species_table)
    of_best = errors[errors["model"] == models[0]]
    row = 0.2 if len(codes) > _MOST_SPECIES else 0.27
    heights = [0.27 * len(models) + 0.4, row * len(codes) + 0.4]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=heights, sharex="col", sharey="row")
    _error_panels(axes[0], errors, "model", models)
    _error_panels(axes[1], of_best, "species", codes)
    for axis in axes[1]:
        axis.margins(x=0.03)
        axis.autoscale(axis="x")
    axes[1, 0].set_xlim(left=0)
    axes[1, 1].xaxis.set_major_locator(MaxNLocator(4))
    axes[0, 0].set_yticks(range(len(models)), [shortened(styles[m].label, 34) for m in models])
    name_rows([axes[1, 0]], codes, results.species_list, size=7.5 if len(codes) > _MOST_SPECIES else 9)
    axes[1, 0].set_title(in_two_lines(styles[models[0]].label, 46), loc="left")
    axes[0, 0].set_title("All detectors", loc="left")
    axes[1, 0].set_xlabel("Errors per 100 specimens, at the threshold")
    axes[1, 1].set_xlabel("AP gained if the kind were mended")
    figure.legend(
        [
            Line2D([], [], color=color, marker=_MARKERS[kind], lw=5, markersize=6, markeredgecolor=PAPER)
            for kind, (_, color) in KINDS.items()
        ],
        [label for label, _ in KINDS.values()],
        loc="outside upper left",
        ncols=6,
    )
    return figure


def _error_panels(axes: Sequence[Axes], errors: pd.DataFrame, column: str, rows: Sequence[str]) -> None:
    for axis in axes:
        stripes(axis, len(rows))
        axis.set_ylim(len(rows) - 0.5, -0.5)
    sums = errors[errors["level"] == "threshold"].groupby([column, "kind"])[["n", "n_truth"]].sum()
    means = errors[errors["level"] == "floor"].groupby([column, "kind"])["d_ap"].mean()
    for place, name in enumerate(rows):
        left = 0.0
        for kind, (_, color) in KINDS.items():
            if (name, kind) not in sums.index or sums.loc[(name, kind), "n_truth"] == 0:
                continue
            width = 100 * float(sums.loc[(name, kind), "n"]) / float(sums.loc[(name, kind), "n_truth"])
            # A hair of paper parts neighbours that are one grey in print.
            axes[0].barh(place, width, left=left, height=0.6, color=color, linewidth=0.3, edgecolor=PAPER)
            left += width
            gain = means.get((name, kind), math.nan)
            if is_number(gain):
                axes[1].scatter(
                    gain, place, s=26, marker=_MARKERS[kind], color=color, edgecolors=PAPER, lw=0.5, zorder=3
                )


@styled
def confusion_figure(results: Results) -> Figure:
    """Which species is taken for which, at the threshold, all runs together: a matrix a detector.

    Of the best detectors, or of the best one where species are many. Percent of each row: of the
    specimens of a species, or of what was found where there is none. Beyond a dozen species those that
    are confused most, and the others as one.
    """
    table = results.diagnosis["confusion"]
    table = table[table["level"] == "threshold"]
    styles = detector_styles(results)
    codes = species_codes(results.species_list, results.species_table)
    most = _MOST_MATRICES if len(codes) <= _MOST_SPECIES else 1
    models = [model for model in styles if (table["model"] == model).any()][:most]
    if not models:
        return _nothing()
    matrices = [confusion_matrix(table[table["model"] == model], codes) for model in models]
    size = 0.34 * max(len(matrix) for matrix in matrices) + 1.8
    figure = Figure(figsize=(WIDTH, len(models) * size + 0.2), layout="constrained")
    axes = figure.subplots(len(models), 1, squeeze=False)
    for axis, model, matrix in zip(axes[:, 0], models, matrices, strict=True):
        _matrix_panel(axis, matrix, results.species_list)
        axis.set_title(in_two_lines(styles[model].label, 60), loc="left")
    # Cells stay square, so that the layout fits the height only once it knows the width.
    figure.draw_without_rendering()
    return figure


def confusion_matrix(table: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """Counts of the table confusion as a matrix: species and background by species and missed.

    Of more than a dozen species those that are confused most with each other; the others are one row
    and one column.
    """
    counts = table.groupby(["true_species", "found_species"])["n"].sum().unstack(fill_value=0)
    counts = counts.reindex(index=[*codes, "background"], columns=[*codes, "missed"], fill_value=0)
    counts = counts.astype(int)
    if len(codes) <= _MOST_SPECIES:
        return counts
    between = counts.loc[list(codes), list(codes)].to_numpy(copy=True)
    np.fill_diagonal(between, 0)
    most = np.argsort(-(between.sum(axis=0) + between.sum(axis=1)), kind="stable")[:_MOST_SPECIES]
    kept = [codes[place] for place in sorted(most)]
    names = {code: code if code in kept else _OTHERS for code in codes}
    merged = counts.groupby(lambda code: names.get(code, code)).sum().T
    merged = merged.groupby(lambda code: names.get(code, code)).sum().T
    return merged.loc[[*kept, _OTHERS, "background"], [*kept, _OTHERS, "missed"]]


def _matrix_panel(axis: Axes, matrix: pd.DataFrame, species_list: Sequence[Mapping[str, Any]]) -> None:
    short, full = short_names(species_list), full_names(species_list)
    counts = matrix.to_numpy()
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    of_itself = np.eye(*counts.shape, dtype=np.bool_)
    of_itself[-1, -1] = False
    merged = matrix.index == _OTHERS
    for row, column in np.argwhere(counts > 0):
        # Among the others taken together right and wrong cannot be told apart.
        color = (MUTED if merged[row] else HUES[0]) if of_itself[row, column] else HUES[1]
        strength = 0.08 + 0.62 * float(share[row, column])
        axis.add_patch(_cell(row, column, color, strength))
        percent = 100 * share[row, column]
        axis.text(
            column, row, f"{percent:.0f}" if percent >= 1 else "<1", ha="center", va="center", fontsize=7.5
        )
    axis.set(xlim=(-0.5, len(matrix.columns) - 0.5), ylim=(len(matrix) - 0.5, -0.5), aspect="equal")
    axis.set_xlabel("found as (percent of the row)")
    axis.annotate(
        "in truth", (0, 1), xytext=(-5, 3), xycoords="axes fraction", textcoords="offset points",
        ha="right", color=INK,
    )  # fmt: skip
    axis.set_xticks(
        range(len(matrix.columns)), [shortened(short.get(c, c), 24) for c in matrix.columns], rotation=90
    )
    for label, code in zip(axis.get_xticklabels(), matrix.columns, strict=True):
        label.set(style=slant(full.get(code, code)), fontsize=8)
    rows = [
        [*species_parts(str(code), species_list), (f" {n}", False)]
        for code, n in zip(matrix.index, total[:, 0], strict=True)
    ]
    label_rows(axis, rows, size=8)


def _cell(row: int, column: int, color: str, strength: float) -> Rectangle:
    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, alpha=strength, linewidth=0)


@styled
def reliability_figure(results: Results) -> Figure:
    """Precision against score: a panel a detector, all runs together.

    Thick: all species, with intervals over slides; thin: each species. On the diagonal a score means
    what it says.
    """
    table = results.diagnosis["reliability"]
    table = table[table["seed"].isna()]
    styles = detector_styles(results)
    models = [model for model in styles if (table["model"] == model).any()][:DISTINCT]
    if not models:
        return _nothing()
    columns = balanced_columns(len(models), most=3)
    rows = math.ceil(len(models) / columns)
    figure = Figure(figsize=(min(WIDTH, 3.4 * columns), 2.9 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, model in zip(axes.flat, models, strict=False):
        style, of_model = styles[model], table[table["model"] == model]
        axis.plot([0, 1], [0, 1], color=INK, lw=0.8, zorder=2)
        for _, of_species in of_model[of_model["species"].notna()].groupby("species"):
            axis.plot(of_species["score_mean"], of_species["precision"], color=MUTED, lw=0.5, alpha=0.6)
        of_all = of_model[of_model["species"].isna()]
        axis.vlines(of_all["score_mean"], of_all["precision_low"], of_all["precision_high"],
                    color=style.color, lw=1.6, alpha=0.55, zorder=3)  # fmt: skip
        axis.plot(
            of_all["score_mean"], of_all["precision"], color=style.color, lw=1.3, zorder=4,
            marker=style.marker, markersize=4.5, markeredgecolor=PAPER, markeredgewidth=0.5,
        )  # fmt: skip
        axis.set_title(in_two_lines(style.label, 90 // (columns + 1)), loc="left")
        error = of_all["calibration_error"].iloc[0]
        axis.text(0.03, 0.95, f"calibration error {error:.3f}", va="top", fontsize=8, color=MUTED)
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    axes[0, 0].set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=UNIT_TICKS, yticks=UNIT_TICKS)
    for axis in axes[:, 0]:
        axis.set_ylabel("Precision")
    figure.supxlabel("Score", fontsize=9)
    return figure


def _nothing() -> Figure:
    figure = Figure(figsize=(WIDTH, 0.6))
    figure.text(0.02, 0.5, "No detector was evaluated in this study.", va="center", color=MUTED)
    return figure
