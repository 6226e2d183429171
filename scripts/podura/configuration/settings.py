"""The sections of a sound configuration as typed settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podura.configuration.study import (
    AnnotationSettings,
    AugmentationSettings,
    CertificateSettings,
    DatasetSettings,
    EvaluationSettings,
    ExpertSettings,
    LeakageSettings,
    SplitSettings,
    TrainingSettings,
    WeightSettings,
)
from podura.tables import PARTS


def dataset_settings(values: Mapping[str, Any], folder: Path) -> DatasetSettings:
    """Where images and annotations lie."""
    annotations = values["annotations"]
    path = annotations["path"]
    return DatasetSettings(
        images=folder / values["images"],
        slide_pattern=values["slide_pattern"],
        annotations=AnnotationSettings(
            format=annotations["format"],
            path=None if path is None else folder / path,
            columns=annotations["columns"],
            units=annotations["units"],
            attribute=annotations["attribute"],
            image_key=annotations["image_key"],
            ignore_flags=tuple(annotations["ignore_flags"]),
        ),
        problems=dict(values["problems"] or {}),
        leakage=leakage_settings(values["leakage"]),
    )


def leakage_settings(values: Mapping[str, Any]) -> LeakageSettings:
    """How images that show the same are looked for, and what they do."""
    return LeakageSettings(
        check=values["check"],
        action=values["action"],
        correlation=float(values["correlation"]),
        overlap=float(values["overlap"]),
        candidates=values["candidates"],
        network=values["network"],
    )


def split_settings(values: Mapping[str, Any]) -> SplitSettings:
    """How slides are dealt to parts."""
    return SplitSettings(
        by=values["by"],
        folds=values["folds"],
        others_by=values["others_by"] or values["by"],
        fractions={part: float(values["fractions"][part]) for part in PARTS},
    )


def weight_settings(values: Mapping[str, Any], folder: Path) -> WeightSettings:
    """Where published weights are kept and fetched from."""
    mirror = values["mirror"]
    if mirror is not None and "://" not in mirror:
        mirror = str(folder / mirror)
    return WeightSettings(folder=folder / values["folder"], mirror=mirror, offline=values["offline"])


def training_settings(values: Mapping[str, Any]) -> TrainingSettings:
    """How every detector is trained."""
    augmentation = values["augmentation"]
    return TrainingSettings(
        device=values["device"],
        threads=values["threads"],
        workers=values["workers"],
        precision=values["precision"],
        validate_every=values["validate_every"],
        checkpoint_seconds=float(values["checkpoint_seconds"]),
        augmentation=AugmentationSettings(
            flips=augmentation["flips"],
            quarter_turns=augmentation["quarter_turns"],
            rotation=float(augmentation["rotation"]),
            scale=float(augmentation["scale"]),
            brightness=float(augmentation["brightness"]),
            contrast=float(augmentation["contrast"]),
            colour=float(augmentation["colour"]),
            blur=float(augmentation["blur"]),
            noise=float(augmentation["noise"]),
            mosaic=float(augmentation["mosaic"]),
            mosaic_until=float(augmentation["mosaic_until"]),
        ),
    )


def evaluation_settings(values: Mapping[str, Any], folder: Path) -> EvaluationSettings:
    """How every detector is judged."""
    experts = values["experts"]
    return EvaluationSettings(
        score_floor=float(values["score_floor"]),
        max_detections=values["max_detections"],
        iou=float(values["iou"]),
        target_precision=float(values["target_precision"]),
        certificate=CertificateSettings(
            delta=float(values["certificate"]["delta"]),
            joint=values["certificate"]["joint"],
            candidates=values["certificate"]["candidates"],
            folds=values["certificate"]["folds"],
        ),
        resamples=values["resamples"],
        confidence=float(values["confidence"]),
        experts=None
        if experts is None
        else ExpertSettings(
            path=folder / experts["path"],
            columns=experts["columns"],
            units=experts["units"],
            reference=experts["reference"],
        ),
    )
