"""The configuration of a study: read, filled with defaults, checked strictly, told in plain words."""

from podura.configuration.load import load_study
from podura.configuration.study import (
    AnnotationSettings,
    AugmentationSettings,
    DatasetSettings,
    EvaluationSettings,
    ModelSpecification,
    OptimiserSettings,
    PaintedSettings,
    Species,
    SplitSettings,
    Study,
    StudyImage,
    TrainingSettings,
)

__all__ = [
    "AnnotationSettings",
    "AugmentationSettings",
    "DatasetSettings",
    "EvaluationSettings",
    "ModelSpecification",
    "OptimiserSettings",
    "PaintedSettings",
    "Species",
    "SplitSettings",
    "Study",
    "StudyImage",
    "TrainingSettings",
    "load_study",
]
