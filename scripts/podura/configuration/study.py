"""What a study is once its configuration has been read and found sound: plain, typed, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podura.configuration.published import PretrainedFile as PretrainedFile
from podura.configuration.published import WeightSettings as WeightSettings
from podura.configuration.surveys import ReleaseSettings, SurveySettings
from podura.tables import ALL_SEEDS


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


#: Images in one step of training where the models table leaves the batch size to Podura.
AUTO_BATCH_SIZE = 16


@dataclass(frozen=True)
class OptimiserSettings:
    """``warmup`` is the share of all steps in which the learning rate rises to its value.

    ``clip`` is the greatest length of the gradient, ``backbone_share`` the rate of a pre-trained backbone
    relative to the rest.
    """

    name: str
    learning_rate: float
    weight_decay: float
    warmup: float
    clip: float = 10.0
    backbone_share: float = 1.0


@dataclass(frozen=True)
class TilingSettings:
    """How images are cut into tiles: side in pixels of the image, and share of it that neighbours share.

    ``empty_share`` is the largest share of tiles without an animal among those of an epoch of training.
    """

    size: int
    overlap: float
    empty_share: float


@dataclass(frozen=True)
class ModelSpecification:
    """One entry of the models table.

    ``image_size`` is the longer side in pixels of the image, or of the tile, as the detector sees it.
    Without ``tiling`` images are seen whole. ``weights`` is imagenet, coco, none, or the path of a
    .safetensors file from the folder that Podura runs in. ``batch_size`` is a number, or "auto" for
    ``AUTO_BATCH_SIZE`` with as many images at once as fit into memory. ``parameters`` is how many the model
    has with ten species, for information.
    """

    name: str
    label: str
    adapter: str
    architecture: str
    image_size: int
    tiling: TilingSettings | None
    weights: str
    epochs: int
    batch_size: int | str
    optimiser: OptimiserSettings
    average_decay: float
    parameters: int | None
    licence: str
    reference: str


@dataclass(frozen=True)
class EnsembleSpecification:
    """An entry of the models table that fuses the detections of others.

    ``members`` are names of models of the study. ``seeds`` is "each" for a run of every seed, "all" for one
    run that fuses all of them. Boxes that overlap by more than ``iou`` are taken for one.
    """

    name: str
    label: str
    adapter: str
    members: tuple[str, ...]
    seeds: str
    iou: float


@dataclass(frozen=True)
class AugmentationSettings:
    """Which random changes training makes to an image.

    ``rotation`` is the largest angle in degrees; ``scale``, ``brightness``, ``contrast`` and ``colour`` are
    largest relative changes; ``blur``, ``noise`` and ``mosaic`` are shares of the images; ``mosaic_until`` is
    the share of the epochs after which there are no mosaics.
    """

    flips: bool = True
    quarter_turns: bool = True
    rotation: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    mosaic: float = 0.0
    mosaic_until: float = 1.0


@dataclass(frozen=True)
class TrainingSettings:
    """How every detector is trained.

    ``workers`` is the number of processes that make batches, ``validate_every`` the epochs from one
    validation to the next.
    """

    device: str
    threads: int
    workers: int
    precision: str
    validate_every: int
    checkpoint_seconds: float
    augmentation: AugmentationSettings


@dataclass(frozen=True)
class SearchSettings:
    """How many trials a model gets before it is trained (None for no search), how long each is, and where.

    Factors are those of what a model's entry says, least and largest; ranges are of the settings themselves.
    None for what is not searched.
    """

    trials: int | None
    epochs_per_trial: int
    sampler: str
    learning_rate_factors: tuple[float, float] | None
    weight_decay_factors: tuple[float, float] | None
    warmup_range: tuple[float, float] | None
    average_decay_range: tuple[float, float] | None


@dataclass(frozen=True)
class CertificateSettings:
    """What the certificate of a threshold states.

    ``delta`` is the allowed chance of a wrong one: of each species by itself, or of all of them where
    ``joint``. ``candidates`` is how many thresholds are tried. ``folds`` is each or pooled: a certificate for
    the model of each fold, or one for all of them.
    """

    delta: float
    joint: bool
    candidates: int
    folds: str


@dataclass(frozen=True)
class ExpertSettings:
    """The CSV of people who annotated the same images, and what they are compared with: given or others."""

    path: Path
    columns: Mapping[str, str] | None
    units: str
    reference: str


@dataclass(frozen=True)
class EvaluationSettings:
    """How every detector is judged; ``experts`` is None where no people stand beside them."""

    score_floor: float
    max_detections: int
    iou: float
    target_precision: float
    certificate: CertificateSettings
    resamples: int
    confidence: float
    experts: ExpertSettings | None


@dataclass(frozen=True)
class Study:
    """A study, checked.

    ``species`` are in study order: that of ``species.include``, or of the table where that is null.
    ``excluded_species`` are the others of the table: known animals, not of interest here.
    ``other_names`` are further known names that are no species of interest. ``models`` are those that are
    trained, ``ensembles`` those that fuse them. ``pretrained`` has the file of published weights of each
    model that starts from one, by the model's name. ``surveys`` are those of this run: that of the key
    ``survey`` alone where it is given. ``compare_with`` is the results folder of another study. ``merged`` is
    the configuration with every default filled in, to be written beside the results.
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
    ensembles: tuple[EnsembleSpecification, ...]
    weights: WeightSettings
    pretrained: Mapping[str, PretrainedFile]
    search: SearchSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    release: ReleaseSettings
    surveys: tuple[SurveySettings, ...]
    compare_with: Path | None
    merged: dict[str, Any]

    @property
    def folds(self) -> tuple[int, ...]:
        """The numbers of the folds, from 1; empty for a single split."""
        if self.split.folds == "each":
            return tuple(range(1, 1 + len({getattr(image, self.split.by) for image in self.images})))
        return tuple(range(1, 1 + int(self.split.folds or 0)))

    @property
    def included(self) -> tuple[ModelSpecification | EnsembleSpecification, ...]:
        """Models and ensembles in the order in which the study includes them."""
        by_name: dict[str, ModelSpecification | EnsembleSpecification] = {}
        by_name |= {model.name: model for model in self.models}
        by_name |= {ensemble.name: ensemble for ensemble in self.ensembles}
        return tuple(by_name[name] for name in self.merged["models"]["include"] if name in by_name)

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """The seeds of the runs of a model, an ensemble or a control; ALL_SEEDS where one run fuses all."""
        fused = any(one.name == name and one.seeds == "all" for one in self.ensembles)
        return (ALL_SEEDS,) if fused else self.seeds

    def fused_runs(self, ensemble: EnsembleSpecification, seed: int) -> tuple[tuple[str, int], ...]:
        """The runs, as model and seed, that this run of an ensemble fuses; ``seed`` is one of its seeds."""
        seeds = self.seeds if seed == ALL_SEEDS else (seed,)
        return tuple((member, each) for member in ensemble.members for each in seeds)
