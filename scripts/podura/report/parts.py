"""Parts that several figures share: the legend, the rows, the labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from podura.report.results import full_names, is_binomial, short_names
from podura.report.style import MUTED, OTHER, PAPER, ModelStyle

WIDTH = 7.6  # inches; a page's text is about as wide
UNIT_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def legend(
    figure: Figure,
    styles: Mapping[str, ModelStyle],
    extra: Mapping[str, Line2D] | None = None,
    control_lines: bool = False,
) -> None:
    """Put a legend above the panels: the detectors, the controls, then ``extra`` lines."""
    handles, labels = [], []
    others = 0
    for style in styles.values():
        if not style.distinct:
            others += 1
            continue
        handles.append(
            Line2D(
                [], [], color=style.color, lw=1.3, markersize=6, markeredgecolor=PAPER,
                linestyle=style.line if control_lines or not style.control else "",
                marker="" if control_lines and style.control else style.marker,
            )
        )  # fmt: skip
        labels.append(shortened(style.label, 40))
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


def stripes(axis: Axes, rows: int) -> None:
    """Lay a light band under every second row: it leads the eye without a line for each."""
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    for row in range(0, rows, 2):
        axis.axhspan(row - 0.5, row + 0.5, color=MUTED, alpha=0.07, lw=0, zorder=0)


def name_rows(
    axes: Sequence[Axes], codes: Sequence[str], species_list: Sequence[Mapping[str, Any]], size: float
) -> None:
    """Write species names beside rows 0, 1, …"""
    short, full = short_names(species_list), full_names(species_list)
    for axis in axes:
        axis.set_yticks(range(len(codes)), [shortened(short.get(c, c), 34) for c in codes])
        for text, code in zip(axis.get_yticklabels(), codes, strict=True):
            text.set(style=slant(full.get(code, code)), fontsize=size)


def slant(name: str) -> str:
    """The font style of a whole name: species in italics."""
    return "italic" if is_binomial(name) else "normal"


def shortened(label: str, longest: int = 24) -> str:
    """A label cut to a length, with an ellipsis where something was cut."""
    return label if len(label) <= longest else label[: longest - 1] + "…"


def in_two_lines(label: str, width: int) -> str:
    """A label broken into at most two lines of about ``width`` characters."""
    return textwrap.fill(label, width, max_lines=2, placeholder="…")


def balanced_columns(panels: int, most: int) -> int:
    """Columns for so many panels, such that the last row is as full as may be."""
    return math.ceil(panels / math.ceil(panels / most)) if panels else 1


def is_number(value: Any) -> bool:
    """Whether a value is there and finite."""
    return not pd.isna(value) and math.isfinite(float(value))
