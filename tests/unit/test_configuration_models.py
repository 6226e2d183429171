"""Species, models, searches and ensembles of a study, and what is told where they are at fault."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from configuration_data import MODEL, Project, put
from podura.configuration.study import (
    EnsembleSpecification,
)
from podura.tables import ALL_SEEDS

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"


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
