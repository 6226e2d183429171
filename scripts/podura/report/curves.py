"""Figures of curves: precision against recall, and learning by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from podura.report.parts import (
    UNIT_TICKS,
    WIDTH,
    balanced_columns,
    in_two_lines,
    is_number,
    legend,
    panel_title,
)
from podura.report.results import species_codes
from podura.report.style import INK, MUTED, PAPER, ModelStyle, model_styles, styled

# More crosses in a panel would hide one another.
_MOST_CROSSED = 2


@styled
def precision_recall_figure(
    scores: Sequence[Mapping[str, Any]],
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
    target_precision: float,
    only: str | None = None,
) -> Figure:
    """Precision against recall on test: a panel a species, a colour a model, a line a seed.

    A marker stands at each detector's certified threshold (its test recall and precision there), a
    hollow one at its empirical threshold. Beyond
    ``style.DISTINCT`` detectors, those of lower rank are thin lines without markers. The certified
    markers of at most two detectors have the intervals of both as a cross. ``only`` one detector is drawn
    where it is named.
    """
    if only is not None:
        scores = [score for score in scores if score["model"] == only]
        models_table = models_table[models_table["model"] == only]
    table = pd.DataFrame([{k: s[k] for k in ("model", "seed", "species")} for s in scores])
    codes = species_codes(species_list, table) if scores else []
    styles = model_styles(models_table)
    columns = min(3, max(1, len(codes)))
    rows = math.ceil(len(codes) / columns) or 1
    figure = Figure(figsize=(WIDTH, 2.45 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, code in zip(axes.flat, codes, strict=False):
        of_species = [s for s in scores if s["species"] == code]
        _precision_recall_panel(axis, of_species, styles, target_precision)
        _species_title(axis, code, species_list, of_species)
    for axis in axes.flat[len(codes) :]:
        axis.set_visible(False)
    for column in range(columns):  # the lowest panel of a column, which the last row may lack
        lowest = [a for a in axes[:, column] if a.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("Recall")
    for axis in axes[:, 0]:
        axis.set_ylabel("Precision")
    target = Line2D([], [], color=INK, linewidth=0.9)
    known = {model: style for model, style in styles.items() if any(s["model"] == model for s in scores)}
    legend(
        figure, known, extra={f"target precision {100 * target_precision:g} %": target}, control_lines=True
    )
    return figure


def _precision_recall_panel(
    axis: Axes,
    of_species: Sequence[Mapping[str, Any]],
    styles: Mapping[str, ModelStyle],
    target_precision: float,
) -> None:
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), xticks=UNIT_TICKS, yticks=UNIT_TICKS)
    axis.axhline(target_precision, color=INK, linewidth=0.9, zorder=1.5)
    if not any(len(s["curve"]["recall"]) for s in of_species):
        axis.text(0.5, 0.5, "no test specimens", ha="center", color=MUTED)
        return
    crossed = sum(not style.control for style in styles.values()) <= _MOST_CROSSED
    for model, style in styles.items():
        runs = [s for s in of_species if s["model"] == model]
        recall, precision = _joined_curves([s["curve"] for s in runs])
        order = 2 if style.control or not style.distinct else 3
        width = 1.4 if style.control else 1.1 if style.distinct else 0.5
        axis.plot(recall, precision, linestyle=style.line, color=style.color, lw=width, zorder=order)
        if style.control or not style.distinct:
            continue
        for kind, face, edge in (("", style.color, PAPER), ("_empirical", "none", style.color)):
            points = [(s[f"test_recall{kind}"], s[f"test_precision{kind}"]) for s in runs]
            points = [point for point in points if all(is_number(value) for value in point)]
            if points and not kind and crossed:
                _crosses(axis, runs, style.color, order + 1)
            if points:
                axis.scatter(
                    [recall for recall, _ in points],
                    [precision for _, precision in points],
                    s=30 if not kind else 24,
                    facecolors=face,
                    edgecolors=edge,
                    marker=style.marker,
                    linewidths=0.7,
                    zorder=order + 2,
                )


def _crosses(axis: Axes, runs: Sequence[Mapping[str, Any]], color: str, order: int) -> None:
    """The intervals over slides of recall and precision at the certified threshold of each run."""
    for s in runs:
        ends = [s[f"test_{name}_{end}"] for name in ("recall", "precision") for end in ("low", "high")]
        if all(is_number(value) for value in (*ends, s["test_recall"], s["test_precision"])):
            axis.hlines(s["test_precision"], ends[0], ends[1], color=color, lw=0.9, alpha=0.7, zorder=order)
            axis.vlines(s["test_recall"], ends[2], ends[3], color=color, lw=0.9, alpha=0.7, zorder=order)


def _joined_curves(
    curves: Sequence[Mapping[str, Sequence[float]]],
) -> tuple[np.ndarray, np.ndarray]:
    # One line with gaps for all seeds: one object in place of many keeps large studies small.
    recall: list[float] = []
    precision: list[float] = []
    for curve in curves:
        if len(curve["recall"]):
            x, y = thinned(np.asarray(curve["recall"], float), np.asarray(curve["precision"], float))
            # From recall 0 on, so that a curve of one point is seen as well.
            recall += [0.0, *x, math.nan]
            precision += [y[0], *y, math.nan]
    return np.asarray(recall), np.asarray(precision)


def thinned(x: np.ndarray, y: np.ndarray, step: float = 0.0025) -> tuple[np.ndarray, np.ndarray]:
    """The same curve, to within ``step``, without the points that cannot be told apart."""
    x, y = np.round(x / step) * step, np.round(y / step) * step
    keep = np.ones(len(x), bool)
    keep[1:] = (np.diff(x) != 0) | (np.diff(y) != 0)
    x, y = x[keep], y[keep]
    if len(x) > 2:
        before, after = (np.diff(x)[:-1], np.diff(y)[:-1]), (np.diff(x)[1:], np.diff(y)[1:])
        turn = np.abs(before[0] * after[1] - before[1] * after[0]) > 1e-12
        backwards = before[0] * after[0] + before[1] * after[1] < 0
        keep = np.concatenate([[True], turn | backwards, [True]])
        x, y = x[keep], y[keep]
    return x, y


def _species_title(
    axis: Axes,
    code: str,
    species_list: Sequence[Mapping[str, Any]],
    of_species: Sequence[Mapping[str, Any]],
) -> None:
    counts = [(s["n_truth"], s["n_slides"]) for s in of_species if is_number(s["n_truth"])]
    small = ""
    if counts and counts[0][0] > 0:
        truth, slides = (int(n) for n in counts[0])
        small = f"{truth} specimens on {slides} slides"
    panel_title(axis, code, species_list, small)


@styled
def learning_figure(histories: Mapping[tuple[str, str], pd.DataFrame], models_table: pd.DataFrame) -> Figure:
    """Validation mAP and training loss by epoch: a column a detector, a line a run.

    A marker stands at the epoch whose weights were kept.
    """
    styles = model_styles(models_table)
    trained = {model for model, _ in histories}
    models = [model for model in styles if model in trained]
    if not models:
        figure = Figure(figsize=(WIDTH, 0.6))
        figure.text(0.02, 0.5, "No detector was trained in this study.", va="center", color=MUTED)
        return figure
    columns = balanced_columns(len(models), most=4)
    blocks = math.ceil(len(models) / columns)
    figure = Figure(figsize=(WIDTH, blocks * 3.4 + 0.5), layout="constrained")
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    for place, model in enumerate(models):
        block, column = divmod(place, columns)
        upper, lower = axes[2 * block, column], axes[2 * block + 1, column]
        runs = [frame for (name, _), frame in sorted(histories.items()) if name == model]
        _learning_panels(upper, lower, runs, styles[model])
        upper.set_title(in_two_lines(styles[model].label, 76 // columns), loc="left")
        if column == 0:
            upper.set_ylabel("Validation mAP")
            lower.set_ylabel("Training loss")
    solid = Line2D([], [], color=MUTED, lw=1.3)
    dashed = Line2D([], [], color=MUTED, lw=1.0, linestyle="--")
    kept = Line2D([], [], color=MUTED, lw=0, marker="o", markersize=5)
    labels = ["mAP at IoU 0.50:0.95", "mAP at IoU 0.5", "weights kept"]
    figure.legend([solid, dashed, kept], labels, loc="outside upper left", ncols=3)
    return figure


def _learning_panels(upper: Axes, lower: Axes, runs: Sequence[pd.DataFrame], style: ModelStyle) -> None:
    color = style.color if style.distinct else MUTED
    for history in runs:
        epochs = history["epoch"].astype(float)
        # Not every epoch need be validated: lines go from one that was to the next.
        for column, dashes, width in (("validation_map50", "--", 0.9), ("validation_map50_95", "-", 1.3)):
            judged = history[column].notna()
            values = history.loc[judged, column].astype(float)
            upper.plot(epochs[judged], values, dashes, color=color, lw=width)
        lower.plot(epochs, history["loss"].astype(float), color=color, lw=1.3)
        kept = history[history["kept"].fillna(False).astype(bool)].tail(1)
        upper.plot(
            kept["epoch"].astype(float),
            kept["validation_map50_95"].astype(float),
            style.marker,
            color=color,
            markersize=6,
            markeredgecolor=PAPER,
            zorder=4,
        )
    for axis in (upper, lower):
        axis.set_visible(True)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    upper.set(ylim=(-0.03, 1.03), yticks=UNIT_TICKS)
    lower.set_ylim(bottom=0)
    lower.set_xlabel("Epoch")
