"""The files that a user gave for a study or a survey."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from podura.configuration.study import Study
from podura.tables import SURVEY_IMAGES


def study_inputs(study: Study) -> list[Path]:
    """Every file that a study reads and does not make itself, once; painted slides follow from its tables.

    Of a format that has its labels beside one another in a folder, all files of the folder; so of YOLO,
    whose data YAML names folders.
    """
    annotations = study.dataset.annotations
    given: list[Path] = [study.species_table, study.models_table]
    # With a release from elsewhere a study may be without data.
    if study.images and study.dataset.images.is_file():
        given.append(study.dataset.images)
    if annotations.format != "painted":
        given += [image.path for image in study.images]
    if annotations.path is not None:
        yolo = annotations.format == "yolo" and annotations.path.is_file()
        given.append(annotations.path.parent if yolo else annotations.path)
    if study.evaluation.experts is not None:
        given.append(study.evaluation.experts.path)
    given += [Path(model.weights) for model in study.models if model.weights.endswith(".safetensors")]
    given += [file.kept_in(study.weights.folder) for file in study.pretrained.values()]
    return list(dict.fromkeys(file for path in given for file in _files(path)))


def survey_inputs(folder: Path) -> list[Path]:
    """The images of a survey, as its images.csv names them, without those painted into its folder."""
    images = SURVEY_IMAGES.read_csv(folder / "images.csv")
    paths = [Path(path) for path in images["path"]]
    return [path for path in paths if not path.is_relative_to(folder)]


def _files(path: Path) -> Iterable[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
