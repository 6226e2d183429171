"""Folds that cannot be had are refused before any job, by key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from configuration_data import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.images = [
        ["image", "slide", "site", "part"],
        ["a1.jpg", "A", "meadow", ""],
        ["a2.jpg", "A", "meadow", ""],
        ["b1.jpg", "B", "field", ""],
    ]
    return made


def test_without_folds_there_are_none(project):
    study = project.load()
    assert study.folds == ()
    assert study.split.others_by == "slide"


def test_folds_are_numbered_from_one(project):
    project.config["split"] = {"folds": 2}
    assert project.load().folds == (1, 2)


@pytest.mark.parametrize(("by", "count"), [("slide", 2), ("site", 2)])
def test_each_makes_a_fold_of_every_group(project, by, count):
    project.config["split"] = {"by": by, "folds": "each", "others_by": "slide"}
    assert project.load().folds == tuple(range(1, count + 1))


@pytest.mark.parametrize(
    ("split", "key", "said"),
    [
        ({"folds": 1}, "split.folds", "1 is less than 2. Write a whole number at least 2, each, or null."),
        ({"folds": "all"}, "split.folds", "Write a whole number at least 2, each, or null."),
        ({"folds": 2.5}, "split.folds", "Write a whole number at least 2, each, or null."),
        ({"folds": 3}, "split.folds", "3 folds are more than the 2 slides of the study"),
        ({"others_by": "slide"}, "split.others_by", "it only serves folds"),
        ({"folds": 2, "others_by": "sample"}, "split.others_by", "not every image has a sample"),
    ],
)
def test_folds_that_cannot_be_are_refused(project, split, key, said):
    project.config["split"] = split
    (message,) = project.faults()
    assert f"key {key}: " in message
    assert said in message


def test_fixed_parts_and_folds_exclude_each_other(project):
    project.images[1][3] = project.images[2][3] = "test"
    project.config["split"] = {"folds": 2}
    (message,) = project.faults()
    assert "fixes the part of 2 images: a1.jpg and a2.jpg" in message


def test_one_site_cannot_be_left_out(project):
    project.images[3][2] = "meadow"
    project.config["split"] = {"by": "site", "folds": "each", "others_by": "slide"}
    (message,) = project.faults()
    assert "the study has one site" in message
