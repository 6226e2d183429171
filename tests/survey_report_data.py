"""A finished survey built by code, for its page."""

from __future__ import annotations

from typing import Any

import pandas as pd

import review_data
from podura.configuration.surveys import ReviewSettings
from podura.report.survey import SurveyResults
from podura.survey.queue import review_queue
from podura.tables import (
    REVIEW_DECISIONS,
    REVIEW_PROBLEMS,
    SURVEY_COUNTS,
    SURVEY_DENSITIES,
    SURVEY_DIVERSITY,
    SURVEY_DRIFT,
    SURVEY_FINAL_DETECTIONS,
    SURVEY_SAMPLE_CHECKS,
)

CODES = [one.code for one in review_data.SPECIES]
NOBODY = {"reviewers": None, "last_decision": None}


def decision(
    detection: str | None, image: str, action: str, day: int, reviewer: str = "Anna"
) -> dict[str, Any]:
    made = dict.fromkeys(REVIEW_DECISIONS.names)
    return {
        **made, "detection": detection, "image": image, "sample": image.split("/")[0], "action": action,
        "reviewer": reviewer, "decided_at": f"2026-05-{day:02}T10:00:00Z", "drawn": "random",
        "superseded": False, "source": "a.json",
    }  # fmt: skip


def make_survey(*, reviewed: bool = True, certified: bool = True, **changes: Any) -> SurveyResults:
    """Three samples and an empty one; one is incomplete, one unlike the study; two people checked some."""
    images = review_data.survey_images()
    images.loc[images["image"] == "west/field 3.jpg", ["status", "width", "height"]] = ("failed", None, None)
    machine = review_data.survey_detections(images)
    samples = review_data.survey_samples(images)
    final = machine.assign(
        taxon=machine["species"], taxon_rank="species", taxon_reason="a reason",
        final_species=machine["species"], decision=None, decided_species=None, reviewer=None, decided_at=None,
    )  # fmt: skip
    final.loc[0, ["taxon", "taxon_rank", "final_species"]] = ("Collembola, undetermined", "group", None)
    final.loc[1, ["taxon", "taxon_rank", "final_species"]] = (None, None, None)
    counts = [
        {
            "sample": sample, "species": code, "n_detections": 9, "counted": 7,
            "accepted": 6 if certified else None, "verified": 0, "estimate": 12.4 + place, "low": 8.0,
            "high": 20.0 + place, "confidence": 0.95, "method": "calibration", "reviewed": 0,
            "searched_images": 0, "certified": certified, "sample_complete": complete, "wished_width": 0.5,
            "more_detections": 17 if place == 1 else 0, "more_images": 0,
        }
        for sample, complete in samples[["sample", "complete"]].itertuples(index=False)
        for place, code in enumerate(CODES)
    ]  # fmt: skip
    diversity = [
        {"sample": sample, "basis": basis, "index": index, "value": 1.25, "low": 1.0, "high": 1.5,
         "confidence": 0.95, "sample_complete": True}
        for sample in samples["sample"]
        for basis in ("accepted", "estimated")
        for index in ("richness", "shannon")
    ]  # fmt: skip
    drift = [
        {"sample": sample, "measure": measure, "value": 0.5, "reference_low": 0.1, "reference_high": 0.9,
         "p_value": 0.001, "unlike": sample == "south", "sentence": f"Sentence on the {measure} of {sample}."}
        for sample in samples["sample"] for measure in ("overall", "brightness")
    ]  # fmt: skip
    names = machine["detection"]
    decisions = [
        decision(names[0], "north/field 0.jpg", "accept", 4),
        {**decision(names[0], "north/field 0.jpg", "reject", 3, "Zoe"), "superseded": True},
        decision(names[1], "north/field 0.jpg", "reject", 6, "Bert"),
        decision(None, "north/field 1.jpg", "image_done", 6, "Bert"),
    ]
    checks = [
        {"sample": sample, "n_detections": 24, "checked": 2, "checked_random": 2, "n_images": 4,
         "searched": 1, "added": 0, **({"reviewers": "Anna|Bert", "last_decision": "2026-05-06T10:00:00Z"}
                        if reviewed and sample == "north" else NOBODY)}
        for sample in samples["sample"]
    ]  # fmt: skip
    problems = [
        {"source": "b.json", "kind": "conflict", "image": "north/field 0.jpg", "detection": names[0],
         "message": "Zoe said A, Anna said B; the later decision counts"},
        {"source": "b.json", "kind": "not_finished", "image": "x.jpg", "detection": None,
         "message": "not done"},
    ]  # fmt: skip
    given = {
        "survey": "spring",
        "detector": {"study": "s", "model": "d", "pipeline": "0123456789abcdef"},
        "species": review_data.SPECIES_FACTS,
        "samples": samples,
        "images": images,
        "drift": SURVEY_DRIFT.frame(drift),
        "detections": SURVEY_FINAL_DETECTIONS.frame(final),
        "counts": SURVEY_COUNTS.frame(counts),
        "diversity": SURVEY_DIVERSITY.frame(diversity),
        "densities": SURVEY_DENSITIES.frame([]),
        "checks": SURVEY_SAMPLE_CHECKS.frame(checks),
        "decisions": REVIEW_DECISIONS.frame(decisions if reviewed else []),
        "problems": REVIEW_PROBLEMS.frame(problems if reviewed else []),
        "queue": review_queue(machine, images, ReviewSettings(10, 5, 3), 1),
    }
    return SurveyResults(**{**given, **changes})


def empty_survey() -> SurveyResults:
    """A survey none of whose samples has a count."""
    full = make_survey(reviewed=False)
    nothing = {
        name: getattr(full, name).iloc[:0] for name in ("counts", "detections", "diversity", "drift", "queue")
    }
    missing: pd.DataFrame = full.checks.iloc[:0]
    return make_survey(reviewed=False, checks=missing, **nothing)
