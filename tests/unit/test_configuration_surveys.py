"""The keys release, surveys and survey: what a run surveys, with which detector, and what it is told."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from configuration_data import Project, put
from podura.configuration.surveys import named_survey, part_of, release_of, survey_from_json
from podura.errors import UserError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("meadow/a.jpg", "")
    return made


def test_by_default_the_winner_is_released_and_nothing_is_surveyed(project: Project) -> None:
    study = project.load()
    assert (study.release.model, study.release.seeds, study.release.folder) == ("winner", "best", None)
    assert study.surveys == ()


def test_an_entry_has_its_defaults_and_its_paths_from_the_folder_of_the_run(project: Project) -> None:
    project.config["surveys"] = {"meadow": {"images": "meadow", "review": {"random": 30}}}
    (survey,) = project.load().surveys
    assert survey.name == "meadow"
    assert survey.images == project.folder / "meadow"
    assert (survey.review.random, survey.review.targeted) == (30, 100)
    assert survey.confidence == 0.95


def test_settings_survive_json_on_a_command_line(project: Project) -> None:
    entry = {"images": "meadow", "painted": {"unlike": ["quarry"]}, "release": "meadow", "samples": "s.tsv"}
    project.config["surveys"] = {"meadow": entry}
    (survey,) = project.load().surveys
    assert survey_from_json(json.loads(json.dumps(asdict(survey), default=str))) == survey


def test_a_rule_sees_only_the_keys_that_it_depends_on(project: Project) -> None:
    def seen(**entry: Any) -> dict[str, Any]:
        project.config["surveys"] = {"meadow": {"images": "meadow", **entry}}
        return part_of(project.load().surveys[0], ("images", "painted"))

    assert seen() == seen(confidence=0.8, wished_width=0.1, review={"random": 1})
    assert seen() != seen(painted={"seed": 4})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("New Samples/2026", "2026"),
        ("data/Müller Wiese/images.tsv", "m_ller_wiese"),
        ("lists/heath.tsv", "heath"),
        ("meadow/images", "meadow"),
        ("..", "survey"),
        ("x" * 90, "x" * 60),
    ],
)
def test_a_survey_of_the_command_line_is_called_after_its_folder(given: str, name: str) -> None:
    assert named_survey({"survey": given, "surveys": {}}) == (name, given)


def test_the_survey_of_the_command_line_is_the_only_one(project: Project) -> None:
    project.config["surveys"] = {"old": {"images": "old"}}
    project.command_line["survey"] = "meadow"
    (survey,) = project.load().surveys
    assert (survey.name, survey.images) == ("meadow", project.folder / "meadow")
    project.command_line["survey"] = "old"
    (survey,) = project.load().surveys
    assert (survey.name, survey.images) == ("old", project.folder / "old")


def test_a_folder_that_would_be_called_as_an_entry_is_told(project: Project) -> None:
    project.config["surveys"] = {"meadow": {"images": "old"}}
    project.command_line["survey"] = "./meadow/"
    assert "Write survey=meadow for that entry, or rename it" in project.fault()


FAULTS = [
    ("release.model", "fastr", "Is 'faster' meant?"),
    ("release.model", 3, "YAML does not read 3 as text"),
    ("release.seeds", "worst", "Write best or all"),
    ("release", "nowhere", "there is no folder 'nowhere'"),
    ("release", [], "Write the keys model and seeds"),
    ("surveys.meadow", {}, "the key 'images' is missing"),
    ("surveys.meadow", {"images": "meadow", "imges": 1}, "there is no such key"),
    ("surveys.meadow", {"images": "meadow", "sample_pattern": "("}, "is not a regular expression"),
    ("surveys.meadow", {"images": "meadow", "sample_pattern": "(.*)/"}, "has no group (?P<sample>...)"),
    ("surveys.meadow", {"images": "meadow", "release": "nowhere"}, "there is no folder 'nowhere'"),
    ("surveys.meadow", {"images": "meadow", "decisions": ["gone.json"]}, "there is no file 'gone.json'"),
    ("surveys.meadow", {"images": "meadow", "confidence": 1}, "1 is not below 1"),
    ("surveys.meadow", {"images": "meadow", "ladder": {"overlap": 0}}, "0 is not above 0"),
    ("surveys.Meadow 1", {"images": "meadow"}, "small letters"),
    ("surveys", ["meadow"], "a mapping such as"),
]


@pytest.mark.parametrize(("key", "value", "said"), FAULTS)
def test_a_fault_is_told_with_its_line_and_what_to_write(
    project: Project, key: str, value: Any, said: str
) -> None:
    put(project.config, key, value)
    fault = project.fault()
    assert said in fault
    assert "config.yaml, line " in fault


def test_a_release_from_elsewhere_needs_no_data_of_the_study(project: Project) -> None:
    project.write("elsewhere/detector.json", "{}")
    project.load()
    (project.folder / "boxes.json").unlink()
    project.config["dataset"]["images"] = "gone/images.tsv"
    assert len(project.faults()) == 2
    project.config["release"] = "elsewhere"
    study = project.load()
    assert study.images == ()
    assert study.release.folder == project.folder / "elsewhere"


def test_a_folder_that_is_no_release_is_told_once_a_survey_needs_it(project: Project) -> None:
    project.write("elsewhere/release/detector.json", "{}")
    project.write("meadow/readme.txt", "")
    project.config["surveys"] = {"meadow": {"images": "meadow", "release": "elsewhere"}}
    study = project.load()
    with pytest.raises(UserError, match=r"no detector\.json in it\. Give the folder 'release'"):
        release_of(study.surveys[0], study.release)
    project.config["surveys"]["meadow"]["release"] = "elsewhere/release"
    study = project.load()
    assert release_of(study.surveys[0], study.release) == project.folder / "elsewhere/release"
    project.config["surveys"]["meadow"]["release"] = None
    study = project.load()
    assert release_of(study.surveys[0], study.release) is None, "the study's own"
