"""A release as one detector: of one model, or of several whose detections are fused."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import torch

from podura.configuration.study import TilingSettings
from podura.detectors.ensembles import fuse
from podura.detectors.inference import ImageRun, detect_file
from podura.detectors.inference import Terms as DetectionTerms
from podura.detectors.weights import load_model
from podura.release.contents import Release
from podura.tables import BOX_COLUMNS, DETECTIONS

log = logging.getLogger(__name__)


class ReleasedDetector:
    """Detects in one file at a time, as the study did: same tiles, floor, cap and fusion."""

    def __init__(self, release: Release, device: torch.device) -> None:
        """Load every member; ``release`` was verified when it was read."""
        self._release = release
        self._members = []
        for member in release.members:
            detector, _ = load_model(release.member_folder(member))
            terms = DetectionTerms(
                member.image_size,
                **release.terms.detection(),
                device=device,
                tiling=None if member.tiling is None else TilingSettings(**member.tiling),
            )
            self._members.append((detector.to(device).eval(), terms))

    def detect(self, path: Path) -> ImageRun:
        """What is found in a file; one that cannot be read is told of in ``failed``."""
        runs = []
        for detector, terms in self._members:
            runs.append(detect_file(detector, path, terms))
            if runs[-1].failed is not None:
                return runs[-1]
        return runs[0] if self._release.fusion_iou is None else self._fused(runs)

    def _fused(self, runs: list[ImageRun]) -> ImageRun:
        assert self._release.fusion_iou is not None
        members = [
            DETECTIONS.frame([{"image": "image", "slide": "slide", **row} for row in run.rows])
            for run in runs
        ]
        fused = fuse(
            members,
            {"image": "slide"},
            self._release.species,
            iou=self._release.fusion_iou,
            **self._release.terms.detection(),
        )
        return ImageRun(
            rows=_rows(fused.detections),
            seconds=sum(run.seconds for run in runs),
            capped=bool(fused.capped) or any(run.capped for run in runs),
            tiles=max(run.tiles for run in runs),
            capped_tiles=sum(run.capped_tiles for run in runs),
            cut=max(run.cut for run in runs),
        )


def _rows(detections: pd.DataFrame) -> list[dict[str, object]]:
    columns = ["species", "score", *BOX_COLUMNS]
    lists = [detections[name].tolist() for name in columns]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
