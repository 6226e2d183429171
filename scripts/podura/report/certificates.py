"""What the page says of thresholds: their status, their evidence, and whether test bears them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from podura.report.parts import is_number
from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.wording import MISSING, count, fraction, interval, percent, plural

_STATUS_LABELS = {"certified": "certified", "needs_more": "needs more slides", "failed": "failed"}


def status_meanings(results: Results) -> list[tuple[str, str]]:
    """Each threshold status that occurs, in words, with what it is worth."""
    target = percent(results.target_precision)
    delta, joint = results.delta, results.joint
    claim = "for all species of a detector and seed together" if joint else "for each species by itself"
    meanings = {
        "certified": (
            f"From this score on, at least {target} of the detections are right. The calibration slides "
            f"support it by a test that allows for errors that cluster by slide: such a statement is wrong "
            f"in at most {percent(delta)} of all studies, {claim}. It holds on average over new slides of "
            "the same kind (laboratory, scanner, preparation), not for every single sample, and not for "
            "species that the detector has never seen."
        ),
        "needs_more": (
            f"{target} is possible, but the calibration slides are too few to certify it. The table says "
            "about how many more accepted detections, on how many more labelled slides, would do if they are "
            "like those at hand; in up to half of all cases it will take more."
        ),
        "failed": f"At every threshold tried less than {target} of the calibration detections are right.",
    }
    present = [s for s in meanings if s in set(of_detectors(results)["threshold_status"].dropna())]
    return [(_STATUS_LABELS[status], meanings[status]) for status in present]


def status_options(results: Results) -> list[tuple[str, str]]:
    """Each threshold status that occurs, and what it is called."""
    present = set(of_detectors(results)["threshold_status"].dropna())
    return [(status, label) for status, label in _STATUS_LABELS.items() if status in present]


def of_detectors(results: Results) -> pd.DataFrame:
    """The rows of the table of species that are no control's."""
    detectors = results.models_table.loc[results.models_table["role"] == "detector", "model"]
    return results.species_table[results.species_table["model"].isin(detectors)]


def cell(value: Any, wording: Any, note: str = MISSING) -> dict[str, str]:
    """What a cell shows, its small print, and the value by which it sorts ("" sorts last)."""
    shown = is_number(value)
    return {
        "text": wording(value),
        "note": note if shown and note != MISSING else "",
        "value": f"{float(value):.6g}" if shown else "",
    }


def status_cell(row: dict[str, Any]) -> dict[str, str]:
    """The status of a threshold in words, and what a certificate still needs."""
    status = row["threshold_status"]
    if pd.isna(status):
        return {"text": MISSING, "note": "", "value": ""}
    return {"text": _STATUS_LABELS.get(str(status), str(status)), "note": _needs(row), "value": ""}


def _needs(row: dict[str, Any]) -> str:
    if row["threshold_status"] != "needs_more" or not is_number(row["needs_about"]):
        return ""
    words = f"about {plural(int(row['needs_about']), 'detection')}"
    slides = row["needs_slides"]
    return words + (f" on {plural(int(slides), 'slide')}" if is_number(slides) else "")


def calibration_cell(row: dict[str, Any]) -> dict[str, str]:
    """Errors among the calibration detections, on how many slides, and the bound of their precision."""
    n, errors = row["calibration_n"], row["calibration_errors"]
    if not is_number(n) or not is_number(errors) or not n:
        return {"text": MISSING, "note": "", "value": ""}
    slides, deff = row["calibration_slides"], row["deff"]
    notes = [f"on {plural(int(slides), 'slide')}" if is_number(slides) else ""]
    notes.append(f"design effect {float(deff):.2g}" if is_number(deff) else "")
    bound = fraction(row["precision_lower"], 3)
    notes.append(f"≥\u00a0{bound}" if bound != MISSING else "")
    return {
        "text": f"{count(errors)} of {count(n)}",
        "note": ", ".join(note for note in notes if note),
        "value": f"{float(errors) / float(n):.6g}",
    }


def empirical_cell(row: dict[str, Any]) -> dict[str, str]:
    """The plain empirical threshold, and what precision and recall it keeps on test."""
    kept = [
        f"{name} {fraction(row[f'test_{name}_empirical'])}"
        for name in ("precision", "recall")
        if is_number(row[f"test_{name}_empirical"])
    ]
    return cell(row["threshold_empirical"], lambda value: fraction(value, 3), ", ".join(kept) or MISSING)


def target_reached(row: dict[str, Any], target: float) -> str:
    """Whether test precision at the certified threshold reaches the target: ``yes``, ``no``, ``clearly no``
    (so does no end of the interval) or a dash.
    """
    if not is_number(row["test_precision"]):
        return MISSING
    if row["test_precision"] >= target:
        return "yes"
    high = row["test_precision_high"]
    return "clearly no" if is_number(high) and high < target else "no"


def contradictions(results: Results) -> list[str]:
    """Certified thresholds whose whole test interval lies below the target, each in a sentence."""
    names, labels = full_names(results.species_list), _labels(results)
    found = []
    for row in of_detectors(results).to_dict("records"):
        certified = row["threshold_status"] == "certified"
        if certified and target_reached(row, results.target_precision) == "clearly no":
            ends = interval(row["test_precision_low"], row["test_precision_high"])
            name = names.get(row["species"], row["species"])
            found.append(
                f"{name}, {labels[row['model']]}, seed {row['seed']}: "
                f"{fraction(row['test_precision'])} ({ends})"
            )
    return found


def _labels(results: Results) -> dict[str, str]:
    return dict(zip(results.models_table["model"], results.models_table["label"], strict=True))


def species_verdict(results: Results) -> dict[str, Any] | None:
    """For which species the best detector has a certified threshold; None without scores."""
    detectors = ordered_models(results.models_table, "detector")
    scored = detectors[detectors["map50_95"].notna()]
    if scored.empty:
        return None
    best = scored.iloc[0]
    rows = results.species_table[results.species_table["model"] == best["model"]]
    names = full_names(results.species_list)
    answers: dict[str, list[list[tuple[str, bool]]]] = {
        "Yes, with every seed" if rows["seed"].nunique() > 1 else "Yes": [],
        "With some seeds only": [],
        "Not yet: it takes more calibration slides": [],
        "No: the calibration slides show less": [],
    }
    for code in species_codes(results.species_list, rows):
        states = rows.loc[rows["species"] == code, "threshold_status"].dropna().tolist()
        answers[list(answers)[_outcome(states)]].append(name_parts(names.get(code, code)))
    return {
        "label": best["label"],
        "answers": [(answer, species) for answer, species in answers.items() if species],
    }


def _outcome(states: Sequence[str]) -> int:
    """Which answer of ``species_verdict`` holds for a species, from its statuses with all seeds."""
    if states and all(state == "certified" for state in states):
        return 0
    if "certified" in states:
        return 1
    return 3 if states and all(state == "failed" for state in states) else 2
