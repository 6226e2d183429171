from __future__ import annotations

import copy
import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from podura.annotations.kinds import KINDS
from podura.configuration import load_study
from podura.configuration.painted import painting_memory_mb
from podura.configuration.sources import Origins, read_yaml
from podura.configuration.structure import load_schema, structural_faults, with_defaults
from podura.configuration.study import (
    AugmentationSettings,
    EnsembleSpecification,
    EvaluationSettings,
    ModelSpecification,
    OptimiserSettings,
    PaintedSettings,
    SearchSettings,
    Study,
    TilingSettings,
    TrainingSettings,
)
from podura.errors import UserError, UserErrors
from podura.tables import ALL_SEEDS, IMAGES, SPECIES

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"

MODEL: dict[str, Any] = {
    "label": "A detector",
    "adapter": "torchvision",
    "architecture": "fasterrcnn_lite0",
    "image_size": 320,
    "weights": "none",
    "epochs": 3,
    "batch_size": 2,
    "optimiser": {"learning_rate": 0.001},
    "licence": "Apache-2.0",
}


class Project:
    """A sound study in a folder; a test spoils one thing and reads what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "study": "meadows",
            "seeds": [1, 2],
            "species": {"table": "species.tsv", "include": ["ISO-MIN", "CER-DEN"], "other": ["mite"]},
            "dataset": {
                "images": "data/images.tsv",
                "annotations": {"format": "coco", "path": "boxes.json"},
            },
            "models": {"table": "models.yaml", "include": ["faster", "small"]},
        }
        self.overlay: dict[str, Any] = {}
        self.command_line: dict[str, Any] = {}
        self.models: dict[Any, Any] = {"faster": copy.deepcopy(MODEL), "small": copy.deepcopy(MODEL)}
        self.species = [
            ["code", "name", "authority", "family", "aliases"],
            ["CER-DEN", "Ceratophysella denticulata", "(Bagnall, 1941)", "Hypogastruridae", ""],
            ["ISO-MIN", "Isotomiella minor", "(Schäffer, 1896)", "Isotomidae", "I. minor| minor "],
            ["PAR-NOT", "Parisotoma notabilis", "", "", "Isotoma notabilis"],
        ]
        self.images = [
            ["image", "slide", "sample", "site", "date", "um_per_pixel", "part"],
            ["a1.jpg", "A", "s1", "meadow", "2026-04-30", "0.65", "test"],
            ["a2.jpg", "A", "s1", "meadow", "2026-04-30", "1", "test"],
            ["b1.jpg", "B", "s2", "field", "", "", ""],
        ]
        self.write("boxes.json", "{}")
        for name in ("a1.jpg", "a2.jpg", "b1.jpg"):
            self.write(f"data/{name}", "")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_yaml(self, name: str, value: Any) -> Path:
        return self.write(name, yaml.safe_dump(value, sort_keys=False))

    def write_tables(self) -> None:
        self.write_yaml("models.yaml", self.models)
        for name, rows in (("species.tsv", self.species), ("data/images.tsv", self.images)):
            self.write(name, "".join("\t".join(row) + "\n" for row in rows))

    def load(self, **options: Any) -> Study:
        self.write_tables()
        files = [self.write_yaml("config.yaml", self.config)]
        if self.overlay:
            files.append(self.write_yaml("overlay.yaml", self.overlay))
        merged = merge(merge(self.config, self.overlay), self.command_line)
        return load_study(merged, config_files=files, schemas=SCHEMAS, folder=self.folder, **options)

    def faults(self, **options: Any) -> tuple[str, ...]:
        with pytest.raises(UserErrors) as caught:
            self.load(**options)
        for message in caught.value.messages:
            assert "\n" not in message
            assert len(message) < 600
        return caught.value.messages

    def fault(self, **options: Any) -> str:
        """The message, where there must be exactly one."""
        faults = self.faults(**options)
        assert len(faults) == 1, faults
        return faults[0]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As Snakemake merges: mappings key by key, everything else replaced."""
    merged = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def put(values: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for step in above:
        values = values.setdefault(step, {})
    values[last] = value


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- a sound study ---------------------------------------------------------------------------------


def test_species_come_in_the_order_of_include_and_the_others_are_kept_aside(project: Project) -> None:
    study = project.load()
    assert [species.code for species in study.species] == ["ISO-MIN", "CER-DEN"]
    assert study.species[0].aliases == ("I. minor", "minor")
    assert [species.code for species in study.excluded_species] == ["PAR-NOT"]
    assert study.other_names == ("mite",)


def test_without_include_all_species_come_in_the_order_of_the_table(project: Project) -> None:
    project.config["species"]["include"] = None
    study = project.load()
    assert [species.code for species in study.species] == ["CER-DEN", "ISO-MIN", "PAR-NOT"]
    assert study.excluded_species == ()


def test_images_have_the_cells_of_the_table_and_lie_beside_it(project: Project) -> None:
    images = project.load().images
    assert [image.image for image in images] == ["a1.jpg", "a2.jpg", "b1.jpg"]
    assert images[0].path == project.folder / "data" / "a1.jpg"
    assert (images[0].slide, images[0].sample, images[0].site) == ("A", "s1", "meadow")
    assert (images[0].date, images[0].um_per_pixel, images[0].part) == ("2026-04-30", 0.65, "test")
    assert (images[2].date, images[2].um_per_pixel, images[2].part) == (None, None, None)


def test_absent_keys_have_their_defaults(project: Project) -> None:
    study = project.load()
    assert study.split.fractions == {"train": 0.4, "validation": 0.15, "calibration": 0.2, "test": 0.25}
    assert study.evaluation.target_precision == 0.95
    assert study.merged["training"]["augmentation"]["flips"] is True
    assert study.models[0].optimiser == OptimiserSettings("adamw", 0.001, 0.0005, 0.1)


def test_models_come_in_the_order_of_include(project: Project) -> None:
    project.config["models"]["include"] = ["small", "faster"]
    assert [model.name for model in project.load().models] == ["small", "faster"]


def test_the_merged_configuration_read_again_is_the_same_study(project: Project) -> None:
    study = project.load()
    path = project.write_yaml("run.yaml", study.merged)
    again = load_study(
        yaml.safe_load(path.read_text()),
        config_files=[path],
        schemas=SCHEMAS,
        folder=project.folder,
    )
    assert again == study


def test_loading_changes_nothing_that_the_caller_holds(project: Project) -> None:
    project.write_tables()
    path = project.write_yaml("config.yaml", project.config)
    before = copy.deepcopy(project.config)
    load_study(project.config, config_files=[path], schemas=SCHEMAS, folder=project.folder)
    assert project.config == before


def test_whole_numbers_serve_where_any_number_does(project: Project) -> None:
    project.config["painted"] = {"specimens_per_image": 3}
    value = project.load().painted.specimens_per_image
    assert (value, type(value)) == (3.0, float)


# --- where a value comes from ----------------------------------------------------------------------


def test_a_fault_names_the_line_of_the_file_that_sets_the_value(project: Project) -> None:
    project.config["evaluation"] = {"iou": 0.5}
    project.overlay = {"study": "mine", "evaluation": {"confidence": 0.9, "iou": 0.52}}
    message = project.fault()
    assert message.startswith(f"{project.folder / 'overlay.yaml'}, line 4, key evaluation.iou: 0.52 ")
    assert "0.5, 0.55" in message


def test_a_fault_of_the_base_file_is_not_blamed_on_the_overlay(project: Project) -> None:
    project.config["split"] = {"by": "slides", "fractions": {}}
    project.config["split"].pop("fractions")
    project.overlay = {"seeds": [3]}
    message = project.fault()
    assert message.startswith(f"{project.folder / 'config.yaml'}, line ")
    assert "key split.by: 'slides' is not possible. Is 'slide' meant?" in message


def test_a_value_of_the_command_line_is_called_that(project: Project) -> None:
    project.command_line = {"random_seed": -1}
    assert project.fault().startswith("the command line (--config), key random_seed: -1 ")


def test_a_list_of_the_command_line_is_not_looked_for_in_the_files(project: Project) -> None:
    project.command_line = {"seeds": ["1", "-2"]}  # as Snakemake hands over --config seeds=[1,-2]
    assert project.fault().startswith("the command line (--config), key seeds, item 2: -2 ")


def test_numbers_in_lists_of_the_command_line_are_numbers(project: Project) -> None:
    project.command_line = {
        "seeds": ["7", "8"],
        "species": {"include": ["CER-DEN"]},
        "training": {"augmentation": {"flips": "false", "colour": "0"}},
        "dataset": {"slide_pattern": "null"},
    }
    study = project.load()
    assert study.seeds == (7, 8)
    assert study.training.augmentation.flips is False
    assert study.training.augmentation.colour == 0.0
    assert study.dataset.slide_pattern is None


def test_the_order_of_files_does_not_decide_whose_line_is_named(project: Project) -> None:
    # workflow.configfiles of Snakemake names overlays before the file that they change.
    project.write_tables()
    base = project.write_yaml("config.yaml", project.config)
    overlay = project.write_yaml("overlay.yaml", {"seeds": [-1]})
    with pytest.raises(UserErrors, match=r"overlay\.yaml, line 2, key seeds, item 1"):
        load_study(
            merge(project.config, {"seeds": [-1]}),
            config_files=[overlay, base],
            schemas=SCHEMAS,
            folder=project.folder,
        )


def test_a_key_that_stands_twice_is_told(project: Project) -> None:
    project.write_tables()
    text = yaml.safe_dump(project.config) + "random_seed: 1\nrandom_seed: 2\n"
    path = project.write("config.yaml", text)
    with pytest.raises(UserErrors, match=r"key random_seed: the key stands already in line \d+"):
        load_study(yaml.safe_load(text), config_files=[path], schemas=SCHEMAS, folder=project.folder)


@pytest.mark.parametrize("text", ["a: [1", "a:\n\tb: 1", "- 1\n", "", "text"])
def test_what_is_no_yaml_mapping_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(str(path))):
        read_yaml(path)


def test_anchors_and_merge_keys_of_yaml_serve_in_the_models_table(project: Project) -> None:
    project.write_tables()
    text = yaml.safe_dump({"faster": MODEL}).replace("faster:", "faster: &base")
    text += "small:\n  <<: *base\n  image_size: 640\n"
    project.write("models.yaml", text)
    path = project.write_yaml("config.yaml", project.config)
    study = load_study(project.config, config_files=[path], schemas=SCHEMAS, folder=project.folder)
    assert [model.image_size for model in study.models] == [320, 640]


# --- keys and values of the configuration ----------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("study", "My study", "'My study' does not fit. Write a name of at most 60 small letters"),
        ("study", "meadows\n", "does not fit"),
        ("study", "../up", "does not fit"),
        ("study", 2026, "put it in quotes"),
        ("seeds", [], "the list is empty"),
        ("seeds", 3, "3 is not a list. Write a list such as [1, 2, 3]"),
        ("seeds", [1, 2, 1], "1 stands there twice"),
        ("seeds", [1, -2], "item 2: -2 is less than 1"),
        ("seeds", [1, 2.5], "item 2: 2.5 is not a whole number"),
        ("seeds", [1.0], "item 1: 1.0 is not a whole number"),
        ("seeds", [True], "item 1: true is not a whole number"),
        ("random_seed", "7", "'7' is text here, not a number: write 7 without quotes"),
        ("random_seed", None, "there is no value. Write a whole number at least 0"),
        ("species.other", "mite", "'mite' is not a list: write [mite]"),
        ("species.include", [], "the list is empty"),
        ("species.include", [False], "YAML does not read false as text: put it in quotes"),
        ("dataset.annotations.format", "COCO", "Is 'coco' meant? Write coco, voc, yolo"),
        ("painted", None, "there is no value. Write the keys width, height"),
        ("painted.width", 640.5, "640.5 is not a whole number"),
        ("painted.specimens_per_image", 0, "0 is not above 0"),
        ("split.by", "plot", "'plot' is not possible. Write slide, sample or site."),
        ("split.fractions.test", 0, "0 is not above 0. Write a number above 0 and below 1."),
        ("training.device", "gpu", "Write auto, cpu, cuda or mps."),
        ("training.threads", 0, "0 is less than 1"),
        ("training.augmentation.flips", "yes", "'yes' is not true or false"),
        ("training.augmentation.flips", 1, "1 is not true or false"),
        ("training.augmentation.colour", 1, "1 is not below 1"),
        ("evaluation.score_floor", 1, "1 is not below 1"),
        ("evaluation.score_floor", "0,01", "'0,01' is text here, not a number: write 0.01"),
        ("evaluation.score_floor", "1e-2", "'1e-2' is text here, not a number: write 0.01"),
        ("evaluation.score_floor", float("nan"), "NaN is not a number"),
        ("evaluation.max_detections", 0, "0 is less than 1"),
        ("evaluation.max_detections", True, "true is not a whole number"),
        ("evaluation.iou", 0.51, "0.51 is not possible. Write 0.5, 0.55"),
        ("evaluation.target_precision", 1, "1 is not below 1"),
        ("evaluation.target_precision", 95, "95 is not below 1"),
        ("evaluation.resamples", 0, "0 is less than 10"),
        ("evaluation.confidence", 0, "0 is not above 0"),
    ],
)
def test_a_bad_value_is_told_with_its_key_and_what_to_write(
    project: Project, key: str, value: Any, told: str
) -> None:
    if key.startswith("split.fractions"):
        project.config["split"] = {
            "fractions": {"train": 0.5, "validation": 0.2, "calibration": 0.3, "test": 0.1}
        }
    put(project.config, key, value)
    message = project.fault()
    assert f"key {key}" in message
    assert told in message
    assert "Write " in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("seed", "Is 'seeds' meant?"),
        ("evaluation.target_precison", "Is 'target_precision' meant?"),
        ("training.augmentation.Flips", "Is 'flips' meant?"),
        ("split.fractions.validate", "Is 'validation' meant?"),
        ("iou", "It belongs at evaluation.iou."),
        ("epochs", "there is no such key. The keys here: study, seeds"),
    ],
)
def test_a_mistyped_key_is_told_at_every_level(project: Project, key: str, told: str) -> None:
    put(project.config, "split.fractions", {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2})
    put(project.config, key, 0.5)
    message = project.fault()
    assert f"key {key}: there is no such key." in message
    assert told in message


@pytest.mark.parametrize(
    "key", ["study", "species.table", "species.include", "dataset.images", "dataset.annotations.format"]
)
def test_a_missing_key_without_default_is_told(project: Project, key: str) -> None:
    *above, last = key.split(".")
    values = project.config
    for step in above:
        values = values[step]
    del values[last]
    assert f"the key '{last}' is missing. Write {last}: with " in project.fault()


def test_a_missing_part_is_told(project: Project) -> None:
    project.config["split"] = {"fractions": {"train": 0.5, "validation": 0.25, "test": 0.25}}
    assert "key split.fractions: the key 'calibration' is missing" in project.fault()


def test_fractions_that_do_not_add_up_to_one_are_told_with_their_sum(project: Project) -> None:
    fractions = {"train": 0.5, "validation": 0.2, "calibration": 0.2, "test": 0.2}
    project.config["split"] = {"fractions": fractions}
    message = project.fault()
    assert "train 0.5 + validation 0.2 + calibration 0.2 + test 0.2 is 1.1, not 1" in message


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4))
def test_fractions_that_add_up_to_one_but_for_rounding_are_accepted(
    tmp_path_factory: pytest.TempPathFactory, weights: list[int]
) -> None:
    project = Project(tmp_path_factory.mktemp("study"))
    names = ("train", "validation", "calibration", "test")
    shares = {name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)}
    project.config["split"] = {"fractions": shares}
    assert project.load().split.fractions == shares


def test_all_faults_are_told_at_once(project: Project) -> None:
    project.config["seeds"] = []
    project.config["split"] = {"by": "slides"}
    project.config["models"]["include"] = ["fastr"]
    project.config["species"]["include"] = ["ISO-MIM"]
    project.models["small"]["epochs"] = 0
    project.images[1][5] = "0,65"
    project.images[3][6] = "tset"
    told = "\n".join(project.faults())
    for word in ("seeds", "'slides'", "'fastr'", "'ISO-MIM'", "small.epochs", "'0,65'", "'tset'"):
        assert word in told


# --- species ---------------------------------------------------------------------------------------


def test_an_unknown_species_code_is_told_with_the_nearest(project: Project) -> None:
    project.config["species"]["include"] = ["ISO-MIN", "cer-den"]
    message = project.fault()
    assert "key species.include, item 2: 'cer-den' is not a code of" in message
    assert "Is 'CER-DEN' meant?" in message


@pytest.mark.parametrize(
    "row",
    [
        ["ISO-MIN", "Another name", "", "", ""],
        ["iso-min", "Another name", "", "", ""],
        ["NEW", "isotomiella  Minor", "", "", ""],
        ["NEW", "Another name", "", "", "x|i. MINOR"],
        ["NEW", "Another name", "", "", "Par_not"],
        ["NEW-2", "par not", "", "", ""],
    ],
)
def test_a_name_that_two_species_share_is_told_whatever_its_case(project: Project, row: list[str]) -> None:
    project.species[3] = ["PAR NOT".replace(" ", "_"), "Parisotoma notabilis", "", "", ""]
    project.species.append(row)
    message = project.fault()
    assert "species.tsv, row 5" in message
    assert "is already a code, name or alias of" in message


def test_a_species_may_repeat_its_own_name_as_alias(project: Project) -> None:
    project.species[1][4] = "Ceratophysella denticulata|CER-DEN"
    assert project.load().species[1].code == "CER-DEN"


@pytest.mark.parametrize("code", ["CER DEN", "-CER", "CER/DEN", "Ç", "C" * 41])
def test_a_code_that_cannot_name_a_file_is_told(project: Project, code: str) -> None:
    project.species[3][0] = code
    message = project.fault()
    assert "species.tsv, row 4, column 'code'" in message
    assert "such as ISO-MIN" in message


def test_another_name_that_means_a_species_is_told(project: Project) -> None:
    project.config["species"]["other"] = ["mite", "isotoma notabilis"]
    message = project.fault()
    assert "key species.other, item 2" in message
    assert "PAR-NOT" in message


def test_a_table_without_species_is_told(project: Project) -> None:
    project.species = project.species[:1]
    assert "holds no species" in project.fault()


# --- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("epoch", 3, "there is no such key. Is 'epochs' meant?"),
        ("optimiser.momentum", 0.9, "there is no such key."),
        ("momentum", 0.9, "there is no such key."),
        ("learning_rate", 0.1, "It belongs at optimiser.learning_rate."),
        ("adapter", "torchvison", "Is 'torchvision' meant? Write torchvision, ultralytics or transformers."),
        ("architecture", "fasterrcnn_lite", "Is 'fasterrcnn_lite0' meant?"),
        ("architecture", "yolov5n", "'yolov5n' is not possible. Write fasterrcnn_lite0,"),
        ("image_size", 300, "300 is not a multiple of 32. Write a whole number at least 32, a multiple"),
        ("image_size", 0, "0 is less than 32"),
        ("tiling", 1024, "1024 is not a group of keys. Write the keys size, overlap, empty_share, indented"),
        ("tiling.size", 8, "8 is less than 32. Write a whole number at least 32"),
        ("tiling.overlap", 1, "1 is more than 0.75"),
        ("tiling.overlp", 0.1, "there is no such key. Is 'overlap' meant?"),
        ("weights", "coco", "no coco weights of fasterrcnn_lite0. Write imagenet, none or the path"),
        ("weights", "weights.pt", "'weights.pt' does not fit. Write imagenet, coco, none, or the path"),
        ("weights", "absent.safetensors", "there is no file 'absent.safetensors'"),
        ("weights", None, "there is no value"),
        ("epochs", 0, "0 is less than 1"),
        ("batch_size", 1.5, "1.5 is not a whole number"),
        ("batch_size", 0, "0 is less than 1. Write a whole number at least 1, or auto"),
        ("batch_size", "full", "'full' does not fit. Write a whole number at least 1, or auto"),
        ("optimiser.clip", 0, "0 is not above 0"),
        ("optimiser.backbone_share", 2, "2 is more than 1"),
        ("optimiser.name", "adam", "Is 'adamw' meant? Write adamw or sgd."),
        ("optimiser.learning_rate", 0, "0 is not above 0"),
        ("optimiser.learning_rate", "6e-4", "write 0.0006 without quotes"),
        ("optimiser.learning_rate", float("inf"), "Infinity is not a number"),
        ("optimiser.warmup", 0.6, "0.6 is more than 0.5"),
        ("optimiser.weight_decay", -1, "-1 is less than 0"),
        ("average_decay", 1, "1 is not below 1"),
        ("licence", "", "does not fit. Write an SPDX identifier"),
    ],
)
def test_a_bad_entry_of_the_models_table_is_told(project: Project, key: str, value: Any, told: str) -> None:
    if key.startswith("tiling."):
        put(project.models["small"], "tiling.size", 640)
    put(project.models["small"], key, value)
    message = project.fault()
    assert re.search(rf"models\.yaml, line \d+, key small\.{re.escape(key)}: ", message)
    assert told in message


def test_imagenet_weights_are_refused_where_an_architecture_has_none(project: Project) -> None:
    yolo = {**MODEL, "adapter": "ultralytics", "architecture": "yolov5n", "weights": "none"}
    project.models["small"] = yolo
    assert project.load().models[1].adapter == "ultralytics"
    yolo["weights"] = "imagenet"
    assert "there are no imagenet weights of yolov5n. Write coco, none or the path" in project.fault()


def test_weights_of_a_file_are_looked_for_from_the_folder_that_one_runs_in(project: Project) -> None:
    project.write("weights/start.safetensors", "")
    project.models["small"]["weights"] = "weights/start.safetensors"
    assert project.load().models[1].weights == "weights/start.safetensors"


def test_weights_of_a_model_that_is_not_included_may_be_absent(project: Project) -> None:
    project.models["spare"] = {**MODEL, "weights": "absent.safetensors"}
    assert len(project.load().models) == 2


@pytest.mark.parametrize("name", ["control_truth", "control_shuffled"])
def test_the_names_of_the_controls_are_kept(project: Project, name: str) -> None:
    project.models[name] = MODEL
    assert "kept for a control" in project.fault()
    del project.models[name]
    project.config["models"]["include"].append(name)
    assert "is a control, which every study runs anyway" in project.fault()


@pytest.mark.parametrize("name", ["Small", "a b", "../a", "a" * 61, 5, "a\n"])
def test_a_name_of_a_model_that_cannot_name_a_file_is_told(project: Project, name: Any) -> None:
    project.models[name] = MODEL
    assert "cannot name a model" in project.fault()


def test_an_unknown_model_is_told_with_the_nearest(project: Project) -> None:
    project.config["models"]["include"] = ["faster", "smal"]
    message = project.fault()
    assert "key models.include, item 2: 'smal' is not a model of" in message
    assert "Is 'small' meant?" in message


def test_a_model_that_is_included_twice_is_told(project: Project) -> None:
    project.config["models"]["include"] = ["small", "faster", "small"]
    assert "key models.include: 'small' stands there twice" in project.fault()


def test_an_entry_without_keys_is_told(project: Project) -> None:
    project.models["small"] = None
    assert "key small: there is no value. Write the keys label, adapter" in project.fault()


# --- search ----------------------------------------------------------------------------------------


def test_without_trials_nothing_is_searched(project: Project) -> None:
    assert project.load().search.trials is None
    project.config["search"] = {"trials": 5, "warmup_range": None, "average_decay_range": [0.9, 0.99]}
    search = project.load().search
    assert (search.trials, search.epochs_per_trial, search.sampler) == (5, 4, "tpe")
    assert (search.learning_rate_factors, search.weight_decay_factors) == ((0.1, 10.0), (0.1, 10.0))
    assert (search.warmup_range, search.average_decay_range) == (None, (0.9, 0.99))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("trials", 1, "1 is less than 2. Write a whole number at least 2, or null."),
        ("epochs_per_trial", 0, "0 is less than 1"),
        ("sampler", "grid", "'grid' is not possible. Write tpe or random."),
        ("learning_rate_factors", [10, 0.1], "10 is not below 0.1. Write the lower number first."),
        (
            "learning_rate_factors",
            [2, 4],
            "the entry itself, is not between 2 and 4. Write a range",
        ),
        ("weight_decay_factors", [0.1, 0.5], "Write a range around 1"),
        ("learning_rate_factors", [0, 10], "0 is not above 0"),
        ("learning_rate_factors", [1], "does not fit. Write two numbers such as [0.1, 10], or null."),
        ("learning_rate_factors", [0.1, 1, 10], "does not fit. Write two numbers"),
        ("learning_rate_factors", [], "the list is empty. Write two numbers"),
        ("warmup_range", [0.1, 0.6], "0.6 is more than 0.5"),
        ("warmup_range", [0.1, 0.1], "0.1 is not below 0.1"),
        ("average_decay_range", [0.9, 1], "1 is not below 1"),
        ("trial", 5, "Is 'trials' meant?"),
    ],
)
def test_a_bad_value_of_the_search_is_told(project: Project, key: str, value: Any, told: str) -> None:
    project.config["search"] = {key: value}
    message = project.fault()
    assert f"key search.{key}" in message
    assert told in message


def test_a_search_of_nothing_is_told(project: Project) -> None:
    keys = ("learning_rate_factors", "weight_decay_factors", "warmup_range", "average_decay_range")
    nothing = dict.fromkeys(keys)
    project.config["search"] = nothing
    project.load()
    project.config["search"] = {**nothing, "trials": 3}
    assert "key search.trials: nothing is searched. Write a range for one of" in project.fault()


# --- ensembles -------------------------------------------------------------------------------------

FUSED: dict[str, Any] = {"label": "Both", "adapter": "ensemble", "members": ["faster", "small"]}


def with_ensemble(project: Project, **changed: Any) -> None:
    project.models["both"] = {**copy.deepcopy(FUSED), **changed}
    project.config["models"]["include"] = ["both", "faster", "small"]


def test_an_ensemble_is_apart_from_what_is_trained_and_keeps_its_place(project: Project) -> None:
    with_ensemble(project)
    study = project.load()
    assert [model.name for model in study.models] == ["faster", "small"]
    assert [one.name for one in study.included] == ["both", "faster", "small"]
    (ensemble,) = study.ensembles
    assert ensemble == EnsembleSpecification("both", "Both", "ensemble", ("faster", "small"), "all", 0.55)


def test_an_ensemble_has_one_run_of_all_seeds_or_one_of_each(project: Project) -> None:
    with_ensemble(project)
    study = project.load()
    assert study.seeds_of("both") == (ALL_SEEDS,)
    assert study.seeds_of("small") == study.seeds_of("control_truth") == (1, 2)
    assert study.fused_runs(study.ensembles[0], ALL_SEEDS) == (
        ("faster", 1), ("faster", 2), ("small", 1), ("small", 2)
    )  # fmt: skip
    with_ensemble(project, seeds="each")
    study = project.load()
    assert study.seeds_of("both") == (1, 2)
    assert study.fused_runs(study.ensembles[0], 2) == (("faster", 2), ("small", 2))


@pytest.mark.parametrize(
    ("changed", "where", "told"),
    [
        ({"members": ["faster", "smal"]}, "both.members, item 2", "Is 'small' meant?"),
        ({"members": ["faster", "both"]}, "both.members, item 2", "'both' is an ensemble itself"),
        ({"members": ["faster", "spare"]}, "both.members, item 2", "Write spare into models.include too"),
        ({"members": ["faster", "faster"]}, "both.members", "'faster' stands there twice"),
        ({"members": []}, "both.members", "the list is empty"),
        ({"members": "faster"}, "both.members", "write [faster]"),
        ({"members": ["faster"], "seeds": "each"}, "both.seeds", "nothing to fuse. Write all"),
        ({"seeds": "every"}, "both.seeds", "Write all or each"),
        ({"iou": 1}, "both.iou", "1 is not below 1"),
        ({"epochs": 5}, "both.epochs", "there is no such key"),
        ({"adapter": "ensembles"}, "both.adapter", "Is 'ensemble' meant?"),
    ],
)
def test_a_faulty_ensemble_is_told(project: Project, changed: dict, where: str, told: str) -> None:
    project.models["spare"] = copy.deepcopy(MODEL)
    with_ensemble(project, **changed)
    message = project.fault()
    assert f"key {where}: " in message
    assert "models.yaml, line" in message
    assert told in message


def test_one_member_needs_several_seeds(project: Project) -> None:
    with_ensemble(project, members=["small"])
    assert len(project.load().ensembles) == 1
    project.config["seeds"] = [3]
    message = project.fault()
    assert "one member and one seed leave nothing to fuse. Write a second member, or more" in message
    with_ensemble(project)
    assert project.load().seeds_of("both") == (ALL_SEEDS,)


def test_an_ensemble_that_is_not_included_needs_no_members_in_the_study(project: Project) -> None:
    project.models["both"] = {**FUSED, "members": ["spare"]}
    assert project.load().ensembles == ()


# --- images table ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("um_per_pixel", "0,65", "'0,65' has a decimal comma: write 0.65"),
        ("um_per_pixel", "0", "'0' is not above 0"),
        ("um_per_pixel", "-1", "'-1' is not above 0"),
        ("um_per_pixel", "0.65 µm", "'0.65 µm' is not a number"),
        ("um_per_pixel", "nan", "'nan' is not a number"),
        ("um_per_pixel", "1e999", "'1e999' is not a number"),
        ("um_per_pixel", "1_0", "'1_0' is not a number"),
        ("part", "testing", "Is 'test' meant? Write train, validation, calibration or test"),
        ("date", "30.04.2026", "'30.04.2026' is not such a date. Write a date as YYYY-MM-DD"),
        ("date", "2026-02-30", "is not such a date"),
        ("date", "20260430", "is not such a date"),
    ],
)
def test_a_bad_cell_is_told_with_row_and_column(project: Project, column: str, cell: str, told: str) -> None:
    project.images[3][project.images[0].index(column)] = cell
    message = project.fault()
    assert f"images.tsv, row 4, column '{column}': " in message
    assert told in message
    assert message.endswith("or leave the cell empty.")


def test_many_bad_cells_are_told_by_value_and_then_counted(project: Project) -> None:
    for number in range(40):
        project.write(f"data/c{number}.jpg", "")
        project.images.append([f"c{number}.jpg", "C", "", "", "", f"{number % 8},5", ""])
    faults = project.faults()
    assert "rows 5, 13, 21, 29, 37, column 'um_per_pixel': '0,5'" in faults[0].replace(" and", ",")
    assert faults[-1].endswith("column 'um_per_pixel': 3 other cells are wrong likewise.")


@pytest.mark.parametrize("image", ["a1.jpg", "./a1.jpg", "../data/a1.jpg"])
def test_an_image_that_stands_twice_is_told_with_both_rows(project: Project, image: str) -> None:
    project.images.append([image, "A", "s1", "meadow", "", "", ""])
    message = project.fault()
    assert "row 5, column 'image'" in message
    assert "stands already in row 2" in message


def test_missing_image_files_are_counted_and_five_are_named(project: Project) -> None:
    project.images += [[f"gone{number}.jpg", "C", "", "", "", "", ""] for number in range(9)]
    message = project.fault()
    assert "9 of 12 image files are not there: 'gone0.jpg' (row 5), " in message
    assert "'gone4.jpg' (row 9) and 4 more" in message
    assert str(project.folder / "data") in message


def test_a_file_name_in_other_letters_is_suggested(project: Project) -> None:
    project.images[1][0] = "A1.JPG"
    project.images[2][0] = "..\\data\\a2.jpg"
    message = project.fault()
    assert "'A1.JPG' (row 2; there is 'a1.jpg')" in message
    assert "write / instead of \\" in message


def test_single_missing_image_files_are_left_to_the_import(project: Project) -> None:
    project.images.append(["gone.jpg", "C", "", "", "", "", ""])
    assert project.load().images[3].path == project.folder / "data" / "gone.jpg"
    project.images.append(["gone2.jpg", "C", "", "", "", "", ""])
    project.images.append(["gone3.jpg", "C", "", "", "", "", ""])
    project.load()  # three of six: half is not most
    project.images.append(["gone4.jpg", "C", "", "", "", "", ""])
    assert "4 of 7 image files are not there" in project.fault()


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"tiny_bx": "drop"}, "there is no kind of fault 'tiny_bx'. Is 'tiny_box' meant?"),
        ({"xyz": "drop"}, "there is no kind of fault 'xyz'. Write one of the kinds that config/README"),
        (
            {"two_species": "drop"},
            "'drop' cannot be the treatment of two_species. Write keep, ignore or refuse.",
        ),
        ({"zero_area": "keep"}, "'keep' cannot be the treatment of zero_area. Write drop or refuse."),
        ({"tiny_box": "delete"}, "'delete' is no treatment. Write keep, ignore, drop or refuse."),
        ({"tiny_box": True}, "YAML does not read true as text: put it in quotes. Write fix, ignore, drop"),
        ({"tiny_box": ["drop"]}, "is not text. Write fix, ignore, drop, keep or refuse."),
        ("drop", "'drop' is not a group of keys. Write a mapping such as"),
    ],
)
def test_a_treatment_that_is_not_possible_is_told(project: Project, chosen: Any, told: str) -> None:
    project.config["dataset"]["problems"] = chosen
    message = project.fault()
    assert message.startswith("config.yaml") or "config.yaml, line" in message
    assert "dataset.problems" in message
    assert told in message


def test_every_possible_treatment_of_every_kind_is_taken(project: Project) -> None:
    for place in range(5):
        chosen = {name: kind.treatments[min(place, len(kind.treatments) - 1)] for name, kind in KINDS.items()}
        project.config["dataset"]["problems"] = chosen
        assert project.load().dataset.problems == chosen
    project.config["dataset"]["problems"] = None
    assert project.load().dataset.problems == {}


def test_flags_that_are_ignored_are_chosen(project: Project) -> None:
    assert project.load().dataset.annotations.ignore_flags == ("crowd", "difficult", "ignore")
    annotations = project.config["dataset"]["annotations"]
    annotations["ignore_flags"] = ["truncated"]
    assert project.load().dataset.annotations.ignore_flags == ("truncated",)
    annotations["ignore_flags"] = []
    assert project.load().dataset.annotations.ignore_flags == ()
    annotations["ignore_flags"] = ["truncatd"]
    assert "'truncatd' is not possible. Is 'truncated' meant?" in project.fault()


def test_images_may_lie_elsewhere(project: Project) -> None:
    outside = project.write("elsewhere/x.tif", "")
    project.images[1][0] = str(outside)
    project.images[2][0] = "../elsewhere/x.png"
    project.write("elsewhere/x.png", "")
    study = project.load()
    assert study.images[0].path == outside
    assert study.images[1].path.resolve() == outside.with_suffix(".png")


@pytest.mark.parametrize("column", ["sample", "site", "part"])
def test_a_slide_with_two_values_is_told(project: Project, column: str) -> None:
    project.images[2][project.images[0].index(column)] = "train"
    message = project.fault()
    assert f"column '{column}': the slide 'A' has " in message
    assert "'train' (row 3)" in message


def test_one_row_is_enough_to_fix_the_part_of_a_slide(project: Project) -> None:
    project.images[2][6] = ""
    assert [image.part for image in project.load().images] == ["test", None, None]


@pytest.mark.parametrize("by", ["sample", "site"])
def test_what_is_never_divided_must_be_known_for_every_image(project: Project, by: str) -> None:
    project.config["split"] = {"by": by}
    project.images[3][project.images[0].index(by)] = ""
    message = project.fault()
    assert f"row 4, column '{by}': the cell is empty, but split.by is {by}" in message


def test_a_sample_that_is_never_divided_cannot_have_two_fixed_parts(project: Project) -> None:
    project.images[3] = ["b1.jpg", "B", "s1", "meadow", "", "", "train"]
    assert project.load().images[2].part == "train"
    project.config["split"] = {"by": "sample"}
    assert "the sample 's1' has 'test' (row 2) and 'train' (row 4)" in project.fault()


def test_a_table_with_commas_is_told_as_such(project: Project) -> None:
    project.images = [[",".join(row)] for row in project.images]
    assert "the columns are not separated by tabs" in project.fault()


def test_a_table_without_images_is_told(project: Project) -> None:
    project.images = project.images[:1]
    assert "holds no image" in project.fault()


def test_a_hundred_thousand_images_are_read_in_seconds(project: Project) -> None:
    rows = [[f"{i}.jpg", f"s{i // 9}", f"p{i // 99}", "x", "2026-01-01", "1", ""] for i in range(100_000)]
    for row in rows:
        (project.folder / "data" / row[0]).touch()
    project.images = [project.images[0], *rows]
    project.write_tables()
    path = project.write_yaml("config.yaml", project.config)
    start = time.perf_counter()
    study = load_study(project.config, config_files=[path], schemas=SCHEMAS, folder=project.folder)
    # About 2 s on one free core; the bound leaves room for a busy machine and still catches what grows
    # faster than the table.
    assert time.perf_counter() - start < 15
    assert len(study.images) == 100_000


# --- images folder ---------------------------------------------------------------------------------


@pytest.fixture
def folder_project(project: Project) -> Project:
    for name in ("S2/field2.JPG", "S2/field1.jpg", "S1/deep/x.tiff", "S1/note.txt", ".hidden/y.png"):
        project.write(f"pictures/{name}", "")
    project.config["dataset"]["images"] = "pictures"
    return project


def test_a_folder_gives_its_images_sorted_by_their_path_below_it(folder_project: Project) -> None:
    images = folder_project.load().images
    assert [image.image for image in images] == ["S1/deep/x.tiff", "S2/field1.jpg", "S2/field2.JPG"]
    assert [image.slide for image in images] == ["S1/deep/x", "S2/field1", "S2/field2"]
    assert all(image.path == folder_project.folder / "pictures" / image.image for image in images)


def test_a_slide_pattern_finds_the_slide_in_the_path(folder_project: Project) -> None:
    folder_project.config["dataset"]["slide_pattern"] = "^(?P<slide>[^/]+)/"
    assert [image.slide for image in folder_project.load().images] == ["S1", "S2", "S2"]


def test_images_that_a_slide_pattern_does_not_fit_are_told(folder_project: Project) -> None:
    folder_project.config["dataset"]["slide_pattern"] = r"^(?P<slide>S2)/"
    message = folder_project.fault()
    assert "finds no slide in 1 of 3 images: S1/deep/x.tiff" in message


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("(?P<slide>[", "is not a regular expression"), (r"(\w+)/", "has no group (?P<slide>...)")],
)
def test_a_bad_slide_pattern_is_told(folder_project: Project, pattern: str, told: str) -> None:
    folder_project.config["dataset"]["slide_pattern"] = pattern
    message = folder_project.fault()
    assert "key dataset.slide_pattern" in message
    assert told in message


def test_two_images_that_would_be_one_slide_by_accident_are_told(folder_project: Project) -> None:
    folder_project.write("pictures/S2/field1.png", "")
    assert "differ in their suffix only" in folder_project.fault()


def test_a_folder_without_images_is_told(folder_project: Project) -> None:
    (folder_project.folder / "empty").mkdir()
    folder_project.config["dataset"]["images"] = "empty"
    message = folder_project.fault()
    assert "holds no image" in message
    assert ".webp" in message


def test_a_linked_folder_is_followed_and_a_circle_of_links_ends(folder_project: Project) -> None:
    outside = folder_project.write("archive/z.png", "").parent
    pictures = folder_project.folder / "pictures"
    (pictures / "linked").symlink_to(outside)
    (pictures / "circle").symlink_to(pictures)
    names = [image.image for image in folder_project.load().images]
    assert "linked/z.png" in names
    assert not any(name.startswith("circle/") for name in names)


def test_a_folder_knows_no_samples(folder_project: Project) -> None:
    folder_project.config["split"] = {"by": "sample"}
    assert "with a folder of images no sample is known" in folder_project.fault()


def test_a_slide_pattern_beside_a_table_is_told(project: Project) -> None:
    project.config["dataset"]["slide_pattern"] = "(?P<slide>.+)"
    assert "a pattern only serves a folder of images" in project.fault()


# --- files and annotations -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["species.table", "models.table", "dataset.images", "dataset.annotations.path"]
)
def test_a_file_that_is_not_there_is_told_with_its_key(project: Project, key: str) -> None:
    put(project.config, key, "nowhere/file")
    message = project.fault()
    assert f"key {key}: there is no " in message
    assert "'nowhere/file'" in message


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [
        ("coco", None, "there is no path, but the format is coco. Write the path of the JSON file."),
        ("voc", None, "there is no path, but the format is voc. Write the path of the folder"),
        ("voc", "boxes.json", "'boxes.json' is not a folder"),
        ("coco", "data", "'data' is not a file"),
        ("painted", "boxes.json", "is not read, since dataset.annotations.format is painted"),
    ],
)
def test_annotations_must_suit_their_format(project: Project, kind: str, path: str | None, told: str) -> None:
    project.config["dataset"]["annotations"] = {"format": kind, "path": path}
    message = project.fault(painted_folder=project.folder / "painted")
    assert "key dataset.annotations.path" in message
    assert told in message


# --- painted slides --------------------------------------------------------------------------------


@pytest.fixture
def painted_project(project: Project) -> Project:
    project.config["dataset"]["annotations"] = {"format": "painted"}
    project.images[1][0] = "not/there/yet.png"
    return project


def test_painted_images_lie_where_they_will_be_painted(painted_project: Project) -> None:
    study = painted_project.load(painted_folder="results/painted")
    assert study.images[0].path == Path("results/painted/not/there/yet.png")
    assert study.dataset.annotations.path is None


@pytest.mark.parametrize("image", ["/tmp/x.png", "../x.png", "a/../../x.png", "C:/x.png"])
def test_painted_images_stay_in_their_folder(painted_project: Project, image: str) -> None:
    painted_project.images[1][0] = image
    message = painted_project.fault(painted_folder="results/painted")
    assert "row 2, column 'image'" in message
    assert "leads out of the folder" in message


def test_painted_images_need_the_name_of_an_image_file(painted_project: Project) -> None:
    painted_project.images[1][0] = "slide-01"
    assert "Write a path that ends in .jpg" in painted_project.fault(painted_folder="results/painted")


@pytest.mark.parametrize("image", ["a.webp", "a.bmp", "a.svs"])
def test_painted_images_have_a_format_that_is_painted(painted_project: Project, image: str) -> None:
    painted_project.images[1][0] = image
    message = painted_project.fault(painted_folder="results/painted")
    assert image in message
    assert "that can be painted. Write a path that ends in .jpg, .jpeg, .png, .tif or .tiff" in message


@pytest.mark.parametrize(
    ("values", "key", "said"),
    [
        ({"others_name": "beetle"}, "others_name", "'beetle' is not in species.other"),
        (
            {"single_share": 0.5, "specimens_per_image": 1, "other_animals_per_image": 0.2},
            "single_share",
            "0.5 does not go with a mean of 1.2 animals an image",
        ),
        (
            {"single_share": 0.5, "specimens_per_image": 0.5, "other_animals_per_image": 0},
            "single_share",
            "Write means that add up to at least 1.5",
        ),
        ({"touching": 1.5}, "touching", "1.5 is more than 1"),
        ({"um_per_pixel": 0.1}, "um_per_pixel", "0.1 is less than 0.5"),
    ],
)
def test_painted_keys_that_do_not_go_together_are_refused(
    painted_project: Project, values: dict[str, Any], key: str, said: str
) -> None:
    painted_project.config["painted"] = values
    message = painted_project.fault(painted_folder="results/painted")
    assert f"painted.{key}" in message
    assert said in message


def test_other_animals_that_are_known_may_be_marked(painted_project: Project) -> None:
    painted_project.config["painted"] = {"others_name": "mite"}
    painted_project.config["species"]["other"] = ["mite"]
    assert painted_project.load(painted_folder="results/painted").painted.others_name == "mite"


def test_painting_memory_follows_size_and_threads(painted_project: Project) -> None:
    small = painted_project.load(painted_folder="results/painted").painted
    plate = dataclasses.replace(small, width=10_000, height=10_000)
    assert painting_memory_mb(small, 2) < 1500
    assert 1500 < painting_memory_mb(plate, 1) < painting_memory_mb(plate, 2) < 4500


def test_painted_images_need_a_table(painted_project: Project) -> None:
    painted_project.config["dataset"]["images"] = "data"
    assert "painted slides need a table" in painted_project.fault(painted_folder="results/painted")


# --- schemas and shipped files ---------------------------------------------------------------------


def schema_parts(schema: Any) -> list[dict[str, Any]]:
    return [schema] + [
        part for below in schema.get("properties", {}).values() for part in schema_parts(below)
    ]


@pytest.mark.parametrize("name", ["config", "model", "images", "species"])
def test_schemas_are_valid_strict_and_described(name: str) -> None:
    schema = load_schema(SCHEMAS, name)
    Draft202012Validator.check_schema(schema)
    known = set(Draft202012Validator.VALIDATORS) | {
        *("$schema", "title", "description", "default", "examples", "x-allowed"),
    }
    for part in schema_parts(schema):
        assert part["description"].endswith(".")
        assert set(part) <= known | {"then"}
        if part.get("type") == "object":
            assert part["additionalProperties"] is False


def test_defaults_fit_their_schema() -> None:
    for name in ("config", "model"):
        for part in schema_parts(load_schema(SCHEMAS, name)):
            if "default" in part:
                assert structural_faults(part["default"], part, Origins([], {})) == []


def test_schemas_and_tables_know_the_same_columns() -> None:
    for name, table in (("images", IMAGES), ("species", SPECIES)):
        schema = load_schema(SCHEMAS, name)
        assert list(schema["properties"]) == table.names
        needed = [column.name for column in table.columns if not column.optional]
        assert schema["required"] == needed


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (PaintedSettings, "painted"),
        (SearchSettings, "search"),
        (TrainingSettings, "training"),
        (AugmentationSettings, "training.augmentation"),
        (EvaluationSettings, "evaluation"),
    ],
)
def test_settings_have_a_field_for_every_key(settings: Any, key: str) -> None:
    schema = load_schema(SCHEMAS, "config")
    for step in key.split("."):
        schema = schema["properties"][step]
    assert [field.name for field in dataclasses.fields(settings)] == list(schema["properties"])


def test_tiles_of_a_model_are_read_with_their_defaults(project: Project) -> None:
    assert project.load().models[1].tiling is None
    project.models["small"]["tiling"] = {"overlap": 0.1}
    assert "key small.tiling: the key 'size' is missing. Write size: with a whole" in project.fault()
    project.models["small"]["tiling"] = {"size": 1024}
    assert project.load().models[1].tiling == TilingSettings(1024, 0.2, 0.2)


def test_tiles_have_a_field_for_every_key() -> None:
    keys = load_schema(SCHEMAS, "model")["properties"]["tiling"]["properties"]
    assert [field.name for field in dataclasses.fields(TilingSettings)] == list(keys)


def test_a_model_has_a_field_for_every_key_of_its_entry() -> None:
    names = [field.name for field in dataclasses.fields(ModelSpecification)]
    assert names == ["name", *load_schema(SCHEMAS, "model")["properties"]]
    names = [field.name for field in dataclasses.fields(EnsembleSpecification)]
    assert names == ["name", *load_schema(SCHEMAS, "ensemble")["properties"]]


def test_the_shipped_configuration_states_the_defaults() -> None:
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    schema = load_schema(SCHEMAS, "config")
    assert with_defaults(shipped, schema) == shipped, "a key is missing in config.yaml"
    merged = merge(with_defaults({}, schema), {})
    no_default = {"study": 0, "species": {"table": 0, "include": 0}}
    no_default["dataset"] = {"images": 0, "annotations": {"format": 0}}
    assert merge(shipped, no_default) == merge(merged, no_default)


def test_the_demo_study_is_sound(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    models = yaml.safe_load((ROOT / "config" / "models.yaml").read_text())
    for name in ("config.yaml", "models.yaml", "species.tsv", "images.tsv"):
        target = tmp_path / "config" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / "config" / name).read_bytes())
    for entry in models.values():
        if entry["weights"].endswith(".safetensors"):
            (tmp_path / entry["weights"]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / entry["weights"]).touch()
    study = load_study(
        config,
        config_files=[tmp_path / "config" / "config.yaml"],
        schemas=SCHEMAS,
        folder=tmp_path,
        painted_folder=tmp_path / "painted",
    )
    assert study.name == "demo"
    assert len(study.species) == 5


def test_shipped_studies_have_the_right_form() -> None:
    base = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    schema, model_schema = load_schema(SCHEMAS, "config"), load_schema(SCHEMAS, "model")
    for file in map(read_yaml, sorted((ROOT / "config" / "studies").glob("*.yaml"))):
        if "study" not in file.values:  # a models table of a study
            for entry in file.values.values():
                filled = with_defaults(entry, model_schema)
                assert structural_faults(filled, model_schema, Origins([], {})) == []
            continue
        merged = with_defaults(merge(base, file.values), schema)
        assert structural_faults(merged, schema, Origins([file], merged)) == []


def test_the_configuration_does_not_load_heavy_frameworks() -> None:
    code = "import sys, podura.configuration; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "scripts")},
    )
    assert not {"torch", "torchvision", "ultralytics", "cv2", "snakemake"} & set(done.stdout.split())


def test_the_formats_of_the_configuration_are_those_that_can_be_read() -> None:
    from podura.annotations.formats import FORMATS
    from podura.configuration.load import _ANNOTATIONS

    assert {name: known.options for name, known in _ANNOTATIONS.items()} == {
        name: known.options for name, known in FORMATS.items()
    }


@pytest.mark.parametrize(("kind", "option"), [("coco", "columns"), ("csv", "image_key")])
def test_an_option_of_another_format_is_refused(project: Project, kind: str, option: str) -> None:
    values = {"columns": {"image": "file"}, "units": "pixels", "attribute": "species", "image_key": "image"}
    put(project.config, "dataset.annotations.format", kind)
    put(project.config, f"dataset.annotations.{option}", values[option])
    assert f"the format {kind} does not take it" in project.fault()
