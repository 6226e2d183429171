"""Published weights in the workflow: fetched once by a rule, from a mirror on the loopback interface."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from podura.detectors.weights import load_tensors
from weight_server import Answer, Server, weight_server
from workflow.conftest import copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow

STUDY = "coco.yaml"
#: The model's published file; its entry of sources.yaml is changed to be that of a file made here.
NAME = "yolov5nu"
KEPT = Path("resources/weights", f"{NAME}.safetensors")


def checkpoint() -> tuple[bytes, dict[str, torch.Tensor]]:
    """A file as Ultralytics publishes it, of a model with COCO's eighty classes, in half precision."""
    importlib.import_module("podura.detectors.ultralytics_adapter")  # which keeps Ultralytics quiet
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(80)
    model = DetectionModel("yolov5n.yaml", nc=80, verbose=False).half()
    buffer = io.BytesIO()
    torch.save({"epoch": -1, "model": model, "ema": None, "train_args": {"imgsz": 640}}, buffer)
    return buffer.getvalue(), {name: tensor.float() for name, tensor in model.state_dict().items()}


@pytest.fixture(scope="module")
def published() -> tuple[bytes, dict[str, torch.Tensor]]:
    return checkpoint()


@pytest.fixture
def server(published, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in [name for name in os.environ if name.casefold().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with weight_server() as running:
        running.files[f"/{NAME}.pt"] = published[0]
        yield running


@pytest.fixture
def folder(server: Server, published, tmp_path: Path) -> Path:
    copy = copy_repository(tmp_path)
    for file in (copy / "resources/weights").glob(f"{NAME}*"):
        file.unlink()
    list_ = copy / "resources/weights/sources.yaml"
    sources = yaml.safe_load(list_.read_text(encoding="utf-8"))
    sources["files"][NAME] |= {
        "sha256": hashlib.sha256(published[0]).hexdigest(),
        "bytes": len(published[0]),
    }
    list_.write_text(yaml.safe_dump(sources), encoding="utf-8")
    study = yaml.safe_load((copy / "tests/studies/tiny.yaml").read_text(encoding="utf-8"))
    models = yaml.safe_load((copy / "tests/studies/tiny_models.yaml").read_text(encoding="utf-8"))
    models["yolov5n"]["weights"] = "coco"
    study["models"]["table"] = "coco_models.yaml"
    study["weights"] = {"mirror": server.address}
    (copy / "coco_models.yaml").write_text(yaml.safe_dump(models), encoding="utf-8")
    (copy / STUDY).write_text(yaml.safe_dump(study), encoding="utf-8")
    return copy


def test_weights_are_fetched_once_for_all_seeds_and_by_a_target_of_their_own(
    folder, server, published
) -> None:
    jobs = planned(folder, config=STUDY)
    assert jobs["fetch"] == 1
    assert jobs["train"] == 4
    # Those of the other model come with a package.
    assert planned(folder, "fetch_weights", config=STUDY) == {"fetch": 1, "fetch_weights": 1}

    snakemake(folder, "fetch_weights", "--configfile", STUDY)
    tensors = load_tensors(folder / KEPT)
    assert tensors.keys() == published[1].keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in published[1].items())
    facts = json.loads((folder / KEPT).with_suffix(".json").read_text())
    assert facts["source"] == f"{server.address}/{NAME}.pt"
    assert not (folder / "results/tiny/painted").exists()

    # Now neither a network nor anything else is needed for them, whatever is touched.
    assert planned(folder, "fetch_weights", config=STUDY) in ({}, {"fetch_weights": 1})
    time.sleep(0.01)
    os.utime(folder / KEPT)
    offline = ("--config", "weights={offline: true, mirror: null}")
    assert "fetch" not in planned(folder, *offline, config=STUDY)
    assert planned(folder, *offline, config=STUDY)["train"] == 4
    assert len(server.asked) == 1

    # Weights that are there are checked when the rule runs all the same, not fetched anew.
    snakemake(folder, "fetch_weights", "--forceall", "--configfile", STUDY)
    assert len(server.asked) == 1
    assert (folder / KEPT).is_file()


def test_a_training_starts_from_them_says_so_and_is_not_repeated_for_them(folder, server) -> None:
    run = "results/tiny/models/yolov5n/seed-1"
    snakemake(folder, f"{run}/model.json", "--configfile", STUDY)
    facts = json.loads((folder / run / "model.json").read_text())
    assert re.fullmatch(
        rf"COCO weights: 421 of 427 tensors from {NAME}\.safetensors; random: model\.model\.\*\.cv3\.\*\.\*",
        facts["start"],
    )
    time.sleep(0.01)
    os.utime(folder / KEPT)
    (folder / KEPT).with_suffix(".json").touch()
    assert "train" not in planned(folder, f"{run}/model.json", config=STUDY)


def test_an_offline_study_without_its_weights_is_refused_before_any_job(folder, server) -> None:
    text = (folder / STUDY).read_text(encoding="utf-8")
    (folder / STUDY).write_text(text.replace("mirror:", "offline: true\n  mirror:"), encoding="utf-8")
    printed = snakemake(folder, "--configfile", STUDY, check=False)
    assert "key weights.offline: nothing may be fetched" in printed
    assert f"resources/weights/{NAME}.pt" in printed
    assert "Traceback" not in printed
    assert "Job stats" not in printed
    assert server.asked == []


def test_a_run_stops_before_anything_is_trained_where_weights_cannot_be_had(
    folder, server, published
) -> None:
    content = bytearray(published[0])
    content[-1000] ^= 1
    server.files[f"/{NAME}.pt"] = bytes(content)
    printed = snakemake(folder, "--configfile", STUDY, check=False)
    assert "is not used" in printed
    assert "Traceback" not in printed
    assert not (folder / KEPT).exists()
    assert not (folder / "results/tiny/models").exists()
    # A server that breaks off and then mends itself is no reason to stop.
    server.files[f"/{NAME}.pt"] = published[0]
    server.answers[f"/{NAME}.pt"] = [Answer(cut_after=100_000)]
    snakemake(folder, "fetch_weights", "--configfile", STUDY)
    assert (folder / KEPT).is_file()
    assert server.ranges_of(f"/{NAME}.pt")[-1] == "bytes=100000-"


def test_fetched_weights_serve_on_another_machine(folder, server, tmp_path_factory) -> None:
    snakemake(folder, "fetch_weights", "--configfile", STUDY)
    kept = tmp_path_factory.mktemp("other")
    for file in (folder / "resources/weights").glob(f"{NAME}*"):
        shutil.copy(file, kept)  # without Snakemake's notes on them
    changed = ("--config", f"weights={{offline: true, mirror: null, folder: {kept}}}")
    assert "fetch" not in planned(folder, *changed, config=STUDY)
