"""Parts that several figures share: the legend, the rows, the labels."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea

from podura.report.results import full_names, is_binomial, name_parts, short_names
from podura.report.style import INK, MUTED, OTHER, PAPER, ModelStyle

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
    """Write the names of species beside rows 0, 1, …: in italics, their authorities upright."""
    names = [species_parts(code, species_list) for code in codes]
    for axis in axes:
        label_rows(axis, names, size)


def label_rows(axis: Axes, labels: Sequence[Sequence[tuple[str, bool]]], size: float) -> None:
    """Write (text, italic) parts beside rows 0, 1, …; parts after the first that are not italic are muted."""
    axis.set_yticks(range(len(labels)), [""] * len(labels))
    for row, parts in enumerate(labels):
        texts: list[Artist] = [
            TextArea(
                text,
                textprops={
                    "style": "italic" if italic else "normal",
                    "size": size if italic or not place else size - 1,
                    "color": INK if italic or not place else MUTED,
                },
            )
            for place, (text, italic) in enumerate(parts)
        ]
        axis.add_artist(
            AnnotationBbox(
                HPacker(children=texts, align="baseline", pad=0, sep=0.35 * size),
                (0, row),
                xybox=(-5, 0),
                xycoords=axis.get_yaxis_transform(),
                boxcoords="offset points",
                box_alignment=(1, 0.5),
                pad=0,
                frameon=False,
                annotation_clip=False,
            )
        )


def species_parts(code: str, species_list: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """A species as (text, italic) parts: its short name, then its authority where it is known."""
    short, full = short_names(species_list).get(code, code), full_names(species_list).get(code, code)
    parts = [(short, True)] if is_binomial(full) else name_parts(short)
    shown = [(shortened(text.strip(), 34), italic) for text, italic in parts]
    known = authority(code, species_list)
    return [*shown, (known, False)] if known else shown


def authority(code: str, species_list: Sequence[Mapping[str, Any]]) -> str:
    """Author and year of a species' name, "" where they are not told."""
    told = {str(species["code"]): species.get("authority") for species in species_list}.get(code)
    return "" if told is None or pd.isna(told) else shortened(str(told), 30)


def panel_title(
    axis: Axes, code: str, species_list: Sequence[Mapping[str, Any]], small: str, name: str | None = None
) -> None:
    """Put a species' name above a panel, its authority beneath it, and small print beneath that."""
    known = authority(code, species_list)
    axis.set_title(
        shortened(name or short_names(species_list).get(code, code), 30),
        loc="left",
        style=slant(full_names(species_list).get(code, code)),
        pad=24 if known else 14,
    )
    for text, height in ((known, 13.5), (small, 4)):
        axis.annotate(
            text, (0, 1), xytext=(0, height), xycoords="axes fraction", textcoords="offset points",
            fontsize=7.5, color=MUTED,
        )  # fmt: skip


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
