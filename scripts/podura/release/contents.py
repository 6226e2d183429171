"""What a release says of itself: ``detector.json``, which everything else in its folder is listed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from podura.evaluation.certification import PIPELINE, pipeline_digest

FORMAT, FORMAT_VERSION = "podura release", 1
DETECTOR, CARD, SPECIES, THRESHOLDS = "detector.json", "model_card.md", "species.tsv", "thresholds.csv"
EVIDENCE_FILES = {
    "detections": "evidence/detections.parquet",
    "truths": "evidence/truths.parquet",
    "images": "evidence/images.csv",
    "looks": "evidence/looks.parquet",
}
CHECK = "check/expected.json"


@dataclass(frozen=True)
class Member:
    """A trained model of a release; ``folder`` is relative to that of the release."""

    model: str
    seed: int
    folder: str
    adapter: str
    architecture: str
    image_size: int
    tiling: Mapping[str, Any] | None


@dataclass(frozen=True)
class Terms:
    """On which terms a release detects, and the overlap at which its thresholds are stated."""

    score_floor: float
    max_detections: int
    iou: float

    def detection(self) -> dict[str, Any]:
        """Floor and cap, as detecting and fusing take them."""
        return {"score_floor": self.score_floor, "max_detections": self.max_detections}


@dataclass(frozen=True)
class Release:
    """A release whose files are all there and unaltered.

    ``fusion_iou`` is the overlap from which boxes of several members are one, None for a single member.
    ``facts`` is all that ``detector.json`` says.
    """

    folder: Path
    study: str
    model: str
    pipeline: str
    members: tuple[Member, ...]
    fusion_iou: float | None
    terms: Terms
    species: tuple[str, ...]
    facts: Mapping[str, Any]

    def file(self, name: str) -> Path:
        """Where a file of the release lies."""
        return self.folder / PurePosixPath(name)

    def member_folder(self, member: Member) -> Path:
        return self.file(member.folder)


def pipeline_of(trained: Sequence[Mapping[str, Any]], terms: Terms, fusion_iou: float | None) -> str:
    """The hash of what the thresholds of a release belong to; ``trained`` are the model.json of its members.

    Of a single member it is the one that the scores of the study state.
    """
    fusion = {} if fusion_iou is None else {"fusion_iou": fusion_iou}
    return pipeline_digest(
        {
            **terms.detection(),
            "iou_percent": round(100 * terms.iou),
            "models": [{key: facts.get(key) for key in PIPELINE} for facts in trained],
            **fusion,
        }
    )
