"""Published weights in a study: what cannot be had is refused before any job, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from configuration_data import MODEL, Project

#: An architecture with one file for COCO, and the file.
YOLO = {**MODEL, "adapter": "ultralytics", "architecture": "yolov5n", "weights": "coco"}
ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.4.0/yolov5nu.pt"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.models = {"faster": {**MODEL, "weights": "imagenet"}, "small": YOLO}
    return made


def test_a_study_knows_the_file_of_each_model_that_starts_from_one(project: Project) -> None:
    project.models["small2"] = YOLO
    project.config["models"]["include"] = ["faster", "small", "small2"]
    study = project.load()
    # Those of the first come with a package.
    assert list(study.pretrained) == ["small", "small2"]
    assert study.pretrained["small"] == study.pretrained["small2"]
    assert study.pretrained["small"].url == ADDRESS
    assert study.weights.folder == project.folder / "resources" / "weights"
    assert study.weights.mirror is None
    assert not study.weights.offline


def test_a_model_that_is_not_included_needs_no_weights(project: Project) -> None:
    project.config["models"]["include"] = ["faster"]
    project.config["weights"] = {"offline": True}
    assert project.load().pretrained == {}


def test_weights_that_nobody_publishes_are_refused_in_every_entry(project: Project) -> None:
    project.config["models"]["include"] = ["faster"]
    project.models["small"] = {**YOLO, "weights": "imagenet"}
    message = project.fault()
    assert "key small.weights: there are no imagenet weights of yolov5n." in message
    assert "Write coco, none or the path of a .safetensors file." in message


def test_an_offline_study_without_its_weights_is_refused_with_all_that_one_needs(project: Project) -> None:
    project.config["weights"] = {"offline": True, "folder": "kept"}
    message = project.fault()
    assert "key weights.offline: " in message
    for said in ("small", ADDRESS, str(project.folder / "kept" / "yolov5nu.pt"), "fetch_weights", "by hand"):
        assert said in message


@pytest.mark.parametrize("there", ["kept/yolov5nu.safetensors", "kept/yolov5nu.pt", "mirror/yolov5nu.pt"])
def test_an_offline_study_runs_with_what_was_fetched_or_put_there(project: Project, there: str) -> None:
    project.write("mirror/readme", "")
    project.config["weights"] = {"offline": True, "folder": "kept", "mirror": "mirror"}
    assert "nothing may be fetched" in project.fault()
    project.write(there, "")
    assert set(project.load().pretrained) == {"small"}


@pytest.mark.parametrize("mirror", ["https://mirror.example.org/weights", "http://127.0.0.1:8000", "folder"])
def test_a_mirror_is_an_address_or_a_folder(project: Project, mirror: str) -> None:
    project.write("folder/readme", "")
    project.config["weights"] = {"mirror": mirror}
    given = project.load().weights.mirror
    assert given == (str(project.folder / "folder") if mirror == "folder" else mirror)


@pytest.mark.parametrize(
    ("mirror", "told"),
    [
        ("absent", "there is no folder 'absent'. Write the path of a folder, or an address"),
        ("ftp://mirror.example.org", "is no address. Write one that begins with https:// or http://"),
        ("file:///srv/weights", "is no address"),
        ("https://", "is no address"),
        ("https://me:secret@mirror.example.org", "must hold no password"),
        (3, "put it in quotes"),
    ],
)
def test_any_other_mirror_is_refused(project: Project, mirror: object, told: str) -> None:
    project.config["weights"] = {"mirror": mirror}
    message = project.fault()
    assert "key weights.mirror: " in message
    assert told in message
    assert "secret" not in message
