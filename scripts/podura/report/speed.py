"""Speed against mean average precision: what quality costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from podura.report.parts import WIDTH, is_number, shortened
from podura.report.style import MUTED, PAPER, model_styles, styled

_LINE = 0.165  # inches that a label takes


@styled
def speed_figure(models_table: pd.DataFrame) -> Figure:
    """Mean AP50:95 with its interval over images a second in detection: a mark a detector, named at the side.

    Speed is that of the study's machine and images (benchmark/costs.csv). A detector without a score or a
    time is named beneath.
    """
    styles = {m: s for m, s in model_styles(models_table).items() if not s.control}
    table = models_table.set_index("model")
    shown = [
        model
        for model in styles
        if is_number(table.loc[model, "map50_95"]) and is_number(table.loc[model, "detection_seconds"])
    ]
    left = [styles[model].label for model in styles if model not in shown]
    if not shown:
        figure = Figure(figsize=(WIDTH, 0.6))
        figure.text(0.02, 0.5, "No detector has both a score and a time.", va="center", color=MUTED)
        return figure
    height = max(3.0, _LINE * len(shown) + 0.9) + (0.3 if left else 0)
    figure = Figure(figsize=(WIDTH, height))
    bottom = (0.55 + (0.3 if left else 0)) / height
    axis = figure.add_axes((0.085, bottom, 0.585, 1 - bottom - 0.1 / height))
    speeds = [1 / float(table.loc[model, "detection_seconds"]) for model in shown]
    values = [float(table.loc[model, "map50_95"]) for model in shown]
    ends = [(table.loc[model, "map50_95_low"], table.loc[model, "map50_95_high"]) for model in shown]
    known = [float(end) for pair in ends for end in pair if is_number(end)]
    low, high = min([*values, *known]), max([*values, *known])
    margin = 0.06 * ((high - low) or 0.1)
    axis.set_xscale("log")
    axis.set(xlim=(min(speeds) / 1.35, max(speeds) * 1.35), ylim=(low - margin, high + margin))
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("Images per second in detection (log scale; faster to the right)")
    axis.set_ylabel("Mean AP50:95 on test slides")
    bottom_y, top_y = axis.get_ylim()
    inches = height * axis.get_position().height
    places = spread_out([(value - bottom_y) / (top_y - bottom_y) * inches for value in values], _LINE, inches)
    for model, speed, value, (least, most), place in zip(shown, speeds, values, ends, places, strict=True):
        style = styles[model]
        color = style.color if style.distinct else MUTED
        if is_number(least) and is_number(most):
            axis.vlines(speed, least, most, color=color, lw=1.4, alpha=0.55, zorder=3)
        axis.plot([speed], [value], style.marker, color=color, ms=6.5, mec=PAPER, mew=0.7, zorder=5)
        axis.annotate(
            f"{shortened(style.label, 30)}",
            (speed, value),
            xytext=(1.03, place / inches),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            arrowprops={
                "arrowstyle": "-",
                # To where the label begins: a line to its middle would run over its neighbours.
                "relpos": (0, 0.5),
                "color": color,
                "lw": 0.5,
                "alpha": 0.7,
                "shrinkA": 1,
                "shrinkB": 4,
            },
            zorder=2,
        )
    if left:
        words = shortened(f"without a score or a time: {', '.join(left)}", 110)
        figure.text(0.085, 0.1 / height, words, fontsize=7.5, color=MUTED)
    return figure


def spread_out(wanted: Sequence[float], step: float, end: float) -> list[float]:
    """Places near the wanted ones from 0 to ``end``, in their order, none nearer to another than ``step``.

    Where there is no room for all, they are spread evenly.
    """
    order = np.argsort(wanted, kind="stable")
    step = min(step, end / max(1, len(order)))
    places = np.asarray(wanted, dtype=np.float64)[order]
    for number in range(1, len(places)):
        places[number] = max(places[number], places[number - 1] + step)
    limit = end - step / 2
    for number in reversed(range(len(places))):
        places[number] = min(places[number], limit)
        limit = places[number] - step
    found = np.empty(len(places))
    found[order] = places
    return [float(value) for value in found]
