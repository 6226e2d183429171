"""A study as it is written, and what is told where keys and values are at fault."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configuration_data import MODEL, Project, merge, put
from podura.configuration import load_study
from podura.configuration.sources import read_yaml
from podura.configuration.study import (
    OptimiserSettings,
)
from podura.errors import UserError, UserErrors

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"


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
