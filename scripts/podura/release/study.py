"""The finished study that a release is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from podura.annotations.dataset import truth_frame
from podura.detectors.ensembles import fuse
from podura.evaluation.judging import FoldMatches
from podura.evaluation.matching import match
from podura.evaluation.scoring import ScoreSettings, score_species
from podura.release.choice import Chosen, Run, choose, validation_map
from podura.release.contents import Terms
from podura.tables import (
    ALL_SEEDS,
    DETECTIONS,
    MATCHES,
    PART_IMAGES,
    PARTS,
    part_folder,
    read_json,
    run_folder,
)

#: The overlap from which boxes of the seeds of one model are one, as in an ensemble by default.
FUSION_IOU = 0.55


@dataclass(frozen=True)
class Candidate:
    """A detector that may be released.

    ``runs`` are fold and seed of each of its runs; ``members`` gives, by seed, the trained models (name and
    seed) behind a run; ``iou`` is the overlap of fusion of an ensemble, None for a model.
    """

    label: str
    licence: str
    runs: tuple[tuple[int, int], ...]
    members: Mapping[int, tuple[tuple[str, int], ...]]
    iou: float | None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Candidate:
        """Make it from JSON, in which seeds that are keys are texts."""
        return cls(
            label=facts["label"],
            licence=facts["licence"],
            runs=tuple((fold, seed) for fold, seed in facts["runs"]),
            members={
                int(seed): tuple((model, of_seed) for model, of_seed in runs)
                for seed, runs in facts["members"].items()
            },
            iou=facts["iou"],
        )


@dataclass(frozen=True)
class Results:
    """The results of a study, as far as a release needs them; ``species`` as its configuration has them."""

    folder: Path
    candidates: Mapping[str, Candidate]
    species: Sequence[Mapping[str, Any]]
    settings: ScoreSettings
    terms: Terms

    @property
    def codes(self) -> list[str]:
        return [str(one["code"]) for one in self.species]

    def choose(self, wanted: str, seeds: str) -> Chosen:
        """Compare all runs of the candidates on validation."""
        scores = {}
        for model, candidate in self.candidates.items():
            for fold, seed in candidate.runs:
                path = self.folder / f"matches/{model}/{run_folder(seed, fold)}/validation.parquet"
                scores[Run(model, fold, seed)] = validation_map(MATCHES.read_parquet(path), self.codes)
        return choose(scores, list(self.candidates), wanted, seeds)


@dataclass(frozen=True)
class Source:
    """What is released of a study: runs of one detector, in one fold."""

    results: Results
    chosen: Chosen

    @property
    def candidate(self) -> Candidate:
        return self.results.candidates[self.chosen.model]

    @cached_property
    def members(self) -> list[tuple[str, int]]:
        """Name and seed of the trained models, each once."""
        runs = [run for seed in self.chosen.seeds for run in self.candidate.members[seed]]
        return list(dict.fromkeys(runs))

    @property
    def fusion_iou(self) -> float | None:
        """The overlap from which boxes of several members are one; None for a single one."""
        return None if len(self.members) == 1 else self.candidate.iou or FUSION_IOU

    def model_folder(self, model: str, seed: int) -> Path:
        return self.results.folder / f"models/{model}/{run_folder(seed, self.chosen.fold)}"

    def coco(self, part: str) -> dict[str, Any]:
        """The truth of a part."""
        coco: dict[str, Any] = read_json(self._part(part) / "truth.json")
        return coco

    def paths(self, part: str) -> dict[str, Path]:
        """Where the images of a part lie."""
        images = PART_IMAGES.read_csv(self._part(part) / "images.csv")
        return {str(row.image): Path(str(row.path)) for row in images.itertuples()}

    def detections(self, part: str) -> pd.DataFrame:
        """What the released detector finds on a part: the table DETECTIONS."""
        found = []
        for model, seed in self.members:
            run = f"detections/{model}/{run_folder(seed, self.chosen.fold)}/{part}.parquet"
            found.append(DETECTIONS.read_parquet(self.results.folder / run))
        if self.fusion_iou is None:
            return found[0]
        slides = {image["file_name"]: image["slide"] for image in self.coco(part)["images"]}
        terms = self.results.terms.detection()
        return fuse(found, slides, self.results.codes, iou=self.fusion_iou, **terms).detections

    def scores(self, pipeline: str) -> list[dict[str, Any]]:
        """Thresholds and test figures of exactly what is released, by the study's own procedure, a species
        each."""
        cocos = {part: self.coco(part) for part in PARTS[1:]}
        validation, calibration, test = (
            match(
                truth_frame(coco),
                self.detections(part),
                images={image["file_name"]: image["slide"] for image in coco["images"]},
                species=self.results.codes,
            )
            for part, coco in cocos.items()
        )
        seeds = self.chosen.seeds
        # Of one fold, whatever the study does with several.
        settings = replace(self.results.settings, pooled=False)
        return [
            score_species(
                model=self.chosen.model,
                seed=seeds[0] if len(seeds) == 1 else ALL_SEEDS,
                species=code,
                folds=[FoldMatches(self.chosen.fold, validation, calibration, test, pipeline)],
                test_slides=[image["slide"] for image in cocos["test"]["images"]],
                settings=settings,
            )
            for code in self.results.codes
        ]

    def _part(self, part: str) -> Path:
        return self.results.folder / "dataset/parts" / part_folder(part, self.chosen.fold)
