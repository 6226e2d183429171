"""The benchmark's page: one HTML file that needs nothing else, and no network, to be read."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from podura.report import certificates, comparisons, leakage, people, summary, suspects, wording
from podura.report.ensembles import ensemble_sentences
from podura.report.figures import draw_figures
from podura.report.html import RESOURCES, render
from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.style import DISTINCT, inline_svg

# A longer table shows one detector at first; the reader may choose the others.
_ROWS_AT_ONCE = 60


def render_report(
    results: Results, figures: Mapping[str, Figure] | None = None, resources: Path = RESOURCES
) -> str:
    """The whole page as HTML; ``figures`` as drawn by ``draw_figures``, or else drawn here.

    Every text of the results is escaped; only figures drawn here, and the page's own style and
    script, stand in it as they are.
    """
    return render(
        "page.html.j2",
        {**_context(results), "figures": _embedded(figures or draw_figures(results), results)},
        styles=("page.css",),
        script="page.js",
        images="data:",
        resources=resources,
    )


def _context(results: Results) -> dict[str, Any]:
    names = full_names(results.species_list)
    codes = species_codes(results.species_list, results.species_table)
    rows = summary.species_rows(results)
    detectors = ordered_models(results.models_table, "detector")
    controls = summary.control_rows(results)
    return {
        "study": str(results.config["study"]),
        "confidence": wording.percent(results.confidence),
        "target": wording.percent(results.target_precision),
        "iou": f"{results.iou:g}",
        "random_seed": results.config.get("random_seed", wording.MISSING),
        "search": results.config.get("search") or {"trials": None},
        "seeds": [str(seed) for seed in results.config.get("seeds", [])],
        "facts": summary.facts(results),
        "verdict": wording.verdict(results),
        "ranking": summary.ranking_rows(results),
        "winner_sentences": comparisons.winner_sentences(results),
        "pairs": comparisons.pair_rows(results),
        "few_detectors": len(detectors) <= comparisons.FEW_DETECTORS,
        "people": people.people_rows(results),
        "people_sentences": people.people_sentences(results),
        "people_reference": people.reference_words(results),
        "ensembles": ensemble_sentences(results),
        "controls": controls,
        "control_faults": [f"{row['label']}: {row['fault']}" for row in controls if row["fault"]],
        "species_verdict": certificates.species_verdict(results),
        "species_rows": rows,
        "statuses": certificates.status_meanings(results),
        "contradictions": certificates.contradictions(results),
        "detectors": list(detectors[["model", "label"]].itertuples(index=False, name=None)),
        "species_options": [(code, names.get(code, code)) for code in codes],
        "first_model": detectors["model"].iloc[0] if len(rows) > _ROWS_AT_ONCE else "",
        "suspects": suspects.suspect_rows(results),
        "n_suspects": len(results.diagnosis["suspects"]),
        "parts": summary.part_rows(results),
        "n_folds": summary.n_folds(results),
        "species_counts": summary.species_count_rows(results),
        "problems": summary.problem_rows(results),
        "n_problems": len(results.problems),
        "leakage": leakage.leakage_rows(results),
        "leakage_verdict": leakage.leakage_verdict(results.leakage),
        "config": results.config,
        "provenance": results.provenance,
        "overlays": [(caption, base64.b64encode(jpeg).decode("ascii")) for caption, jpeg in results.overlays],
        "name_parts": name_parts,
        "many_detectors": len(detectors) > DISTINCT,
        "distinct": DISTINCT,
    }


def _embedded(figures: Mapping[str, Figure], results: Results) -> dict[str, Markup]:
    species = wording.plural(
        len(species_codes(results.species_list, results.species_table)), "species", "species"
    )
    models = wording.plural(int((results.models_table["role"] == "detector").sum()), "detector")
    descriptions = {
        "map_by_model": f"Mean average precision of {models} and the controls, with the interval over "
        "slides and the value of each seed. The ranking table above gives the numbers.",
        "ap50_by_species": f"Average precision at IoU 0.5 of {models} for {species}, by seed, with "
        "intervals over slides. The table above gives the numbers.",
        "precision_recall": f"Precision against recall on the test slides for {species}: a panel a "
        "species, a line a seed, a marker at the certified threshold, a hollow one at the empirical. The "
        "table of species gives precision and recall there.",
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
    return {
        name: Markup(inline_svg(figures[name], f"figure-{name}", text))
        for name, text in descriptions.items()
        if name in figures
    }
