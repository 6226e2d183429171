"""The model card of a release (Mitchell et al. 2019, doi:10.1145/3287560.3287596), as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from podura.release.checking import BOX_TOLERANCE, LEAST_SCORE, SCORE_TOLERANCE


def model_card(
    facts: Mapping[str, Any],
    *,
    scores: Sequence[Mapping[str, Any]],
    species_names: Mapping[str, str],
    parts: pd.DataFrame,
    card: Mapping[str, str | None],
) -> str:
    """The card.

    facts: what ``detector.json`` says. scores: of each species the result of ``score_species`` for exactly
    what is released. parts: one row a part with its numbers of slides, images and specimens. card: what the
    owner of the data says of them.
    """
    chosen = facts["chosen"]
    lines = [
        f"# {facts['label']}, released from the study {facts['study']}",
        "",
        f"Detects {len(facts['species'])} species on images of microscope slides. Pipeline "
        f"`{facts['pipeline'][:16]}`, format {facts['format_version']}, made by Podura "
        f"{facts['code']['podura']}.",
        "",
        "## Intended use",
        "",
        "Counting the species below on new slides that were prepared and photographed as those of the "
        "study, together with Podura's correction, drift check and review. It is not for slides of other "
        "laboratories or scanners without a check, not for species that are not listed (they are mistaken "
        "for listed ones or for background), and no replacement for an expert where a single animal "
        "matters.",
        "",
        "## The model",
        "",
        *_model(facts),
        "",
        "## How it was chosen",
        "",
        *_choice(chosen, facts),
        "",
        "## Data",
        "",
        *_data(parts, card),
        "",
        "## Metrics",
        "",
        "On the test slides, which had no say in weights, choice or thresholds; intervals are over slides.",
        "",
        *_metrics(scores, species_names),
        "",
        "## Limits",
        "",
        *_limits(scores, facts),
        "",
        "## Licence",
        "",
        f"The code that runs the model: {facts['licence']}. "
        + (
            f"The data it was trained on: {_one_line(card['licence'])}."
            if card.get("licence")
            else "Under which licence the training data may be used was not told; ask their owner before "
            "you pass the weights on."
        ),
        "",
        "## Self-check",
        "",
        "`check/` holds an image and what the release found on it. Every survey repeats that first. On the "
        f"same machine the detections are equal; on another one edges may differ by {BOX_TOLERANCE:g} px and "
        f"scores by {SCORE_TOLERANCE:g} (detections of a score from {LEAST_SCORE:g} on are compared).",
        "",
        "## Versions",
        "",
        ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        "",
    ]
    return "\n".join(lines)


def _model(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    for member in facts["members"]:
        tiling = member["tiling"]
        seen = (
            f"tiles of {tiling['size']} px, overlapping by {tiling['overlap']:g},"
            if tiling
            else "whole images"
        )
        lines.append(
            f"* `{member['model']}`, seed {member['seed']}: {member['architecture']} ({member['adapter']}), "
            f"sees {seen} at {member['image_size']} px"
        )
    if facts["fusion"]:
        lines.append(
            "* their detections are fused by weighted boxes fusion at an overlap of "
            f"{facts['fusion']['iou']:g}"
        )
    terms = facts["terms"]
    lines.append(
        f"* detections of a score from {terms['score_floor']:g} on, at most {terms['max_detections']} in an "
        "image"
    )
    return lines


def _choice(chosen: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    how = (
        "It has the highest mAP (IoU 0.5) on the validation slides of all detectors of the study."
        if chosen["wanted"] == "winner"
        else "It was named in the configuration."
    )
    lines = [f"{how} The test slides had no say."]
    if facts["fold"]:
        lines[0] += (
            f" Of the folds, fold {facts['fold']} is released, that of the best run on validation: the "
            "models "
            "of other folds have seen the slides that certify its thresholds."
        )
    table = ["", "| detector | mAP on validation |", "|---|---|"]
    table += [f"| {model} | {value:.3f} |" for model, value in chosen["validation_map50"].items()]
    return [*lines, *table]


def _data(parts: pd.DataFrame, card: Mapping[str, str | None]) -> list[str]:
    lines = [
        f"{key.capitalize()}: {_one_line(card[key])}"
        for key in ("title", "description", "source", "citation", "contact")
        if card.get(key)
    ]
    lines = [f"* {line}" for line in lines] or [
        "The owner of the data has not described them (`dataset.card`)."
    ]
    table = ["", "| part | used for | slides | images | specimens |", "|---|---|---|---|---|"]
    uses = {
        "train": "fitting the weights",
        "validation": "choosing epoch and detector",
        "calibration": "certifying thresholds",
        "test": "the figures below",
    }
    table += [
        f"| {row.part} | {uses[str(row.part)]} | {row.slides} | {row.images} | {row.specimens} |"
        for row in parts.itertuples()
    ]
    return [*lines, *table]


def _metrics(scores: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    lines = [
        "| species | AP50 | threshold | status | precision on test | recall on test | specimens on test |",
        "|---|---|---|---|---|---|---|",
    ]
    for score in scores:
        threshold = score["threshold"]
        precision = _interval(score, "test_precision") if threshold is not None else "–"
        recall = _interval(score, "test_recall") if threshold is not None else "–"
        lines.append(
            f"| {score['species']} *{names.get(score['species'], '')}* | {_interval(score, 'ap50')} | "
            f"{_number(threshold)} | {score['threshold_status'].replace('_', ' ')} | {precision} | "
            f"{recall} | "
            f"{score['n_truth']} |"
        )
    known = [score["ap50"] for score in scores if score["ap50"] is not None]
    if known:
        lines += ["", f"mAP50 on test: {sum(known) / len(known):.3f} (mean over {len(known)} species)."]
    return lines


def _limits(scores: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> list[str]:
    target = facts["target_precision"]
    without = [score["species"] for score in scores if score["threshold"] is None]
    unseen = [score["species"] for score in scores if not score["n_truth"]]
    lines = [
        f"* A certified threshold keeps a precision of {target:.0%} on slides exchangeable with the "
        "calibration slides (same laboratory, scanner and preparation), on average over slides, not for one "
        "sample.",
        "* Counts above a threshold are too low: use the corrected estimates of a survey.",
    ]
    if without:
        lines.append(
            f"* No threshold is certified for {', '.join(without)}: a survey accepts no detection of them "
            "without an expert."
        )
    if unseen:
        lines.append(
            f"* The test slides show no {', '.join(unseen)}: nothing is known of how well they are found."
        )
    return lines


def _interval(score: Mapping[str, Any], key: str) -> str:
    value = score[key]
    if value is None:
        return "–"
    low, high = score.get(f"{key}_low"), score.get(f"{key}_high")
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
