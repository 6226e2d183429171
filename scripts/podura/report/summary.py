"""The rows of the page's tables, ready to be written: what was measured, in a reader's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from podura.report.certificates import (
    calibration_cell,
    cell,
    empirical_cell,
    of_detectors,
    status_cell,
    target_reached,
)
from podura.report.parts import is_number
from podura.report.results import (
    SHUFFLED_CONTROL,
    TRUTH_CONTROL,
    Results,
    full_names,
    name_parts,
    ordered_models,
    seed_means,
    species_codes,
)
from podura.report.wording import (
    MISSING,
    chance,
    count,
    duration,
    fraction,
    interval,
    kind_meaning,
    kind_words,
    memory,
    millions,
    plural,
    small,
)
from podura.tables import ALL_SEEDS, PARTS, seed_name

#: The shuffled control must stay below this mean AP.
SHUFFLED_LIMIT = 0.05
# What floating point may take from a perfect score.
_ROUNDING = 1e-6
_EXAMPLES = 3
SEVERITIES = ("error", "warning", "note")


def ranking_rows(results: Results) -> list[dict[str, Any]]:
    """One row a detector, by rank: scores, spread and cost."""
    seeds = {column: seed_means(results.species_table, column) for column in ("ap50", "ap50_95")}
    detectors = ordered_models(results.models_table, "detector")
    several = detectors["map50_95"].notna().sum() > 1
    rows = []
    for row in detectors.to_dict("records"):
        rows.append(
            {
                "label": row["label"],
                "rank": count(row["rank"]),
                # One alone is the best by no merit of its own.
                "chance_best": chance(row["chance_best"]) if several else MISSING,
                "map50_95": fraction(row["map50_95"]),
                "map50_95_interval": small(interval(row["map50_95_low"], row["map50_95_high"])),
                "map50_95_seeds": _spread(seeds["ap50_95"].get(str(row["model"]), [])),
                "map50": fraction(row["map50"]),
                "map50_interval": small(interval(row["map50_low"], row["map50_high"])),
                "map50_seeds": _spread(seeds["ap50"].get(str(row["model"]), [])),
                "n_seeds": count(row["n_seeds"]),
                "n_species": count(row["n_species"]),
                "parameters": millions(row["parameters"]),
                "framework": _text(row["framework"]),
                "licence": _text(row["licence"]),
                "training": duration(row["training_seconds"]),
                "detection": duration(row["detection_seconds"]),
                "memory": memory(row["peak_memory_mb"]),
            }
        )
    return rows


def _spread(values: Sequence[float]) -> str:
    return interval(min(values), max(values)) if len(values) > 1 else MISSING


def species_rows(results: Results) -> list[dict[str, Any]]:
    """One row a species × detector × seed, in this order; values for sorting beside those for reading."""
    names = full_names(results.species_list)
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    species_place = {c: k for k, c in enumerate(species_codes(results.species_list, results.species_table))}
    model_place = {m: k for k, m in enumerate(ordered_models(results.models_table, "detector")["model"])}
    records = sorted(
        of_detectors(results).to_dict("records"),
        key=lambda r: (species_place[r["species"]], model_place[r["model"]], r["seed"]),
    )
    return [
        {
            "code": row["species"],
            "name": name_parts(names.get(row["species"], row["species"])),
            "model": row["model"],
            "label": labels[row["model"]],
            "seed": row["seed"],
            "seed_name": seed_name(row["seed"]),
            "truth": cell(row["n_truth"], count, _slides(row)),
            "ap50": _with_interval(row, "ap50"),
            "ap50_95": cell(row["ap50_95"], fraction),
            "status": _text(row["threshold_status"], ""),
            "threshold": cell(row["threshold"], lambda value: fraction(value, 3)),
            "certificate": status_cell(row),
            "calibration": calibration_cell(row),
            "precision": _with_interval(row, "test_precision"),
            "recall": _with_interval(row, "test_recall"),
            "target": target_reached(row, results.target_precision),
            "empirical": empirical_cell(row),
        }
        for row in records
    ]


def _with_interval(row: dict[str, Any], column: str) -> dict[str, str]:
    return cell(row[column], fraction, interval(row[f"{column}_low"], row[f"{column}_high"]))


def _slides(row: dict[str, Any]) -> str:
    slides = row["n_slides"]
    return f"on {plural(int(slides), 'slide')}" if is_number(slides) and slides else MISSING


def control_rows(results: Results) -> list[dict[str, Any]]:
    """The two controls: what each must score, what it scored, and whether that is as it must be."""
    rules = {
        TRUTH_CONTROL: "must score 1 for every species",
        SHUFFLED_CONTROL: f"must score less than {SHUFFLED_LIMIT}",
    }
    controls = ordered_models(results.models_table, "control").set_index("model", drop=False)
    rows = []
    for model in [*rules, *(m for m in controls.index if m not in rules)]:
        row = controls.loc[model] if model in controls.index else None
        rows.append(
            {
                "label": model if row is None else row["label"],
                "rule": rules.get(model, "no rule is known for this control"),
                "map50": MISSING if row is None else fraction(row["map50"], 3),
                "map50_95": MISSING if row is None else fraction(row["map50_95"], 3),
                "fault": _control_fault(model, row, results.species_table),
            }
        )
    return rows


def _control_fault(model: str, row: Any, species_table: pd.DataFrame) -> str:
    if row is None:
        return "was not run"
    scores = [row["map50"], row["map50_95"]]
    if not all(is_number(score) for score in scores):
        return "has no score"
    if model == TRUTH_CONTROL:
        of_species = species_table.loc[species_table["model"] == model, ["ap50", "ap50_95"]]
        lowest = min(*scores, *of_species.to_numpy(float, na_value=1.0).ravel())
        return "" if lowest >= 1 - _ROUNDING else f"scores less than 1 (lowest: {fraction(lowest, 3)})"
    if model == SHUFFLED_CONTROL:
        highest = max(scores)
        return "" if highest < SHUFFLED_LIMIT else f"scores {fraction(highest, 3)}, which is not about 0"
    return "is not a control that this report can check"


def facts(results: Results) -> str:
    """The size of the study in one line."""
    test = results.split[results.split["part"] == "test"]
    specimens = results.counts.loc[results.counts["part"] == "test", "n_specimens"].sum()
    ensembles = len(results.ensembles)
    detectors = int((results.models_table["role"] == "detector").sum()) - ensembles
    species = len(species_codes(results.species_list, results.species_table))
    return (
        f"{plural(detectors, 'detector')}, {_seeds_each(results)}, "
        f"{plural(ensembles, 'ensemble') + ', ' if ensembles else ''}"
        f"{plural(species, 'species', 'species')}; tested on {plural(int(specimens), 'specimen')} "
        f"on {plural(test['slide'].nunique(), 'slide')}."
    )


def _seeds_each(results: Results) -> str:
    """``2 seeds each``, or ``1 to 3 seeds each`` where runs of some detectors are missing."""
    table = results.species_table
    detectors = results.models_table.loc[results.models_table["role"] == "detector", "model"]
    runs = table[table["model"].isin(detectors) & (table["seed"] != ALL_SEEDS)]
    numbers = runs.groupby("model")["seed"].nunique()
    if numbers.empty:
        return "no seed"
    least, most = int(numbers.min()), int(numbers.max())
    return f"{plural(most, 'seed') if least == most else f'{least} to {most} seeds'} each"


def part_rows(results: Results) -> list[dict[str, str]]:
    """Slides, images and specimens of each part; with folds the least and the most of a fold."""
    counts = results.counts.groupby(["fold", "part"])["n_specimens"].sum()
    rows = []
    for part in PARTS:
        folds = results.split[results.split["part"] == part].groupby("fold")
        specimens = counts[counts.index.get_level_values("part") == part]
        rows.append(
            {
                "part": part,
                "slides": _counts(folds["slide"].nunique()),
                "images": _counts(folds["image"].nunique()),
                "specimens": _counts(specimens) if len(specimens) else MISSING,
            }
        )
    return rows


def n_folds(results: Results) -> int:
    """The number of folds of the study, 0 for a single split."""
    return int(results.split["fold"].max()) if len(results.split) else 0


def _counts(numbers: pd.Series) -> str:
    """A number of things, or the least and the most where folds differ."""
    if numbers.empty:
        return count(0)
    least, most = int(numbers.min()), int(numbers.max())
    return count(least) if least == most else f"{count(least)} to {count(most)}"


def species_count_rows(results: Results) -> list[dict[str, Any]]:
    """Specimens (and slides) of each species in each part; with folds the least and most of a fold."""
    by_cell = dict(tuple(results.counts.groupby(["species", "part"])))
    facts = {str(s["code"]): s for s in results.species_list}
    names = full_names(results.species_list)
    rows = []
    for code in species_codes(results.species_list, results.counts):
        cells = []
        for part in PARTS:
            if (code, part) in by_cell:
                of_cell = by_cell[(code, part)]
                slides = _counts(of_cell["n_slides"])
                on = f"on {slides} {'slide' if slides == '1' else 'slides'}"
                cells.append({"text": _counts(of_cell["n_specimens"]), "note": on if slides != "0" else ""})
            else:
                cells.append({"text": MISSING, "note": ""})
        rows.append(
            {
                "code": code,
                "name": name_parts(names.get(code, code)),
                "authority": _text(facts.get(code, {}).get("authority"), ""),
                "family": _text(facts.get(code, {}).get("family")),
                "cells": cells,
            }
        )
    return rows


def problem_rows(results: Results) -> list[dict[str, Any]]:
    """Faults of the data by kind and what the kind means, the gravest first, with the first few of each."""
    return [
        {
            "kind": kind_words(kind),
            "meaning": kind_meaning(kind),
            "severity": severity,
            "treatment": treatment,
            "number": len(faults),
            "examples": [_example(f) for f in faults.head(_EXAMPLES).to_dict("records")],
            "more": max(0, len(faults) - _EXAMPLES),
        }
        for kind, severity, treatment, faults in problem_kinds(results.problems)
    ]


def problem_kinds(problems: pd.DataFrame) -> list[tuple[str, str, str, pd.DataFrame]]:
    """Kind, severity, treatment and rows of each sort of fault: the gravest first, then the most frequent."""
    keys = ["kind", "severity", "treatment"]
    kinds = [
        (_text(kind), _text(severity), _text(treatment), faults)
        for (kind, severity, treatment), faults in problems.groupby(keys, sort=True, dropna=False)
    ]
    gravity = {severity: place for place, severity in enumerate(SEVERITIES)}
    return sorted(kinds, key=lambda k: (gravity.get(k[1], len(gravity)), -len(k[3]), k[0]))


def _example(fault: dict[str, Any]) -> dict[str, str]:
    where = [_text(fault["image"], "")]
    if not pd.isna(fault["row"]):
        where.append(f"row {fault['row']}" if str(fault["row"]).isdigit() else str(fault["row"]))
    return {"where": ", ".join(w for w in where if w), "message": _text(fault["message"])}


def _text(value: Any, missing: str = MISSING) -> str:
    return missing if value is None or pd.isna(value) or value == "" else str(value)
