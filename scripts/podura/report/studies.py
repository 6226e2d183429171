"""Two studies side by side: the figure and the page, from the table compared_studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from podura.report.comparisons import signed, signed_interval
from podura.report.html import RESOURCES, render
from podura.report.parts import WIDTH, is_number, label_rows, shortened, species_parts, stripes
from podura.report.results import full_names, name_parts
from podura.report.style import HUES, INK, MUTED, PAPER, inline_svg, styled
from podura.report.wording import fraction, percent

_VERDICTS = {"better": HUES[0], "worse": HUES[1], "undecided": MUTED}
_MARKERS = {"better": ">", "worse": "<", "undecided": "o"}


@styled
def studies_figure(
    table: pd.DataFrame, names: tuple[str, str], species_list: Sequence[Mapping[str, Any]]
) -> Figure:
    """Differences in AP50:95 with intervals: each pair over all shared species, the first by species.

    table: ``tables.COMPARED_STUDIES``; names of this study and of the other.
    """
    means = table[table["species"].isna()]
    model, other = means[["model", "other"]].iloc[0]
    by_species = table[table["species"].notna() & (table["model"] == model) & (table["other"] == other)]
    heights = [0.3 * len(means) + 0.3, 0.25 * len(by_species) + 0.3]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=heights, sharex=True)
    pairs = [
        one if one == two else f"{one} – {two}"
        for one, two in means[["model", "other"]].itertuples(index=False, name=None)
    ]
    _rows(upper, means, [[(shortened(pair, 44), False)] for pair in pairs], 9)
    upper.set_title("Mean over all shared species", loc="left")
    codes = [str(code) for code in by_species["species"]]
    _rows(lower, by_species, [species_parts(code, species_list) for code in codes], 8)
    lower.set_title(shortened(pairs[0], 60), loc="left")
    lower.tick_params(labelbottom=True)
    here, there = (shortened(name, 24) for name in names)
    figure.supxlabel(f"AP50:95 of {here} less that of {there} (right of 0: {here} higher)", fontsize=9)
    return figure


def _rows(axis: Axes, table: pd.DataFrame, labels: Sequence[Sequence[tuple[str, bool]]], size: float) -> None:
    stripes(axis, len(labels))
    axis.axvline(0, color=INK, lw=0.8, zorder=2)
    for place, row in enumerate(table.to_dict("records")):
        if not is_number(row["difference"]):
            axis.text(0, place, " no specimens in one of them", va="center", fontsize=7.5, color=MUTED)
            continue
        color = _VERDICTS[row["verdict"]]
        if is_number(row["difference_low"]):
            axis.hlines(place, row["difference_low"], row["difference_high"], color=color, lw=1.8, zorder=3)
        axis.plot(
            [row["difference"]], [place], _MARKERS[row["verdict"]], color=color, ms=6, mec=PAPER, mew=0.6,
            zorder=4,
        )  # fmt: skip
    label_rows(axis, labels, size)
    axis.set_ylim(len(labels) - 0.5, -0.5)


def render_studies(
    table: pd.DataFrame,
    notes: Sequence[str],
    names: tuple[str, str],
    species_list: Sequence[Mapping[str, Any]],
    *,
    confidence: float,
    resources: Path = RESOURCES,
) -> str:
    """The page that puts two studies side by side, as HTML. Every text of the studies is escaped."""
    figure = studies_figure(table, names, species_list)
    words = (
        f"Differences in AP50:95 between {names[0]} and {names[1]} with intervals. The table beneath gives "
        "the numbers."
    )
    full = full_names(species_list)
    rows = [
        {
            "model": row["model"],
            "other": row["other"],
            "species": []
            if pd.isna(row["species"])
            else name_parts(full.get(str(row["species"]), str(row["species"]))),
            "slides": _sides(row, "n_slides"),
            "truth": _sides(row, "n_truth"),
            "ap": fraction(row["ap50_95"], 3),
            "other_ap": fraction(row["other_ap50_95"], 3),
            "difference": signed(row["difference"]),
            "interval": signed_interval(row["difference_low"], row["difference_high"]),
            "verdict": row["verdict"],
        }
        for row in table.to_dict("records")
    ]
    context = {
        "names": names,
        "sentences": verdict_sentences(table, names, confidence),
        "notes": list(notes),
        "rows": rows,
        "confidence": percent(confidence),
        "figure": Markup(inline_svg(figure, "figure-studies", words)),
    }
    return render(
        "studies.html.j2", context, styles=("page.css",), script=None, images="data:", resources=resources
    )


def _sides(row: Mapping[str, Any], column: str) -> str:
    one, other = int(row[column]), int(row[f"other_{column}"])
    return f"{one:,}" if row["paired"] and one == other else f"{one:,} and {other:,}"


def verdict_sentences(table: pd.DataFrame, names: tuple[str, str], confidence: float) -> list[str]:
    """A sentence for each pair of detectors over all shared species."""
    here, there = names
    sentences = []
    for row in table[table["species"].isna()].to_dict("records"):
        pair = f"{row['model']} of {here} and {row['other']} of {there}"
        if not is_number(row["difference"]):
            sentences.append(f"{pair}: no shared species has specimens in both, so nothing can be said.")
            continue
        numbers = f"difference in mean AP50:95 {signed(row['difference'])}"
        if is_number(row["difference_low"]):
            interval = signed_interval(row["difference_low"], row["difference_high"])
            numbers += f", {percent(confidence)} interval {interval}"
        else:
            numbers += ", on too few slides for an interval"
        told = {
            "better": f"{row['model']} of {here} is better than {row['other']} of {there}",
            "worse": f"{row['other']} of {there} is better than {row['model']} of {here}",
            "undecided": f"{pair} are not told apart",
        }[row["verdict"]]
        on = "on the same slides" if row["paired"] else "each on its own slides"
        sentences.append(f"{told}, {on}: {numbers}.")
    return sentences
