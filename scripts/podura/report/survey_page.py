"""The page of a survey: what lives in its samples, how sure that is, and what would make it surer."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from podura.report import survey as told
from podura.report.html import RESOURCES, render
from podura.report.parts import WIDTH, balanced_columns, panel_title, shortened, stripes
from podura.report.results import full_names, name_parts, with_italics
from podura.report.style import HUES, MUTED, inline_svg, styled
from podura.report.survey import SurveyResults
from podura.report.wording import percent, plural

_MOST_SAMPLES = 40


def render_survey(results: SurveyResults, resources: Path = RESOURCES) -> str:
    """The page as HTML; it belongs into the folder of the survey. Every text of a table is escaped."""
    indices, diversity = told.diversity_rows(results)
    names = full_names(results.species)
    drawing = None
    if results.counts["estimate"].notna().any():
        species = plural(len(results.codes), "species", "species")
        text = f"Estimated animals of {species} in each sample, with intervals."
        drawing = Markup(inline_svg(counts_figure(results), "figure-counts", text))
    context = {
        "survey": results.survey,
        "facts": told.facts(results),
        "verdict": [with_italics(one, results.species) for one in told.verdict(results)],
        "names": [name_parts(names[code]) for code in results.codes],
        "confidence": percent(results.confidence),
        "counts": told.count_rows(results),
        "drawing": drawing,
        "drawn_samples": None if len(results.samples) <= _MOST_SAMPLES else _MOST_SAMPLES,
        "samples": told.sample_rows(results),
        "drift": told.drift_sentences(results),
        "checked": told.checked_sentence(results),
        "n_queue": len(results.queue),
        "wanted": told.wanted_rows(results),
        "wanted_sentence": told.wanted_sentence(results),
        "conflicts": told.conflicts(results),
        "indices": indices,
        "diversity": diversity,
        "naming": told.naming(results),
        "densities": bool(len(results.densities)),
    }
    return render(
        "survey.html.j2",
        context,
        styles=("page.css", "dataset.css"),
        script=None,
        images="'none'",
        resources=resources,
    )


@styled
def counts_figure(results: SurveyResults) -> Figure:
    """Estimates with intervals: a panel a species, a row a sample (of many the first forty)."""
    samples = results.samples["sample"].tolist()[:_MOST_SAMPLES]
    keyed = results.counts.set_index(["species", "sample"])
    columns = balanced_columns(len(results.codes), 4)
    rows = math.ceil(len(results.codes) / columns)
    height = 0.5 + rows * (0.75 + 0.17 * len(samples))
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height), squeeze=False, sharey=True, layout="constrained"
    )
    places = np.arange(len(samples))
    for axis in axes.flat[len(results.codes) :]:
        axis.set_visible(False)
    for axis, code in zip(axes.flat, results.codes, strict=False):
        of_species = keyed.loc[code].reindex(samples) if code in keyed.index else None
        stripes(axis, len(samples))
        panel_title(axis, code, results.species, "")
        axis.set_xlim(left=0)
        if of_species is None:
            continue
        value, low, high = (of_species[name].to_numpy(dtype=float) for name in ("estimate", "low", "high"))
        axis.hlines(places, low, high, color=HUES[0], lw=1.6)
        axis.plot(value, places, "o", color=HUES[0], markersize=4.5)
        accepted = of_species["accepted"].to_numpy(dtype=float, na_value=np.nan)
        axis.plot(accepted, places, "|", color=MUTED, markersize=7)
        top = np.nanmax([*high, *value, *accepted, 1.0])
        axis.set_xlim(0, top * 1.08)
    axes[0, 0].set_yticks(places, [shortened(str(sample), 24) for sample in samples])
    axes[0, 0].invert_yaxis()
    figure.supxlabel("animals on the images of the sample", fontsize=9)
    return figure
