"""What a study is once its configuration has been read and found sound: plain, typed, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Species:
    """One species of the species table; ``aliases`` are other names found in annotations."""

    code: str
    name: str
    authority: str
    family: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyImage:
    """One image of the study.

    ``image`` is its name in every table: what the images table says, or the path below the images
    folder. ``path`` is where the file lies, from the folder that Podura runs in. What is not known
    is None; ``date`` is YYYY-MM-DD, ``part`` a fixed part of the split.
    """

    image: str
    path: Path
    slide: str
    sample: str | None
    site: str | None
    date: str | None
    um_per_pixel: float | None
    part: str | None


@dataclass(frozen=True)
class AnnotationSettings:
    """Format and place of the annotations; painted slides have no path.

    ``columns`` (ours to the file's) and ``units`` are for csv, ``attribute`` for via, ``image_key`` for
    label_studio; None where the format finds it itself. Boxes with one of ``ignore_flags`` count neither
    for nor against a detector.
    """

    format: str
    path: Path | None
    columns: Mapping[str, str] | None
    units: str | None
    attribute: str | None
    image_key: str | None
    ignore_flags: tuple[str, ...]


@dataclass(frozen=True)
class LeakageSettings:
    """Whether and how to look for images that show the same, and what leaks do: stop or report."""

    check: bool
    action: str
    correlation: float
    overlap: float
    candidates: int
    network: bool


@dataclass(frozen=True)
class DatasetSettings:
    """Where images and annotations lie; ``slide_pattern`` only serves a folder of images.

    ``problems`` holds the treatments of kinds of faults that the study chooses for itself.
    """

    images: Path
    slide_pattern: str | None
    annotations: AnnotationSettings
    problems: Mapping[str, str]
    leakage: LeakageSettings


@dataclass(frozen=True)
class CardSettings:
    """What the data card says in the words of the study's owner; None where it is not told."""

    title: str | None
    description: str | None
    source: str | None
    licence: str | None
    citation: str | None
    contact: str | None


@dataclass(frozen=True)
class PaintedSettings:
    """What painted slides show; the fields mean what the keys of ``painted`` in the schema say."""

    width: int
    height: int
    um_per_pixel: float
    specimens_per_image: float
    other_animals_per_image: float
    others_name: str | None
    single_share: float | None
    max_animals: int | None
    empty_share: float
    long_tail: float
    touching: float
    site_effect: float
    slide_effect: float
    site_species: float | None


@dataclass(frozen=True)
class SplitSettings:
    """What is never divided (slide, sample or site), and the share of each part.

    ``folds`` is their number, "each" for one a group of ``by``, None for a single split; ``others_by``
    what the parts beside test are made of in a fold.
    """

    by: str
    folds: int | str | None
    others_by: str
    fractions: Mapping[str, float]


@dataclass(frozen=True)
class OptimiserSettings:
    """``warmup`` is the share of all steps in which the learning rate rises to its value."""

    name: str
    learning_rate: float
    weight_decay: float
    warmup: float


@dataclass(frozen=True)
class ModelSpecification:
    """One entry of the models table.

    ``image_size`` is the longer side in pixels of the image as the detector sees it. ``weights`` is
    imagenet, none, or the path of a .safetensors file from the folder that Podura runs in.
    ``parameters`` is how many the model has with ten species, for information.
    """

    name: str
    label: str
    adapter: str
    architecture: str
    image_size: int
    weights: str
    epochs: int
    batch_size: int
    optimiser: OptimiserSettings
    average_decay: float
    parameters: int | None
    licence: str
    reference: str


@dataclass(frozen=True)
class AugmentationSettings:
    """Which random changes training makes to an image; the numbers are largest relative changes."""

    flips: bool
    quarter_turns: bool
    brightness: float
    colour: float


@dataclass(frozen=True)
class TrainingSettings:
    """How every detector is trained."""

    device: str
    threads: int
    checkpoint_seconds: float
    augmentation: AugmentationSettings


@dataclass(frozen=True)
class CertificateSettings:
    """What the certificate of a threshold states.

    ``delta`` is the allowed chance of a wrong one: of each species by itself, or of all of them where
    ``joint``. ``candidates`` is how many thresholds are tried.
    """

    delta: float
    joint: bool
    candidates: int


@dataclass(frozen=True)
class EvaluationSettings:
    """How every detector is judged."""

    score_floor: float
    max_detections: int
    iou: float
    target_precision: float
    certificate: CertificateSettings
    resamples: int
    confidence: float


@dataclass(frozen=True)
class Study:
    """A study, checked.

    ``species`` are in study order: that of ``species.include``, or of the table where that is null.
    ``excluded_species`` are the others of the table: known animals, not of interest here.
    ``other_names`` are further known names that are no species of interest. ``merged`` is the
    configuration with every default filled in, to be written beside the results.
    """

    name: str
    seeds: tuple[int, ...]
    random_seed: int
    species_table: Path
    species: tuple[Species, ...]
    excluded_species: tuple[Species, ...]
    other_names: tuple[str, ...]
    images: tuple[StudyImage, ...]
    dataset: DatasetSettings
    card: CardSettings
    painted: PaintedSettings
    split: SplitSettings
    models_table: Path
    models: tuple[ModelSpecification, ...]
    training: TrainingSettings
    evaluation: EvaluationSettings
    merged: dict[str, Any]

    @property
    def folds(self) -> tuple[int, ...]:
        """The numbers of the folds, from 1; empty for a single split."""
        if self.split.folds == "each":
            return tuple(range(1, 1 + len({getattr(image, self.split.by) for image in self.images})))
        return tuple(range(1, 1 + int(self.split.folds or 0)))
