"""A study from its merged configuration: everything is read and checked, every fault told at once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from podura.annotations.kinds import misfit
from podura.configuration.folds import fold_faults
from podura.configuration.images import images_of_folder, images_of_table
from podura.configuration.models import Included, included_models
from podura.configuration.painted import painted_faults, painted_settings
from podura.configuration.pretrained import (
    WEIGHT_SOURCES,
    mirror_fault,
    offline_faults,
    pretrained_files,
    read_weight_sources,
)
from podura.configuration.search import search_faults, search_settings
from podura.configuration.settings import (
    dataset_settings,
    evaluation_settings,
    split_settings,
    training_settings,
    weight_settings,
)
from podura.configuration.sources import KeyPath, Origins, as_typed, read_yaml
from podura.configuration.species import check_other_names, included_species, read_species
from podura.configuration.structure import (
    load_schema,
    structural_faults,
    with_command_line_read,
    with_defaults,
)
from podura.configuration.study import CardSettings, PretrainedFile, Species, Study, StudyImage
from podura.configuration.surveys import SurveySettings, release_faults, release_settings, surveys_of
from podura.configuration.wording import shown
from podura.errors import UserError, UserErrors
from podura.tables import PARTS

_Result = TypeVar("_Result")


class _Annotations(NamedTuple):
    """What the path of a format is, in words and as file, folder or either; the keys that it takes."""

    path: str
    what: str
    options: tuple[str, ...] = ()


#: The formats of annotations, as in ``podura.annotations.formats``, which is slow to import.
_ANNOTATIONS = {
    "coco": _Annotations("the path of the JSON file", "file"),
    "voc": _Annotations("the path of the folder of XML files", "folder"),
    "yolo": _Annotations("the path of the data YAML, or of its folder", "either"),
    "labelme": _Annotations("the path of the folder of JSON files, or of one of them", "either"),
    "cvat": _Annotations("the path of the XML file", "file"),
    "label_studio": _Annotations("the path of the JSON file", "file", ("image_key",)),
    "via": _Annotations("the path of the JSON or CSV file", "file", ("attribute",)),
    "csv": _Annotations("the path of the CSV file", "file", ("columns", "units")),
}


def load_study(
    config: Mapping[str, Any],
    *,
    config_files: Sequence[Path | str],
    schemas: Path | str,
    folder: Path | str = ".",
    painted_folder: Path | str | None = None,
) -> Study:
    """The study that a merged configuration describes.

    ``config`` is what Snakemake merged: ``config_files`` in this order, then the command line.
    ``schemas`` is the folder of the schemas; paths in the configuration are relative to ``folder``.
    ``painted_folder`` is where slides are painted, needed where dataset.annotations.format is
    painted. Raises UserErrors that tell every fault of the configuration and of its tables, each
    with file and line, the offending value and what to write instead.
    """
    return _Reading(
        config,
        [as_typed(Path(file)) for file in config_files],
        Path(schemas),
        Path(folder),
        None if painted_folder is None else Path(painted_folder),
    ).study()


class _Reading:
    """One reading of a study; ``faults`` grows, and parts that depend on faulty keys are left out."""

    def __init__(
        self,
        config: Mapping[str, Any],
        config_files: Sequence[Path],
        schemas: Path,
        folder: Path,
        painted_folder: Path | None,
    ) -> None:
        self.schemas = schemas
        self.folder = folder
        self.painted_folder = painted_folder
        self.faults: list[str] = []
        read = [self.tried(functools.partial(read_yaml, path)) for path in config_files]
        files = [file for file in read if file is not None]
        self.origins = Origins(files, config)
        schema = load_schema(schemas, "config")
        given = with_command_line_read(config, schema, self.origins)
        self.config: dict[str, Any] = with_defaults(given, schema)
        faults = structural_faults(self.config, schema, self.origins)
        self.faults += [fault.message for fault in faults]
        self.unsound: list[KeyPath] = [fault.key_path for fault in faults]
        # With a release from elsewhere the data of the study need not be there.
        self.only_surveys = isinstance(self.config.get("release"), str)

    def tried(self, read: Callable[[], _Result]) -> _Result | None:
        """What ``read`` returns; None, with its faults noted, where it raises a UserError."""
        try:
            return read()
        except UserErrors as error:
            self.faults += error.messages
        except UserError as error:
            self.faults.append(str(error))
        return None

    def sound(self, *keys: str) -> bool:
        """Whether the values at these dotted keys have the right form, and all that is below them."""
        paths = [tuple(key.split(".")) for key in keys]
        return not any(
            path[: len(fault)] == fault or fault[: len(path)] == path
            for path in paths
            for fault in self.unsound
        )

    def fault(self, key: str, message: str) -> None:
        self.faults.append(f"{self.origins.where(tuple(key.split('.')))}: {message}")

    def study(self) -> Study:
        self.check_fractions()
        self.check_annotations()
        self.check_painted()
        self.check_problems()
        self.check_search()
        self.check_experts()
        table, species = self.species()
        images = self.images()
        if images:
            self.check_folds(images)
        self.check_mirror()
        found = self.models()
        surveys = self.surveys()
        if (
            surveys is None
            or self.faults
            or table is None
            or species is None
            or images is None
            or found is None
        ):
            raise UserErrors(self.faults)
        included, pretrained = found
        config = self.config
        codes = {one.code for one in species}
        return Study(
            name=config["study"],
            seeds=tuple(config["seeds"]),
            random_seed=config["random_seed"],
            species_table=self.folder / config["species"]["table"],
            species=species,
            excluded_species=tuple(one for one in table if one.code not in codes),
            other_names=tuple(config["species"]["other"]),
            images=images,
            dataset=dataset_settings(config["dataset"], self.folder),
            card=CardSettings(**config["dataset"]["card"]),
            painted=painted_settings(config["painted"]),
            split=split_settings(config["split"]),
            models_table=self.folder / config["models"]["table"],
            models=included.models,
            ensembles=included.ensembles,
            weights=weight_settings(config["weights"], self.folder),
            pretrained=pretrained,
            search=search_settings(config["search"]),
            training=training_settings(config["training"]),
            evaluation=evaluation_settings(config["evaluation"], self.folder),
            release=release_settings(config["release"], self.folder),
            surveys=surveys,
            compare_with=config["compare_with"] and self.folder / config["compare_with"],
            merged=config,
        )

    def surveys(self) -> tuple[SurveySettings, ...] | None:
        config = self.config
        if self.sound("release", "models.include"):
            for fault in release_faults(config["release"], config["models"]["include"], self.folder):
                self.fault(*fault)
        if not self.sound("surveys", "survey"):
            return None
        schema = load_schema(self.schemas, "survey")
        return self.tried(lambda: surveys_of(config, schema, self.origins, self.folder))

    def check_fractions(self) -> None:
        if not self.sound("split.fractions"):
            return
        fractions = self.config["split"]["fractions"]
        total = sum(fractions.values())
        if abs(total - 1) > 1e-6:
            terms = " + ".join(f"{part} {fractions[part]}" for part in PARTS)
            self.fault(
                "split.fractions",
                f"{terms} is {round(total, 6)}, not 1. Write fractions that add up to 1.",
            )

    def check_folds(self, images: Sequence[StudyImage]) -> None:
        if self.sound("split.by", "split.folds", "split.others_by"):
            for key, message in fold_faults(self.config["split"], images):
                self.fault(key, message)

    def check_annotations(self) -> None:
        if self.only_surveys or not self.sound("dataset.annotations.format", "dataset.annotations.path"):
            return
        annotations = self.config["dataset"]["annotations"]
        kind, given = annotations["format"], annotations["path"]
        key = "dataset.annotations.path"
        if kind == "painted":
            if given is not None:
                self.fault(
                    key,
                    f"{shown(given)} is not read, since dataset.annotations.format is painted. Write "
                    "null, or the format of your annotations (coco, voc, ...).",
                )
        elif given is None:
            self.fault(key, f"there is no path, but the format is {kind}. Write {_ANNOTATIONS[kind].path}.")
        elif not (self.folder / given).exists():
            self.fault(key, f"there is no {shown(given)}. Write {_ANNOTATIONS[kind].path}.")
        elif _ANNOTATIONS[kind].what == "folder" and not (self.folder / given).is_dir():
            self.fault(key, f"{shown(given)} is not a folder. Write {_ANNOTATIONS[kind].path}.")
        elif _ANNOTATIONS[kind].what == "file" and not (self.folder / given).is_file():
            self.fault(key, f"{shown(given)} is not a file. Write {_ANNOTATIONS[kind].path}.")
        for option in ("columns", "units", "attribute", "image_key"):
            taken = kind != "painted" and option in _ANNOTATIONS[kind].options
            if annotations[option] is not None and not taken:
                self.fault(
                    f"dataset.annotations.{option}", f"the format {kind} does not take it. Leave it out."
                )

    def check_painted(self) -> None:
        if not self.sound("painted", "species.other", "dataset.annotations.format"):
            return
        if self.config["dataset"]["annotations"]["format"] == "painted":
            for key, message in painted_faults(self.config):
                self.fault(key, message)

    def check_problems(self) -> None:
        if not self.sound("dataset.problems"):
            return
        chosen = self.config["dataset"]["problems"] or {}
        for kind, treatment in chosen.items():
            if (fault := misfit(kind, treatment)) is not None:
                self.faults.append(f"{self.origins.where(('dataset', 'problems', kind))}: {fault}")

    def check_search(self) -> None:
        if self.sound("search"):
            for key, message in search_faults(self.config["search"]):
                self.fault(key, message)

    def check_experts(self) -> None:
        experts = self.config["evaluation"]["experts"] if self.sound("evaluation.experts") else None
        if experts is not None and not self.only_surveys:
            self.existing("evaluation.experts.path", experts["path"])

    def species(self) -> tuple[tuple[Species, ...] | None, tuple[Species, ...] | None]:
        """All species of the table, and those of the study; None where there is a fault."""
        if not self.sound("species.table"):
            return None, None
        settings = self.config["species"]
        path = self.existing("species.table", settings["table"])
        if path is None:
            return None, None
        schema = load_schema(self.schemas, "species")
        table = self.tried(lambda: read_species(path, schema))
        if table is None:
            return None, None
        if self.sound("species.other"):
            self.tried(lambda: check_other_names(settings["other"], table, path, self.origins))
        if not self.sound("species.include"):
            return table, None
        codes = settings["include"]
        return table, self.tried(lambda: included_species(table, codes, path, self.origins))

    def images(self) -> tuple[StudyImage, ...] | None:
        if not self.sound("dataset.images", "dataset.annotations.format"):
            return None
        dataset = self.config["dataset"]
        painted = dataset["annotations"]["format"] == "painted"
        path = self.folder / dataset["images"]
        by = self.config["split"]["by"] if self.sound("split.by") else None
        if self.only_surveys and not path.exists():
            return ()
        if path.is_dir():
            return self.images_of_folder(path, painted, by)
        if self.existing("dataset.images", dataset["images"]) is None:
            return None
        if self.sound("dataset.slide_pattern") and dataset["slide_pattern"] is not None:
            self.fault(
                "dataset.slide_pattern",
                "a pattern only serves a folder of images; the column 'slide' of "
                f"{path} names the slides. Write null.",
            )
        if painted and self.painted_folder is None:
            raise ValueError("painted_folder is needed for a painted study")
        schema = load_schema(self.schemas, "images")
        return self.tried(
            lambda: images_of_table(
                path,
                schema,
                split_by=by,
                painted_folder=self.painted_folder if painted else None,
            )
        )

    def images_of_folder(self, path: Path, painted: bool, by: str | None) -> tuple[StudyImage, ...] | None:
        if painted:
            self.fault(
                "dataset.images",
                f"{shown(str(path))} is a folder, but painted slides need a table that names them. "
                "Write the path of an images table, or set dataset.annotations.format to the format of your "
                "annotations.",
            )
            return None
        if by not in {None, "slide"}:
            self.fault(
                "split.by",
                f"with a folder of images no {by} is known. Write slide, or give an images table "
                f"with a column '{by}' as dataset.images.",
            )
        pattern = self.config["dataset"]["slide_pattern"]
        if not self.sound("dataset.slide_pattern") or not self.good_pattern(pattern):
            return None
        return self.tried(lambda: images_of_folder(path, pattern))

    def good_pattern(self, pattern: str | None) -> bool:
        if pattern is None:
            return True
        example = "Write for example (?P<slide>[^/]+)/[^/]+$ for one folder a slide."
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            self.fault(
                "dataset.slide_pattern",
                f"{shown(pattern)} is not a regular expression ({error}). {example}",
            )
            return False
        if "slide" not in groups:
            self.fault("dataset.slide_pattern", f"{shown(pattern)} has no group (?P<slide>...). {example}")
        return "slide" in groups

    def check_mirror(self) -> None:
        mirror = self.config["weights"]["mirror"] if self.sound("weights") else None
        if mirror is not None and (fault := mirror_fault(mirror, self.folder)) is not None:
            self.fault("weights.mirror", fault)

    def models(self) -> tuple[Included, dict[str, PretrainedFile]] | None:
        """Models and ensembles, and the files of published weights from which models start."""
        if not self.sound("models.table"):
            return None
        path = self.existing("models.table", self.config["models"]["table"])
        table = None if path is None else self.tried(lambda: read_yaml(path))
        if table is None:
            return None
        schema, ensemble_schema = (load_schema(self.schemas, name) for name in ("model", "ensemble"))
        names = self.config["models"]["include"] if self.sound("models.include") else []
        sources = read_weight_sources(WEIGHT_SOURCES, load_schema(self.schemas, "weights"))
        n_seeds = len(self.config["seeds"]) if self.sound("seeds") else None
        included = self.tried(
            lambda: included_models(
                names, table, schema, ensemble_schema, sources, self.folder, self.origins, n_seeds=n_seeds
            )
        )
        if included is None:
            return None
        pretrained = pretrained_files(included.models, sources)
        if self.sound("weights") and not self.only_surveys:
            for fault in offline_faults(pretrained, weight_settings(self.config["weights"], self.folder)):
                self.fault("weights.offline", fault)
        return included, pretrained

    def existing(self, key: str, given: str) -> Path | None:
        """The path of a table that a key gives; None, with the fault noted, where it is no file."""
        path = self.folder / given
        if path.is_file():
            return path
        self.fault(key, f"there is no file {shown(given)}. Write the path from the folder that you run in.")
        return None
