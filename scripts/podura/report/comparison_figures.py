"""Figures of how sure the ranking is: chances of ranks, and which detectors nothing tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from podura.report.comparisons import ranked_models, undecided_groups
from podura.report.parts import WIDTH, shortened
from podura.report.style import HUES, INK, MUTED, PAPER, model_styles, styled
from podura.report.wording import chance

# On a darker cell figures are light, whatever the page's theme makes of its paper.
_DARK, _LIGHT = 0.6, "#fefefe"


def _sentence_figure(text: str) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.6))
    figure.text(0.02, 0.5, text, va="center", color=MUTED)
    return figure


@styled
def ranks_figure(ranks: pd.DataFrame | None, models_table: pd.DataFrame) -> Figure:
    """The chance of each rank of each detector in percent: a row a detector, a column a rank."""
    ranked = ranked_models(models_table)
    chances = {}
    if ranks is not None:
        known = ranks[ranks["chance"].notna()]
        chances = {
            (str(model), int(rank)): float(value)
            for model, rank, value in zip(known["model"], known["rank"], known["chance"], strict=True)
        }
    if len(ranked) < 2:
        return _sentence_figure("Fewer than two detectors have a score: there is no ranking.")
    if not chances:
        return _sentence_figure("The resamples of the test slides tell no ranks.")
    labels = [shortened(style.label, 34) for m, style in model_styles(models_table).items() if m in ranked]
    n = len(ranked)
    size = 9 if n <= 12 else 6.5
    figure = Figure(figsize=(WIDTH, 0.29 * n + 0.75), layout="constrained")
    axis = figure.subplots()
    for row, model in enumerate(ranked):
        for rank in range(1, n + 1):
            value = chances.get((model, rank), 0.0)
            axis.fill_between(
                [rank - 0.5, rank + 0.5], row - 0.46, row + 0.46, color=HUES[0], alpha=value, lw=0, zorder=1
            )
            if value > 0:
                axis.text(
                    rank,
                    row,
                    chance(value).removesuffix("\u00a0%"),
                    ha="center",
                    va="center",
                    fontsize=size,
                    color=_LIGHT if value > _DARK else INK if value >= 0.01 else MUTED,
                    zorder=2,
                )
    axis.grid(visible=False)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0)
    axis.set(xlim=(0.5, n + 0.5), ylim=(n - 0.5, -0.5), xticks=range(1, n + 1))
    axis.set_yticks(range(n), labels)
    axis.xaxis.set_label_position("top")
    axis.xaxis.tick_top()
    axis.set_xlabel("Rank by mean AP50:95; chance in percent")
    return figure


@styled
def differences_figure(comparisons: pd.DataFrame | None, models_table: pd.DataFrame) -> Figure:
    """Detectors on the axis of mean AP50:95; a bar joins those of which no pair is told apart.

    After the critical-difference diagram of Demšar (2006, JMLR 7:1-30).
    """
    ranked = ranked_models(models_table)
    if len(ranked) < 2 or comparisons is None or comparisons.empty:
        return _sentence_figure("Fewer than two detectors have a score: nothing is compared.")
    values = models_table.set_index("model")["map50_95"].astype(float)
    places = [float(values[model]) for model in ranked]
    styles = model_styles(models_table)
    groups = undecided_groups(comparisons, ranked)
    upper, sides = len(ranked) - len(ranked) // 2, 0.05
    spread = max(places) - min(places) or 0.02
    left, right = min(places) - sides * spread, max(places) + sides * spread
    first_label = 1.2 + 0.55 * len(groups)
    depth = first_label + upper
    figure = Figure(figsize=(WIDTH, 0.24 * depth + 0.6))
    # The labels stand in the margins beside the axis.
    margin = min(0.34, 0.03 + 0.0105 * max(len(shortened(s.label, 30)) for s in styles.values()))
    head = 0.45 / (0.24 * depth + 0.6)
    axis = figure.add_axes((margin, 0.02, 1 - 2 * margin, 0.98 - head))
    axis.set(xlim=(left, right), ylim=(depth - 0.5, 0))
    axis.grid(visible=False)
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.spines["top"].set_visible(True)
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.set_yticks([])
    axis.set_xlabel("Mean AP50:95 (better to the right)")
    for place, (model, value) in enumerate(zip(ranked, places, strict=True)):
        style = styles[model]
        color = style.color if style.distinct else MUTED
        on_right = place < upper
        # The outermost detector has the highest line, so no line crosses another.
        row = first_label + (place if on_right else len(ranked) - 1 - place)
        end = right if on_right else left
        axis.plot([value, value, end], [0, row, row], color=color, lw=0.9, clip_on=False, zorder=2)
        axis.plot([value], [0], style.marker, color=color, ms=6, mec=PAPER, mew=0.6, clip_on=False, zorder=5)
        text = shortened(style.label, 30)
        shown = f"{value:.3f}"
        axis.annotate(
            f"{text}  {shown}" if on_right else f"{shown}  {text}",
            (end, row),
            xytext=(4 if on_right else -4, 0),
            textcoords="offset points",
            ha="left" if on_right else "right",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
    _bars(axis, groups, dict(zip(ranked, places, strict=True)), 0.012 * (right - left))
    return figure


def _bars(
    axis: Axes, groups: Sequence[tuple[str, ...]], place_of: Mapping[str, float], beyond: float
) -> None:
    for number, group in enumerate(groups):
        ends = [place_of[model] for model in group]
        axis.plot(
            [min(ends) - beyond, max(ends) + beyond],
            [0.9 + 0.55 * number] * 2,
            color=INK,
            lw=3.2,
            solid_capstyle="butt",
            zorder=4,
        )
