"""Weights out of Ultralytics' pickles: what its trainer writes is read whole, and nothing in a file runs."""

from __future__ import annotations

import ast
import builtins
import os
import pickle
import shutil
import subprocess
import zipfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from podura.detectors import ultralytics_checkpoints
from podura.detectors.catalogue import build_detector
from podura.detectors.ultralytics_adapter import DetectionModel, RTDETRDetectionModel, get_cfg
from podura.detectors.ultralytics_checkpoints import read_ultralytics_checkpoint
from podura.errors import UserError
from podura.training.seeds import seed_torch

MODELS = {
    "yolov5n": ("yolov5n.yaml", DetectionModel),
    "yolo12n": ("yolo12n.yaml", DetectionModel),
    "yolo26n": ("yolo26n.yaml", DetectionModel),
    "rtdetr-l": ("rtdetr-l.yaml", RTDETRDetectionModel),
}


def trained(architecture):
    """A model for COCO's classes as it stands in Ultralytics' trainer: with settings, names and a loss."""
    seed_torch(1)
    configuration, kind = MODELS[architecture]
    model = kind(configuration, nc=80, verbose=False)
    model.args, model.nc = get_cfg(), 80
    model.names = {number: f"class {number}" for number in range(80)}
    batch = {
        "img": torch.rand(2, 3, 64, 64),
        "cls": torch.ones(1, 1),
        "bboxes": torch.full((1, 4), 0.5),
        "batch_idx": torch.zeros(1),
    }
    model.loss(batch)[0].sum().backward()
    return model


def save_as_trainer(model, path, *, averaged=True):
    """As ``BaseTrainer.save_model`` writes it, with ``averaged=False`` as ``strip_optimizer`` leaves it."""
    half = deepcopy(model).half()
    half.criterion = None
    torch.save(
        {
            "epoch": 3,
            "best_fitness": np.float64(0.25),
            "model": None if averaged else half,
            "ema": half if averaged else None,
            "updates": 12,
            "train_args": {**vars(model.args), "save_dir": Path("runs/train")},
            "train_metrics": {"metrics/mAP50(B)": np.float32(0.5)},
            "date": "2026-11-25T20:00:00+00:00",
            "version": "8.4.190",
        },
        path,
    )
    return half.float().state_dict()


@pytest.mark.parametrize(
    ("architecture", "averaged"),
    [("yolov5n", True), ("yolov5n", False), ("yolo12n", True), ("yolo26n", False), ("rtdetr-l", True)],
)
def test_a_checkpoint_of_the_trainer_is_read_name_by_name(architecture, averaged, tmp_path):
    expected = save_as_trainer(trained(architecture), tmp_path / "best.pt", averaged=averaged)
    read = read_ultralytics_checkpoint(tmp_path / "best.pt")
    assert list(read) == list(expected)
    for name, tensor in read.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])
        assert tensor.is_contiguous()
        assert not tensor.requires_grad


def test_what_is_read_goes_into_a_detector(tmp_path):
    save_as_trainer(trained("yolo26n"), tmp_path / "yolo26n.pt")
    read = read_ultralytics_checkpoint(tmp_path / "yolo26n.pt")
    detector = build_detector("ultralytics", "yolo26n", ["A", "B"])
    taken = detector.take_pretrained("coco", read)
    own = detector.model.state_dict()
    # Of every level the last layer of its class branch names species: a weight and a bias.
    assert taken == len(own) - 2 * 3
    # The branch that is not built leaves its tensors over, and nothing else is left.
    assert {name.split(".")[2] for name in read if name not in own} == {"one2one_cv2", "one2one_cv3"}


class Runs:
    """Runs a function when it is unpickled in the usual way."""

    def __init__(self, function, *given):
        self.function, self.given = function, given

    def __reduce__(self):
        return self.function, self.given


def malicious(marker):
    return {
        "posix.system": Runs(os.system, f"touch {marker}"),
        "builtins.eval": Runs(eval, f"open({str(marker)!r}, 'w')"),
        "builtins.exec": Runs(exec, f"open({str(marker)!r}, 'w')"),
        "builtins.getattr": Runs(getattr, "text", "upper"),
        "subprocess.Popen": Runs(subprocess.Popen, ["touch", str(marker)]),
        "shutil.rmtree": Runs(shutil.rmtree, str(marker.parent)),
        "torch.hub._download": Runs(torch.hub.load_state_dict_from_url, "http://127.0.0.1:9/x"),
    }


@pytest.mark.parametrize("place", ["whole", "ema", "inside the model", "beside the model"])
@pytest.mark.parametrize("name", malicious(Path("x")))
def test_a_file_that_names_what_no_checkpoint_needs_is_refused_by_that_name(name, place, tmp_path):
    marker, path = tmp_path / "kept" / "ran", tmp_path / "evil.pt"
    marker.parent.mkdir()
    evil = malicious(marker)[name]
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
    if place == "inside the model":
        model[0].extra = evil
    held = {
        "whole": evil,
        "ema": {"ema": evil},
        "inside the model": {"ema": model},
        "beside the model": {"ema": model, "train_args": [evil]},
    }[place]
    torch.save(held, path)
    named = "load_state_dict_from_url" if name.startswith("torch") else name.split(".")[1]
    with pytest.raises(UserError, match=named):
        read_ultralytics_checkpoint(path)
    assert list(marker.parent.iterdir()) == []
    assert marker.parent.is_dir()


def test_a_name_under_ultralytics_or_torch_is_never_called(tmp_path):
    """Functions of known modules get a stand-in too: calling it does nothing."""
    target = tmp_path / "written.yaml"
    with zipfile.ZipFile(save_empty(tmp_path / "x.pt")) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    # {"ema": ultralytics.utils.YAML.save(target)} by hand, since the name is of a method.
    text = str(target).encode()
    program = b"\x80\x02}X\x03\x00\x00\x00emacultralytics.utils\nYAML.save\n"
    program += b"X" + len(text).to_bytes(4, "little") + text + b"\x85Rs."
    with zipfile.ZipFile(tmp_path / "y.pt", "w") as archive:
        for name, content in inside.items():
            archive.writestr(name, program if name.endswith("data.pkl") else content)
    with pytest.raises(UserError, match="holds no model"):
        read_ultralytics_checkpoint(tmp_path / "y.pt")
    assert not target.exists()


def save_empty(path):
    torch.save({"ema": None}, path)
    return path


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"ema": None, "model": None},
        [1],
        {"model": {"a": torch.zeros(2)}},
        {"ema": torch.nn.Sequential()},
        5,
    ],
    ids=str,
)
def test_a_file_without_a_model_says_what_to_give(held, tmp_path):
    torch.save(held, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"holds no model.*\.pt.*safetensors"):
        read_ultralytics_checkpoint(tmp_path / "x.pt")


def test_a_model_that_holds_itself_or_has_no_end_is_refused(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(1, 1))
    model._modules["again"] = model
    deep = torch.nn.Sequential()
    for _ in range(150):
        deep = torch.nn.Sequential(deep)
    for number, held in enumerate((model, deep)):
        torch.save({"ema": held}, tmp_path / f"{number}.pt")
        with pytest.raises(UserError, match="without an end"):
            read_ultralytics_checkpoint(tmp_path / f"{number}.pt")


def test_buffers_that_are_not_saved_and_odd_entries_are_left_out(tmp_path):
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    model[0].register_buffer("grid", torch.zeros(3), persistent=False)
    model[0]._buffers["text"] = "no tensor"
    torch.save({"model": model}, tmp_path / "x.pt")
    read = read_ultralytics_checkpoint(tmp_path / "x.pt")
    assert list(read) == ["0.weight", "0.bias", "0.running_mean", "0.running_var", "0.num_batches_tracked"]
    assert read["0.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_broken_file_is_refused_and_no_traceback(share, tmp_path):
    whole = tmp_path / "whole.pt"
    torch.save({"ema": torch.nn.Sequential(torch.nn.Conv2d(3, 40, 3))}, whole)
    content = whole.read_bytes()
    (tmp_path / "x.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"x\.pt.*Fetch the file again"):
        read_ultralytics_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "content",
    [pickle.dumps([Runs(print, "ran")]), b"<html>404</html>", np.random.default_rng(0).bytes(99)],
    ids=["pickle", "page", "noise"],
)
def test_other_files_are_refused(content, tmp_path, monkeypatch):
    monkeypatch.setattr(builtins, "print", lambda *_: pytest.fail("the file was run"))
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.pt"):
        read_ultralytics_checkpoint(tmp_path / "x.pt")
    with pytest.raises(UserError, match="no such weights file"):
        read_ultralytics_checkpoint(tmp_path / "absent.pt")


def test_the_reader_knows_pytorch_alone():
    tree = ast.parse(Path(ultralytics_checkpoints.__file__).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not any(str(module).startswith("ultralytics") for module in modules)
