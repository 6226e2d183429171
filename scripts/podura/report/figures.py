"""The figures of a benchmark, each drawn from finished tables."""

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

from podura.report.results import (
    Results,
    full_names,
    is_binomial,
    seed_means,
    short_names,
    species_codes,
)
from podura.report.style import (
    CONTROL,
    DISTINCT,
    INK,
    MUTED,
    OTHER,
    PAPER,
    ModelStyle,
    model_styles,
    styled,
)

_WIDTH = 7.6  # inches; a page's text is about as wide
_PLAIN_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


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
def precision_recall_figure(
    scores: Sequence[Mapping[str, Any]],
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
    target_precision: float,
) -> Figure:
    """Precision against recall on test: a panel a species, a colour a model, a line a seed.

    A marker stands at each detector's threshold (its test recall and precision there).
    """
    table = pd.DataFrame([{k: s[k] for k in ("model", "seed", "species")} for s in scores])
    codes = species_codes(species_list, table) if scores else []
    styles = model_styles(models_table)
    columns = min(3, max(1, len(codes)))
    rows = math.ceil(len(codes) / columns) or 1
    figure = Figure(figsize=(_WIDTH, 2.45 * rows + 0.9), layout="constrained")
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
    target = Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (6, 2)))
    _legend(figure, styles, extra={f"target precision {100 * target_precision:g} %": target})
    return figure


def _precision_recall_panel(
    axis: Axes,
    of_species: Sequence[Mapping[str, Any]],
    styles: Mapping[str, ModelStyle],
    target_precision: float,
) -> None:
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), xticks=_PLAIN_TICKS, yticks=_PLAIN_TICKS)
    axis.axhline(target_precision, color=INK, linewidth=0.9, linestyle=(0, (6, 2)), zorder=1.5)
    if not any(len(s["curve"]["recall"]) for s in of_species):
        axis.text(0.5, 0.5, "no scores for this species", ha="center", color=MUTED)
        return
    for model, style in styles.items():
        runs = [s for s in of_species if s["model"] == model]
        recall, precision = _joined_curves([s["curve"] for s in runs])
        order = 2 if style.control or not style.distinct else 3
        width = 1.4 if style.control else 1.1
        axis.plot(recall, precision, style.line, color=style.color, lw=width, zorder=order)
        points = [(s["test_recall"], s["test_precision"]) for s in runs if _is_number(s["threshold"])]
        points = [point for point in points if all(_is_number(value) for value in point)]
        if points and not style.control:
            axis.scatter(
                *zip(*points, strict=True),
                s=30 if style.distinct else 12,
                color=style.color,
                marker=style.marker,
                edgecolors=PAPER,
                linewidths=0.7,
                zorder=order + 2,
            )


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
    name = short_names(species_list).get(code, code)
    if len(name) > 30:
        name = name[:29] + "…"
    axis.set_title(name, loc="left", style=_slant(full_names(species_list).get(code, code)), pad=14)
    counts = [(s["n_truth"], s["n_slides"]) for s in of_species if _is_number(s["n_truth"])]
    if counts:
        truth, slides = (int(n) for n in counts[0])
        text = f"{truth} test specimens on {slides} slides"
        axis.text(0, 1.025, text, transform=axis.transAxes, fontsize=7.5, color=MUTED)


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
    figure = Figure(figsize=(_WIDTH, rows * height + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis, panel in zip(axes.flat, panels, strict=False):
        _species_panel(axis, species_table, codes, panel, styles, controls)
        if not together:
            axis.set_title(_short_label(styles[panel[0]].label), fontsize=8.5)
            axis.tick_params(axis="x", labelbottom=True, labelsize=7)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    first = axes.flat[0]
    _name_rows(axes[:, 0], codes, species_list, size=9 if together else 7.5)
    first.set(xlim=(-0.03, 1.03), ylim=(len(codes) - 0.5, -0.5))
    first.set_xticks(_PLAIN_TICKS if together else (0.0, 0.5, 1.0))
    figure.supxlabel("AP at IoU 0.5 on test slides", fontsize=9)
    if together:
        _legend(figure, {**styles, **controls})
    else:
        _legend(figure, controls)
    return figure


def _species_panel(
    axis: Axes,
    species_table: pd.DataFrame,
    codes: Sequence[str],
    panel: Sequence[str],
    styles: Mapping[str, ModelStyle],
    controls: Mapping[str, ModelStyle],
) -> None:
    _stripes(axis, len(codes))
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
    figure = Figure(figsize=(_WIDTH, 0.34 * len(styles) + 1.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True, sharex=True)
    for axis, (column, per_seed, title) in zip(
        axes,
        (
            ("map50_95", "ap50_95", "Mean AP at IoU 0.50:0.95 (the ranking)"),
            ("map50", "ap50", "Mean AP at IoU 0.5"),
        ),
        strict=True,
    ):
        _stripes(axis, len(styles))
        axis.set_title(title, loc="left")
        seeds = seed_means(species_table, per_seed)
        for place, (model, style) in enumerate(styles.items()):
            color = style.color if style.distinct else MUTED
            low, high = rows.loc[model, f"{column}_low"], rows.loc[model, f"{column}_high"]
            if _is_number(low) and _is_number(high):
                axis.hlines(place, low, high, color=color, lw=2.2, alpha=0.55, zorder=2)
            value = rows.loc[model, column]
            if _is_number(value):
                axis.scatter(
                    value, place, s=52, marker=style.marker, color=color, edgecolors=PAPER, lw=0.8, zorder=3
                )
            dots = seeds.get(model, [])
            axis.scatter(dots, [place + 0.3] * len(dots), s=9, color=color, linewidths=0, zorder=4)
    axes[0].set_yticks(range(len(styles)), [_short_label(s.label, 34) for s in styles.values()])
    axes[0].set(xlim=(-0.03, 1.03), ylim=(len(styles) - 0.4, -0.6), xticks=_PLAIN_TICKS)
    return figure


@styled
def learning_figure(histories: Mapping[tuple[str, int], pd.DataFrame], models_table: pd.DataFrame) -> Figure:
    """Validation mAP and training loss by epoch: a column a detector, a line a seed.

    A marker stands at the epoch whose weights were kept.
    """
    styles = model_styles(models_table)
    trained = {model for model, _ in histories}
    models = [model for model in styles if model in trained]
    columns = min(4, len(models))
    blocks = math.ceil(len(models) / columns)
    width = _WIDTH if columns > 1 else 0.6 * _WIDTH
    figure = Figure(figsize=(width, blocks * 3.4 + 0.5), layout="constrained")
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    for place, model in enumerate(models):
        block, column = divmod(place, columns)
        upper, lower = axes[2 * block, column], axes[2 * block + 1, column]
        runs = [frame for (name, _), frame in sorted(histories.items()) if name == model]
        _learning_panels(upper, lower, runs, styles[model])
        upper.set_title(_short_label(styles[model].label, 74 // columns), loc="left")
        if column == 0:
            upper.set_ylabel("Validation mAP")
            lower.set_ylabel("Training loss")
    solid = Line2D([], [], color=MUTED, lw=1.3)
    dashed = Line2D([], [], color=MUTED, lw=1.0, linestyle="--")
    kept = Line2D([], [], color=MUTED, lw=0, marker="o", markersize=5)
    labels = ["mAP at IoU 0.50:0.95", "mAP at IoU 0.5", "weights kept"]
    figure.legend([solid, dashed, kept], labels, loc="outside upper left", ncols=3 if columns > 1 else 1)
    return figure


def _learning_panels(upper: Axes, lower: Axes, runs: Sequence[pd.DataFrame], style: ModelStyle) -> None:
    color = style.color if style.distinct else MUTED
    for history in runs:
        epochs = history["epoch"].astype(float)
        upper.plot(epochs, history["validation_map50"].astype(float), "--", color=color, lw=0.9)
        upper.plot(epochs, history["validation_map50_95"].astype(float), color=color, lw=1.3)
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
    upper.set(ylim=(-0.03, 1.03), yticks=_PLAIN_TICKS)
    lower.set_ylim(bottom=0)
    lower.set_xlabel("Epoch")


def _legend(
    figure: Figure, styles: Mapping[str, ModelStyle], extra: Mapping[str, Line2D] | None = None
) -> None:
    handles, labels = [], []
    others = 0
    for style in styles.values():
        if not style.distinct:
            others += 1
            continue
        handles.append(
            Line2D(
                [], [], color=style.color, linestyle=style.line, lw=1.3,
                marker=style.marker, markersize=6, markeredgecolor=PAPER,
            )
        )  # fmt: skip
        labels.append(_short_label(style.label, 40))
    if others:
        handles.append(Line2D([], [], color=OTHER, lw=1.1))
        labels.append(f"the {others} other detectors")
    for label, line in (extra or {}).items():
        handles.append(line)
        labels.append(label)
    if handles:
        longest = max(len(label) for label in labels)
        columns = max(1, min(len(labels), 100 // (longest + 6)))
        figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def _stripes(axis: Axes, rows: int) -> None:
    # A light band under every second row leads the eye without a line for each.
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    for row in range(0, rows, 2):
        axis.axhspan(row - 0.5, row + 0.5, color=MUTED, alpha=0.07, lw=0, zorder=0)


def _name_rows(
    axes: Sequence[Axes], codes: Sequence[str], species_list: Sequence[Mapping[str, Any]], size: float
) -> None:
    short, full = short_names(species_list), full_names(species_list)
    for axis in axes:
        axis.set_yticks(range(len(codes)), [_short_label(short.get(c, c), 34) for c in codes])
        for text, code in zip(axis.get_yticklabels(), codes, strict=True):
            text.set(style=_slant(full.get(code, code)), fontsize=size)


def _slant(name: str) -> str:
    return "italic" if is_binomial(name) else "normal"


def _short_label(label: str, longest: int = 24) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"


def _is_number(value: Any) -> bool:
    return not pd.isna(value) and math.isfinite(float(value))
