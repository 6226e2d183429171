"""Detectors among people: the figure, the sentences and the rows of the page, from the table of people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from podura.report.certificates import cell
from podura.report.curves import thinned
from podura.report.parts import UNIT_TICKS, WIDTH, legend, panel_title
from podura.report.results import Results, ordered_models
from podura.report.style import INK, MUTED, PAPER, ModelStyle, model_styles, styled
from podura.report.wording import MISSING, count, fraction, interval, listing, plural
from podura.tables import ALL_SPECIES, seed_name

#: How an expert's own earlier round is called in the column reference.
EARLIER = "earlier"
REFERENCES = {
    "given": "the annotations of the study",
    "others": "what more than half of the other experts agree on",
    EARLIER: "the same expert's round before",
}


@styled
def people_figure(
    people: pd.DataFrame,
    curves: pd.DataFrame,
    models_table: pd.DataFrame,
    species_list: Sequence[Mapping[str, Any]],
) -> Figure:
    """Recall and precision of people and detectors: a panel for all species together and one a species.

    People are dots, of the last round dark and of earlier ones pale, with a cross for all of the round
    together; detectors are curves over the last round's reference, with a marker at each threshold.
    """
    judged = people[people["reference"] != EARLIER]
    codes = [str(one["code"]) for one in species_list if (judged["species"] == one["code"]).any()]
    styles = {model: s for model, s in model_styles(models_table).items() if not s.control}
    panels = [ALL_SPECIES, *codes]
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH, 2.45 * rows + 1.0), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    turns = list(dict.fromkeys(judged.loc[judged["kind"] == "experts", "round"].fillna("")))
    for axis, code in zip(axes.flat, panels, strict=False):
        of_panel = judged[judged["species"] == code].fillna({"round": ""})
        _panel(axis, of_panel, curves[curves["species"] == code].fillna({"round": ""}), styles, turns)
        name = "All species" if code == ALL_SPECIES else None
        panel_title(axis, code, species_list, _reference_size(of_panel), name)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for column in range(columns):  # the lowest panel of a column, which the last row may lack
        lowest = [a for a in axes[:, column] if a.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("Recall")
    for axis in axes[:, 0]:
        axis.set_ylabel("Precision")
    legend(figure, styles, extra=_people_handles(turns))
    return figure


def _people_handles(turns: Sequence[str]) -> dict[str, Line2D]:
    def dot(fill: str, edge: str) -> Line2D:
        return Line2D([], [], lw=0, marker="o", ms=4.5, mfc=fill, mec=edge, mew=0.8)

    last = turns[-1] if turns else ""
    handles = {f"an expert{f', {last}' if last else ''}": dot(INK, INK)}
    if len(turns) > 1:
        handles[f"an expert, {listing(turns[:-1])}"] = dot("none", MUTED)
    handles["all experts together"] = Line2D([], [], lw=0, marker="+", ms=11, mec=INK, mew=1.8)
    return handles


def _panel(
    axis: Axes,
    people: pd.DataFrame,
    curves: pd.DataFrame,
    styles: Mapping[str, ModelStyle],
    turns: Sequence[str],
) -> None:
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), xticks=UNIT_TICKS, yticks=UNIT_TICKS)
    if people[["precision", "recall"]].isna().any(axis=1).all():
        axis.text(0.5, 0.5, "nothing to compare with", ha="center", color=MUTED)
        return
    last = turns[-1]
    for model, style in styles.items():
        of_model = curves[(curves["model"] == model) & curves["round"].isin(["", last])]
        for _, run in of_model.groupby("seed"):
            recall, precision = thinned(run["recall"].to_numpy(float), run["precision"].to_numpy(float))
            width = 1.1 if style.distinct else 0.5
            line = np.append(recall[:1] * 0, recall), np.append(precision[:1], precision)
            axis.plot(*line, linestyle=style.line, color=style.color, lw=width, zorder=2)
        points = people[(people["who"] == model) & people["round"].isin(["", last])]
        if not style.distinct:
            continue
        for kind, face, edge in (("certified", style.color, PAPER), ("empirical", "none", style.color)):
            of_kind = points[(points["kind"] == "detector") & (points["threshold"] == kind)]
            axis.scatter(
                of_kind["recall"].astype(float),
                of_kind["precision"].astype(float),
                s=34,
                facecolors=face,
                edgecolors=edge,
                marker=style.marker,
                linewidths=0.8,
                zorder=6,
            )
    for turn in turns:
        of_turn = people[people["round"] == turn]
        color, fill = (INK, INK) if turn == last else (MUTED, "none")
        experts, together = (of_turn[of_turn["kind"] == kind] for kind in ("expert", "experts"))
        axis.scatter(
            experts["recall"].astype(float),
            experts["precision"].astype(float),
            s=15,
            facecolors=fill,
            edgecolors=color,
            linewidths=0.7,
            zorder=4 if turn == last else 3,
        )
        if turn == last:
            axis.plot(
                together["recall"].astype(float),
                together["precision"].astype(float),
                "+",
                color=INK,
                ms=11,
                mew=1.8,
                zorder=5,
            )


def _reference_size(people: pd.DataFrame) -> str:
    truths = people.loc[people["kind"] == "experts", "n_truth"]
    experts = people.loc[people["kind"] == "expert", "n_truth"].dropna().astype(int)
    if truths.empty or experts.empty:
        return ""
    least, most = int(experts.min()), int(experts.max())
    shown = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{shown} {'specimen' if shown == '1' else 'specimens'} in the reference"


def people_rows(results: Results) -> list[dict[str, Any]]:
    """Experts by round, all of a round, detectors by rank, seed and threshold: all species together."""
    if results.people is None:
        return []
    rows = results.people[
        (results.people["species"] == ALL_SPECIES) & (results.people["reference"] != EARLIER)
    ]
    ranked = list(ordered_models(results.models_table, "detector")["model"])
    place = {model: number for number, model in enumerate(ranked)}
    kinds = ("detector", "experts", "expert")
    records = sorted(
        rows.to_dict("records"),
        key=lambda r: (kinds.index(r["kind"]), place.get(r["who"], 0) if r["kind"] == "detector" else 0),
    )
    return [
        {
            "label": row["label"],
            "what": _what(row),
            "is_person": row["kind"] == "expert",
            "boxes": count(row["n_boxes"]),
            **{
                name: cell(row[name], fraction, interval(row[f"{name}_low"], row[f"{name}_high"]))
                for name in ("precision", "recall", "f1")
            },
        }
        for row in records
    ]


def _what(row: Mapping[str, Any]) -> str:
    if row["kind"] != "detector":
        return "" if pd.isna(row["round"]) else str(row["round"])
    seed = seed_name(int(row["seed"]))
    run = "all seeds" if seed == "all" else f"seed {seed}"
    against = "" if pd.isna(row["round"]) or not row["round"] else f", against {row['round']}"
    return f"{run}, {row['threshold']} thresholds{against}"


def people_sentences(results: Results) -> list[str]:
    """Who was compared with what, how good the experts are, and where the first detector stands."""
    if results.people is None:
        return []
    table = results.people[results.people["species"] == ALL_SPECIES].fillna({"round": ""})
    judged, again = table[table["reference"] != EARLIER], table[table["reference"] == EARLIER]
    experts = judged[(judged["kind"] == "expert") & judged["f1"].notna()]
    if experts.empty:
        return ["The experts marked nothing on the test images, and there was nothing to be found."]
    last = experts["round"].iloc[-1]
    in_last = experts[experts["round"] == last]
    reference = REFERENCES[str(judged["reference"].iloc[0])]
    turn = f", round “{last}”" if last else ""
    images = in_last["n_images"].astype(int)
    sentences = [
        f"{plural(len(in_last), 'expert')} on {_range(images)} test images{turn}, compared with {reference}: "
        f"F1 {_spread(in_last['f1'])} over all species (median {fraction(in_last['f1'].median())})."
    ]
    sentences += _first_detector(results, judged[judged["kind"] == "detector"], in_last, last)
    if again["f1"].notna().any():
        sentences.append(
            f"Each expert agrees with their own earlier round with an F1 of {_spread(again['f1'].dropna())}."
        )
    return sentences


def _first_detector(results: Results, detectors: pd.DataFrame, experts: pd.DataFrame, last: str) -> list[str]:
    ranked = [
        m for m in ordered_models(results.models_table, "detector")["model"] if m in set(detectors["who"])
    ]
    if not ranked:
        return []
    of_first = detectors[(detectors["who"] == ranked[0]) & detectors["round"].isin(["", last])]
    sentences = []
    label = of_first["label"].iloc[0]
    for kind in ("certified", "empirical"):
        values = of_first.loc[of_first["threshold"] == kind, "f1"].dropna().astype(float)
        if values.empty:
            sentences.append(f"{label}, ranked first, has no {kind} threshold.")
            continue
        value = float(values.mean())
        below = int((experts["f1"].astype(float) < value).sum())
        mean = "" if len(values) == 1 else f", mean of {plural(len(values), 'seed')}"
        than = f"more than {below} of the {plural(len(experts), 'expert')}"
        if below == len(experts):
            than = "more than each of the experts" if below > 1 else "more than the expert"
        elif not below:
            than = "no more than any of the experts" if len(experts) > 1 else "no more than the expert"
        sentences.append(
            f"{label}, ranked first, reaches an F1 of {fraction(value)} at its {kind} thresholds{mean}: "
            f"{than}."
        )
    return sentences


def _spread(values: pd.Series) -> str:
    low, high = fraction(values.min()), fraction(values.max())
    return low if low == high else f"{low} to {high}"


def _range(numbers: pd.Series) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def reference_words(results: Results) -> str:
    """What the experts were compared with; a dash where there are none."""
    if results.people is None:
        return MISSING
    return next((str(one) for one in results.people["reference"] if one != EARLIER), MISSING)
