"""The figures of a data set: specimens by species and part, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from podura.report.dataset import Dataset
from podura.report.parts import WIDTH, name_rows, stripes
from podura.report.style import HUES, INK, MUTED, styled
from podura.tables import PARTS

_BINS_PER_DECADE = 20


def draw_dataset_figures(dataset: Dataset) -> dict[str, Figure]:
    """Every figure of the data set by the name of its file."""
    return {
        "specimens_by_part": parts_figure(dataset.counts, dataset.species_list),
        "sizes_by_species": sizes_figure(dataset.sizes, dataset.species_list),
    }


@styled
def parts_figure(counts: pd.DataFrame, species_list: Sequence[Mapping[str, Any]]) -> Figure:
    """Specimens of each species in each part, a column a part; with folds a dot a fold.

    ``counts`` is a frame as tables.SPLIT_REPORT. The scale is that of square roots, on which rare species
    can be seen beside common ones and zero has a place.
    """
    codes = [str(species["code"]) for species in species_list]
    place = {code: row for row, code in enumerate(codes)}
    parts = [part for part in PARTS if (counts["part"] == part).any()] or list(PARTS)
    figure = Figure(figsize=(WIDTH, 0.24 * len(codes) + 1.0), layout="constrained")
    axes = figure.subplots(1, len(parts), sharex=True, sharey=True, squeeze=False)[0]
    highest = max(1, int(counts["n_truth"].max() or 1)) if len(counts) else 1
    for axis, part in zip(axes, parts, strict=True):
        stripes(axis, len(codes))
        axis.set_title(part, loc="left")
        here = counts[(counts["part"] == part) & counts["species"].isin(place)]
        folds = max(1, here.groupby("species").size().max() if len(here) else 1)
        for code, of_species in here.groupby("species"):
            _part_row(axis, place[str(code)], of_species["n_truth"].astype(int).tolist(), int(folds))
        axis.set_xscale("function", functions=(_root, np.square))
        axis.set_xlim(0, highest * 1.35)
        axis.set_xticks(_square_ticks(highest))
        axis.tick_params(axis="x", labelsize=7.5)
    name_rows([axes[0]], codes, species_list, size=9)
    axes[0].set_ylim(len(codes) - 0.4, -0.6)
    figure.supxlabel("Specimens (square-root scale)", fontsize=9)
    return figure


def _part_row(axis: Axes, row: int, numbers: Sequence[int], folds: int) -> None:
    if folds == 1:
        axis.barh(row, numbers[0], height=0.5, color=HUES[0], zorder=3)
        words, at = (f"{numbers[0]:,}", numbers[0]) if numbers[0] else ("none", 0)
    else:
        offsets = np.linspace(-0.25, 0.25, len(numbers))
        axis.scatter(numbers, row + offsets, s=10, color=HUES[0], linewidths=0, zorder=3)
        low, high = min(numbers), max(numbers)
        words, at = (f"{low:,}–{high:,}" if low < high else f"{low:,}"), high
    color = HUES[1] if min(numbers) == 0 else INK
    axis.annotate(
        words, (at, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5, color=color
    )


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))  # matplotlib asks for values beyond the axis too


def _square_ticks(highest: int) -> list[int]:
    """Zero and two round numbers, about evenly spread on a scale of square roots."""
    rounded = [
        int(value // 10 ** int(np.log10(value))) * 10 ** int(np.log10(value))
        for value in (max(1, highest / 4), highest)
    ]
    return sorted({0, *rounded})


@styled
def sizes_figure(sizes: pd.DataFrame, species_list: Sequence[Mapping[str, Any]]) -> Figure:
    """How the longer sides of the boxes are distributed, a row a species; in µm as well where it is known.

    Outlines are histograms on a logarithmic scale, each of the same height; a line stands at the median.
    """
    codes = [str(species["code"]) for species in species_list]
    known = sizes["um_per_pixel"].notna().any()
    panels = [("Longer side of the box (px)", sizes["longer_side"])]
    if known:
        panels.append(("Longer side of the box (µm)", sizes["longer_side"] * sizes["um_per_pixel"]))
    figure = Figure(figsize=(WIDTH, 0.34 * len(codes) + 0.9), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (label, values) in zip(axes, panels, strict=True):
        stripes(axis, len(codes))
        axis.set_xscale("log")
        axis.set_xlabel(label)
        found = values[values > 0]
        low, high = (float(found.min()), float(found.max())) if len(found) else (1.0, 10.0)
        first, last = np.floor(np.log10(low) * 5) / 5, np.ceil(np.log10(high) * 5) / 5
        last = max(last, first + 0.2)
        edges = np.logspace(first, last, round((last - first) * _BINS_PER_DECADE) + 1)
        # The numbers of specimens stand to the right of what is drawn.
        axis.set_xlim(edges[0], edges[-1] * (edges[-1] / edges[0]) ** 0.16)
        for row, code in enumerate(codes):
            _size_row(
                axis, row, found[sizes.loc[found.index, "species"] == code].to_numpy(dtype=np.float64), edges
            )
        narrow = edges[-1] / edges[0] < 100
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axis.tick_params(axis="x", labelsize=7.5)
    name_rows([axes[0]], codes, species_list, size=9)
    axes[0].set_ylim(len(codes) - 0.4, -0.75)
    return figure


def _size_row(axis: Axes, row: int, values: np.ndarray, edges: np.ndarray) -> None:
    if not len(values):
        axis.text(edges[0], row, " none", va="center", fontsize=7.5, color=MUTED)
        return
    heights, _ = np.histogram(values, edges)
    base = row + 0.4
    tops = base - 0.95 * heights / heights.max()
    axis.stairs(tops, edges, baseline=base, fill=True, color=HUES[0], alpha=0.75, zorder=3)
    median = float(np.median(values))
    axis.vlines(median, base - 0.95, base, color=INK, lw=1.1, zorder=4)
    axis.text(edges[-1], row, f" {len(values):,}", va="center", fontsize=7.5, color=INK, zorder=5)
