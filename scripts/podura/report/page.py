"""The benchmark's page: one HTML file that needs nothing else, and no network, to be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from podura.report import (
    certificates,
    comparisons,
    examples,
    gaps,
    leakage,
    made,
    methods,
    overlays,
    people,
    summary,
    suspects,
    wording,
)
from podura.report.curves import precision_recall_figure
from podura.report.ensembles import ensemble_sentences
from podura.report.figures import draw_figures
from podura.report.html import RESOURCES, picture_source, render
from podura.report.results import (
    Results,
    full_names,
    name_parts,
    ordered_models,
    species_codes,
    with_italics,
)
from podura.report.style import DISTINCT, inline_svg

# A longer table shows one detector at first; the reader may choose the others.
_ROWS_AT_ONCE = 60
#: The curves of the detector ranked first alone; only the page has this figure.
BEST_CURVES = "precision_recall_best"


def render_report(
    results: Results,
    figures: Mapping[str, Markup] | None = None,
    resources: Path = RESOURCES,
    crops_folder: str | None = None,
) -> str:
    """The whole page as HTML; ``figures`` as ``embedded_figures`` gives them, or else drawn here.

    Every text of the results is escaped; only figures drawn here, and the page's own style and
    script, stand in it as they are. ``crops_folder`` is where pictures of errors lie beside a page that does
    not hold them.
    """
    return render(
        "page.html.j2",
        {
            **_context(results),
            "galleries": examples.galleries(results, crops_folder),
            "beside": crops_folder is not None,
            "figures": embedded_figures(results) if figures is None else figures,
        },
        styles=("page.css", "viewer.css", "report.css"),
        script=("viewer.js", "page.js"),
        images="data:" if crops_folder is None else "data: 'self' file:",
        resources=resources,
    )


def _context(results: Results) -> dict[str, Any]:
    names = full_names(results.species_list)
    codes = species_codes(results.species_list, results.species_table)
    rows = summary.species_rows(results)
    detectors = ordered_models(results.models_table, "detector")
    controls = summary.control_rows(results)
    ranked = comparisons.ranked_models(results.models_table)
    labels = dict(zip(detectors["model"], detectors["label"], strict=True))
    first_model = detectors["model"].iloc[0] if len(rows) > _ROWS_AT_ONCE else ""
    return {
        "study": str(results.config["study"]),
        "confidence": wording.percent(results.confidence),
        "target": wording.percent(results.target_precision),
        "iou": f"{results.iou:g}",
        "search": results.config.get("search") or {"trials": None},
        "facts": summary.facts(results),
        "missing": list(results.missing),
        "gaps": [with_italics(one, results.species_list) for one in gaps.gaps(results)],
        "verdict": wording.verdict(results),
        "ranking": summary.ranking_rows(results),
        "winner_sentences": comparisons.winner_sentences(results),
        "pairs": comparisons.pair_rows(results),
        "few_detectors": len(detectors) <= comparisons.FEW_DETECTORS,
        "n_detectors": len(detectors),
        "best": labels[ranked[0]] if ranked else None,
        "people": people.people_rows(results),
        "people_sentences": people.people_sentences(results),
        "people_reference": people.reference_words(results),
        "ensembles": ensemble_sentences(results),
        "controls": controls,
        "control_faults": [f"{row['label']}: {row['fault']}" for row in controls if row["fault"]],
        "species_verdict": certificates.species_verdict(results),
        "species_rows": rows,
        "statuses": certificates.status_meanings(results),
        "status_options": certificates.status_options(results),
        "contradictions": [
            with_italics(one, results.species_list) for one in certificates.contradictions(results)
        ],
        "detectors": list(detectors[["model", "label"]].itertuples(index=False, name=None)),
        "species_options": [(code, names.get(code, code)) for code in codes],
        "seed_options": sorted({(row["seed"], row["seed_name"]) for row in rows}),
        "first_model": first_model,
        "suspects": suspects.suspect_rows(results),
        "n_suspects": len(results.diagnosis["suspects"]),
        "parts": summary.part_rows(results),
        "n_folds": summary.n_folds(results),
        "species_counts": summary.species_count_rows(results),
        "problems": summary.problem_rows(results),
        "n_problems": len(results.problems),
        "leakage": leakage.leakage_rows(results),
        "leakage_verdict": leakage.leakage_verdict(results.leakage),
        "methods": methods.methods_paragraphs(results),
        "randomness": made.randomness(results),
        "spread": made.spread_rows(results),
        "species_spread": made.species_spread_rows(results),
        "trainings": made.training_rows(results),
        "costs": made.cost_rows(results),
        "energy": made.energy_note(results),
        "config": results.config,
        "provenance": results.provenance,
        "overlays": [(caption, picture_source(jpeg)) for caption, jpeg in results.overlays],
        "overlay_colours": {"right": overlays.RIGHT, "wrong": overlays.WRONG, "missed": overlays.MISSED},
        "name_parts": name_parts,
        "many_detectors": len(detectors) > DISTINCT,
        "distinct": DISTINCT,
    }


def embedded_figures(results: Results, figures: Mapping[str, Figure] | None = None) -> dict[str, Markup]:
    """The figures of the page as elements of it, by name, with what screen readers say of each.

    ``figures`` as drawn by ``draw_figures``, or else drawn here.
    """
    drawn = dict(draw_figures(results) if figures is None else figures)
    ranked = comparisons.ranked_models(results.models_table)
    if len(ordered_models(results.models_table, "detector")) > 1 and ranked:
        drawn[BEST_CURVES] = precision_recall_figure(
            results.scores, results.models_table, results.species_list, results.target_precision, ranked[0]
        )
    descriptions = _descriptions(results)
    return {
        name: _sized(figure, inline_svg(figure, f"figure-{name}", descriptions[name]))
        for name, figure in drawn.items()
        if name in descriptions
    }


def _sized(figure: Figure, svg: str) -> Markup:
    """An SVG within a box of its size, so that a browser need not draw it to know how much room it takes."""
    width, height = figure.get_size_inches() * 72
    # On a phone it scrolls within its frame: smaller than so its small print could not be read.
    style = f"width: {width:g}pt; min-width: min(44rem, {width:g}pt); aspect-ratio: {width:g} / {height:g}"
    return Markup('<div class="sized" style="{}">{}</div>').format(style, Markup(svg))


def _descriptions(results: Results) -> dict[str, str]:
    species = wording.plural(
        len(species_codes(results.species_list, results.species_table)), "species", "species"
    )
    models = wording.plural(int((results.models_table["role"] == "detector").sum()), "detector")
    return {
        "map_by_model": f"Mean average precision of {models} and the controls, with the interval over "
        "slides and the value of each seed. The ranking table above gives the numbers.",
        "ap50_by_species": f"Average precision at IoU 0.5 of {models} for {species}, by seed, with "
        "intervals over slides. The table above gives the numbers.",
        "recall_at_precision": f"Recall on the test slides at the certified threshold of each of {species} "
        "and "
        f"{models}. The table of species gives the numbers.",
        "speed": f"Mean AP50:95 of {models} against images detected in a second. The table of costs gives "
        "the "
        "numbers.",
        "precision_recall": f"Precision against recall on the test slides for {species} and {models}: a "
        "panel a "
        "species, a line a seed, a marker at the certified threshold, a hollow one at the empirical. The "
        "table of species gives precision and recall there.",
        BEST_CURVES: "Precision against recall on the test slides of the detector ranked first, for "
        f"{species}: a panel a species, a line a seed, a marker with the intervals of both at the certified "
        "threshold. The table of species gives precision and recall there.",
        "errors": f"Errors of each kind per 100 specimens, and what AP would gain without them, for {models} "
        "and for the species of the best one. benchmark/errors.csv gives the numbers.",
        "confusion": "A matrix for each of the best detectors: which species is found as which, in percent "
        "of each row. benchmark/confusion.csv gives the numbers.",
        "reliability": f"Precision against score for {models}. benchmark/reliability.csv gives the numbers.",
        "learning_curves": f"Validation mAP and training loss by epoch for {models}, a line a seed.",
        "differences": f"{models} on an axis of mean AP50:95; bars join those that nothing tells apart. The "
        "table of pairs gives the numbers.",
        "rank_chances": f"The chance of each rank for {models}, in percent. benchmark/ranks.csv has them.",
        "people": "Precision against recall on the test images: experts as dots, detectors as curves, a "
        f"panel for all species and one for each of {species}. The table gives the numbers over all species; "
        "benchmark/people.csv has those of each.",
    }
