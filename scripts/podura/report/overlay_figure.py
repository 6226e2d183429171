"""Test images with what the best detector finds, misses and gets wrong, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import BboxBase
from numpy.typing import NDArray

from podura import tables
from podura.report.overlays import MISSED, RIGHT, WRONG, choose_images, shown_rows
from podura.report.parts import WIDTH, shortened
from podura.report.style import MUTED, PAPER, styled

# Pixels of the longer side of a slide in the figure: at half of the figure's width as many as print can show.
LONGEST = 1100
_LOOKS: dict[str, dict[str, Any]] = {
    "right": {"color": RIGHT, "linestyle": "-", "linewidth": 1.1},
    "wrong": {"color": WRONG, "linestyle": (0, (1.2, 0.8)), "linewidth": 1.6},
    "missed": {"color": MISSED, "linestyle": (0, (4, 2)), "linewidth": 1.3},
}


@dataclass(frozen=True)
class Overlay:
    """A test image: its name and file, a line on who found what in it, and rows of ``shown_rows``."""

    image: str
    path: Path
    caption: str
    rows: pd.DataFrame


def read_overlays(results: Path, iou_percent: int, count: int) -> list[Overlay]:
    """The test images with most specimens, with the best detector's first seed; none without a detector."""
    models = tables.BENCHMARK_MODELS.read_csv(results / "benchmark/models.csv")
    if not (models["rank"] == 1).any():
        return []
    best = models[models["rank"] == 1].iloc[0]
    table = tables.BENCHMARK_FOLDS.read_csv(results / "benchmark/folds.csv")
    of_best = table[table["model"] == best["model"]]
    seed = int(of_best["seed"].min())
    of_best = of_best[of_best["seed"] == seed]
    folds = [int(fold) for fold in sorted(of_best["fold"].unique())]
    of_fold = {
        fold: tables.MATCHES.read_parquet(
            results / f"matches/{best['model']}/{tables.run_folder(seed, fold)}/test.parquet"
        )
        for fold in folds
    }
    fold_of = {image: fold for fold, matches in of_fold.items() for image in matches["image"].unique()}
    overlays = []
    for image in choose_images(pd.concat(of_fold.values()), count):
        fold = fold_of[image]
        place = results / "dataset/parts" / tables.part_folder("test", fold)
        images = tables.PART_IMAGES.read_csv(place / "images.csv").set_index("image")
        species = of_best[of_best["fold"] == fold].set_index("species")
        thresholds = species["threshold"].fillna(species["threshold_empirical"]).to_dict()
        matches = of_fold[fold]
        rows = shown_rows(matches[matches["image"] == image], thresholds, iou_percent)
        states = rows["state"].value_counts()
        found = ", ".join(f"{states.get(state, 0)} {state}" for state in _LOOKS)
        run = "all seeds" if seed == tables.ALL_SEEDS else f"seed {seed}"
        caption = f"{best['label']}, {run}: {found}"
        overlays.append(Overlay(image, Path(str(images.loc[image, "path"])), caption, rows))
    return overlays


@styled
def overlays_figure(shown: Sequence[tuple[Overlay, NDArray[np.uint8], tuple[int, int]]]) -> Figure:
    """Slides with boxes: each with its pixels (height, width, 3), reduced or not, its own width and height.

    Right detections have a whole blue line, wrong ones a dotted orange one, missed specimens a dashed green
    one; each carries its species, detections their score, as far as there is room.
    """
    if not shown:
        figure = Figure(figsize=(WIDTH, 0.6))
        figure.text(0.02, 0.5, "There is no detector with detections to show.", va="center", color=MUTED)
        return figure
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    tallest = max(height / width for _, _, (width, height) in shown)
    width = WIDTH / columns
    figure = Figure(figsize=(WIDTH, rows * (min(1.5, tallest) * width + 0.5) + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    labels = [
        label
        for axis, (overlay, pixels, size) in zip(axes.flat, shown, strict=False)
        for label in _overlay_panel(axis, overlay, pixels, size)
    ]
    handles = [Line2D([], [], **look) for look in _LOOKS.values()]
    figure.legend(handles, ["right", "wrong", "missed"], loc="outside upper left", ncols=3)
    _hide_overlapping(figure, labels)
    return figure


def _hide_overlapping(figure: Figure, labels: Sequence[Text]) -> None:
    """Leave out what would cover a label before it."""
    figure.draw_without_rendering()
    placed: list[BboxBase] = []
    for label in labels:
        # The strip behind the text is a little larger than the text.
        extent = label.get_window_extent().padded(1.5)
        if any(extent.overlaps(other) for other in placed):
            label.set_visible(False)
        else:
            placed.append(extent)


def _overlay_panel(
    axis: Axes, overlay: Overlay, pixels: NDArray[np.uint8], size: tuple[int, int]
) -> list[Text]:
    """Draw a slide and return the labels of its boxes, the most telling first."""
    width, height = size
    axis.imshow(pixels, extent=(0, width, height, 0), interpolation="none")
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.set_title(shortened(overlay.image, 46), loc="left", fontsize=8, pad=13)
    axis.annotate(
        shortened(overlay.caption, 62), (0, 1), xytext=(0, 3), xycoords="axes fraction",
        textcoords="offset points", fontsize=7, color=MUTED,
    )  # fmt: skip
    labels = []
    for row in overlay.rows.sort_values("score", ascending=False, na_position="first").to_dict("records"):
        x_min, y_min, x_max, y_max = (float(row[name]) for name in tables.BOX_COLUMNS)
        casing = {**_LOOKS[row["state"]], "color": PAPER, "linestyle": "-"}
        for look in ({**casing, "linewidth": casing["linewidth"] + 1.2}, _LOOKS[row["state"]]):
            axis.add_patch(Rectangle((x_min, y_min), x_max - x_min, y_max - y_min, fill=False, **look))
        what = "missed" if row["state"] == "missed" else f"{row['score']:.2f}"
        right = x_min > 0.6 * width
        label = axis.text(
            min(x_max, width) if right else max(x_min, 0), max(y_min, 0.05 * height),
            f"{row['species']} {what}", fontsize=5.5, color=PAPER, va="bottom",
            ha="right" if right else "left", clip_on=True,
            bbox={"facecolor": _LOOKS[row["state"]]["color"], "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
        labels.append(label)
    return labels
