"""What the page of a survey says: sentences and rows of tables from the survey's finished tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podura.report.parts import is_number
from podura.report.results import full_names, name_parts
from podura.report.wording import MISSING, count, listing, percent, plural

#: Measure of ``drift.csv`` that says what all measures together mean.
OVERALL = "overall"
_INDICES = {
    "richness": "Richness",
    "shannon": "Shannon",
    "simpson": "Simpson",
    "hill_1": "Hill 1",
    "hill_2": "Hill 2",
}
_MOST_SENTENCES = 60
_MOST_TWINS = 5


@dataclass(frozen=True)
class SurveyResults:
    """The tables of a survey as their rules wrote them, the species of its release, and what detected.

    decisions and problems: of its review. detector: the keys study, model and pipeline of ``detector.json``.
    """

    survey: str
    detector: Mapping[str, Any]
    species: Sequence[Mapping[str, str]]
    samples: pd.DataFrame
    images: pd.DataFrame
    drift: pd.DataFrame
    detections: pd.DataFrame
    counts: pd.DataFrame
    diversity: pd.DataFrame
    densities: pd.DataFrame
    checks: pd.DataFrame
    decisions: pd.DataFrame
    problems: pd.DataFrame
    queue: pd.DataFrame

    @property
    def codes(self) -> list[str]:
        return [str(one["code"]) for one in self.species]

    @property
    def confidence(self) -> float:
        return float(self.counts["confidence"].iloc[0]) if len(self.counts) else 0.95


def between(value: Any, low: Any, high: Any, digits: int = 0) -> dict[str, str]:
    """A value with its interval as a cell; whole animals from ten on, one digit below."""
    if not is_number(value):
        return {"text": MISSING, "note": ""}
    shown = digits if digits or float(value) >= 9.95 else 1
    note = (
        f"{float(low):,.{digits}f} to {float(high):,.{digits}f}" if is_number(low) and is_number(high) else ""
    )
    return {"text": f"{float(value):,.{shown}f}", "note": note}


def facts(results: SurveyResults) -> str:
    """How much was surveyed, and with what."""
    failed = int(results.samples["n_failed"].sum())
    parts = [
        plural(len(results.samples), "sample"),
        plural(int(results.samples["n_images"].sum()), "image"),
        *([f"{failed} of them could not be read"] if failed else []),
        f"detector {results.detector['model']} of the study {results.detector['study']}",
        f"pipeline {str(results.detector['pipeline'])[:12]}",
    ]
    return " · ".join(parts)


def verdict(results: SurveyResults) -> list[str]:
    """What a reader should know first: how sure counts are, what was checked, which samples are unlike."""
    told = []
    certified = results.counts.groupby("species")["certified"].any()
    without = [code for code in results.codes if not certified.get(code, False)]
    names = full_names(results.species)
    if without:
        told.append(
            f"No certified threshold: {listing([names[code] for code in without])}. Nothing of these is "
            "accepted on the detector's word; estimates rest on its evidence and on what people checked."
        )
    told.append(checked_sentence(results))
    unlike = unlike_samples(results)
    if unlike:
        told.append(
            f"Unlike the slides of the study: {listing(unlike)}. Their counts may be wrong beyond their "
            "intervals until people have checked a random part of them."
        )
    return [*told, *_lacking(results)]


def _lacking(results: SurveyResults) -> list[str]:
    """What is missing of the samples, or there twice."""
    samples, images, told = results.samples, results.images, []
    imageless = samples["n_images"].eq(0)
    incomplete = ~samples["complete"].astype(bool) & ~imageless
    capped = sorted(set(images.loc[images["capped"].fillna(False).astype(bool), "sample"].dropna()))
    if incomplete.any():
        told.append(f"Incomplete: {listing(samples.loc[incomplete, 'sample'].tolist())}.")
        told[-1] += " What could not be read is not counted." if samples["n_failed"].any() else ""
        if capped:
            told[-1] += f" Images of {listing(capped)} reach the cap on detections: animals may be missing."
    if imageless.any():
        told.append(
            f"Without any image: {listing(samples.loc[imageless, 'sample'].tolist())}. Nothing is known of "
            "what lives there; look whether the images name these samples otherwise."
        )
    twins = images[images["status"].eq("ok") & images["reason"].notna()]
    if len(twins):
        first = twins.head(_MOST_TWINS)
        pairs = [f"{row.image} ({row.reason})" for row in first.itertuples()]
        more = len(twins) - len(pairs)
        pairs += [f"{count(more)} more in images.csv"] if more else []
        told.append(f"Counted twice: {listing(pairs)}. Leave one of each two out.")
    return told


def checked_sentence(results: SurveyResults) -> str:
    """How many detections and images people checked, who and when."""
    counting = results.decisions[~results.decisions["superseded"].astype(bool)]
    if counting.empty:
        return "Nobody has checked anything yet: all counts rest on the detector and on its annotated slides."
    detections = int(counting["detection"].notna().sum())
    searched = int(counting["action"].eq("image_done").sum())
    people = sorted(counting["reviewer"].unique())
    days = sorted(counting["decided_at"].dropna().str[:10].unique())
    when = f", {days[0]} to {days[-1]}" if len(days) > 1 else f", on {days[0]}" if days else ""
    return (
        f"{plural(detections, 'detection')} and {plural(searched, 'whole image')} were checked by "
        f"{listing(people)}{when}."
    )


def unlike_samples(results: SurveyResults) -> list[str]:
    """Samples that the drift check flags."""
    overall = results.drift[
        results.drift["measure"].eq(OVERALL) & results.drift["unlike"].fillna(False).astype(bool)
    ]
    return [str(sample) for sample in overall["sample"].dropna()]


def drift_sentences(results: SurveyResults) -> list[dict[str, Any]]:
    """For each sample what all measures mean, and the sentences of those that flag it; unlike ones first."""
    found = []
    for sample, rows in results.drift[results.drift["sample"].notna()].groupby("sample", sort=False):
        overall = rows[rows["measure"].eq(OVERALL)]
        flagged = rows[rows["unlike"].fillna(False).astype(bool) & ~rows["measure"].eq(OVERALL)]
        found.append(
            {
                "sample": sample,
                "unlike": bool(overall["unlike"].fillna(False).any()),
                "said": overall["sentence"].tolist(),
                "why": flagged["sentence"].tolist(),
            }
        )
    shown = sorted(found, key=lambda one: not one["unlike"])[:_MOST_SENTENCES]
    more = len(found) - len(shown)
    rest = f"And {plural(more, 'sample')} more in drift.csv."
    return [*shown, *([{"sample": None, "unlike": False, "said": [rest], "why": []}] if more else [])]


def count_rows(results: SurveyResults) -> list[dict[str, Any]]:
    """A row a sample: each species with estimate, interval and what is accepted."""
    keyed = results.counts.set_index(["sample", "species"])
    unlike = set(unlike_samples(results))
    rows = []
    for one in results.samples.itertuples(index=False):
        cells = []
        for code in results.codes:
            if (one.sample, code) not in keyed.index:
                cells.append({"text": MISSING, "note": ""})
                continue
            row = keyed.loc[(one.sample, code)]
            cell = between(row["estimate"], row["low"], row["high"])
            if is_number(row["accepted"]):
                cell["note"] += f" · {count(row['accepted'])} accepted"
            cells.append(cell)
        rows.append(
            {
                "sample": one.sample,
                "marks": ([] if one.complete else ["incomplete"])
                + (["unlike"] if one.sample in unlike else []),
                "cells": cells,
            }
        )
    return rows


def sample_rows(results: SurveyResults) -> list[dict[str, Any]]:
    """A row a sample: where and when, its images, and what was checked of it."""
    checks = results.checks.set_index("sample")
    rows = []
    for one in results.samples.itertuples(index=False):
        checked = checks.loc[one.sample] if one.sample in checks.index else None
        failed = f"{one.n_failed} failed" if one.n_failed else ""
        rows.append(
            {
                "sample": one.sample,
                "site": MISSING if pd.isna(one.site) else one.site,
                "date": MISSING if pd.isna(one.date) else one.date,
                "images": {"text": count(one.n_images), "note": failed},
                "detections": MISSING if checked is None else count(checked["n_detections"]),
                "checked": MISSING if checked is None else count(checked["checked"]),
                "searched": MISSING if checked is None else count(checked["searched"]),
                "added": MISSING if checked is None else count(checked["added"]),
                "people": _people(checked),
                "complete": bool(one.complete),
            }
        )
    return rows


def _people(checked: Any) -> str:
    if checked is None or pd.isna(checked["reviewers"]):
        return MISSING
    day = "" if pd.isna(checked["last_decision"]) else f", last on {str(checked['last_decision'])[:10]}"
    return f"{listing(str(checked['reviewers']).split('|'))}{day}"


def wanted_rows(results: SurveyResults) -> list[dict[str, Any]]:
    """Sample × species whose interval is wider than wished, with about how many more checks it takes."""
    wide = results.counts[
        (results.counts["more_detections"].fillna(0) > 0) | (results.counts["more_images"].fillna(0) > 0)
    ]
    names = full_names(results.species)
    return [
        {
            "sample": row["sample"],
            "species": name_parts(names.get(row["species"], row["species"])),
            "now": between(row["estimate"], row["low"], row["high"]),
            "detections": count(row["more_detections"]),
            "images": count(row["more_images"]),
        }
        for row in wide.sort_values(["more_detections", "sample"], kind="stable").to_dict("records")
    ]


def wanted_sentence(results: SurveyResults) -> str:
    """How far the intervals are from the wished width."""
    wide = len(wanted_rows(results))
    total = int(results.counts["estimate"].notna().sum())
    wished = percent(float(results.counts["wished_width"].iloc[0])) if len(results.counts) else ""
    if not total:
        return "There is no estimate whose interval could be narrowed."
    if not wide:
        return f"All {total} intervals are as narrow as wished: {wished} of the estimate, or of one animal."
    return (
        f"{total - wide} of {total} intervals are as narrow as wished ({wished} of the estimate, or of "
        "one animal). The table says about how many more checks, at random, would bring the others there: it "
        "is a plan and no promise."
    )


def diversity_rows(results: SurveyResults) -> tuple[list[str], list[dict[str, Any]]]:
    """Indices, and a row a sample with the estimated ones and their intervals."""
    estimated = results.diversity[results.diversity["basis"].eq("estimated")].set_index(["sample", "index"])
    shown = [index for index in _INDICES if index in set(results.diversity["index"])]
    rows = []
    for sample in results.samples["sample"]:
        cells = []
        for index in shown:
            row = estimated.loc[(sample, index)] if (sample, index) in estimated.index else None
            cells.append(
                {"text": MISSING, "note": ""}
                if row is None
                else between(row["value"], row["low"], row["high"], digits=2)
            )
        rows.append({"sample": sample, "cells": cells})
    return [_INDICES[index] for index in shown], rows


def naming(results: SurveyResults) -> list[str]:
    """How many detections have which rank, and how many people decided on."""
    if results.detections.empty:
        return ["there is none"]
    again = results.detections["taxon"].notna() & results.detections["same_animal_as"].notna()
    ranks = results.detections.loc[~again, "taxon_rank"].value_counts()
    words = {"species": "to species", "genus": "to genus", "group": "to the group only"}
    told = [f"{count(ranks[rank])} named {word}" for rank, word in words.items() if rank in ranks]
    if again.any():
        told.append(f"{plural(int(again.sum()), 'further box', 'further boxes')} on the same animals")
    nameless = int(results.detections["taxon"].isna().sum())
    return [*told, *([f"{count(nameless)} likely no animal"] if nameless else [])]


def conflicts(results: SurveyResults) -> list[str]:
    """Contradictions and unused decisions, in words."""
    told = [
        f"{row.image}: {row.message}" if pd.notna(row.image) else str(row.message)
        for row in results.problems.itertuples(index=False)
        if row.kind != "not_finished"
    ]
    more = len(told) - 20
    return [*told[:20], *([f"and {more} more in review/problems.csv"] if more > 0 else [])]
