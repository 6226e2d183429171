"""One training, by Podura's loop or by ``yolo train``, in a process of its own; see yolo_train.py.

    python tests/benchmarks/yolo_train_sides.py podura|ultralytics job.json

The job names the data set, the starting weights, sizes and seed; what was measured is written to
``result.json`` in the job's folder, the chosen weights to ``weights.safetensors``.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from yolo_train_data import ROOT, DataSet

from podura.configuration.study import AugmentationSettings, OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.inference import detect_files
from podura.detectors.ultralytics_checkpoints import read_ultralytics_checkpoint
from podura.detectors.weights import load_tensors, save_tensors
from podura.evaluation.validation import validation_score
from podura.tables import DETECTIONS
from podura.training.loop import LoopSettings, Training
from podura.training.samples import TrainingSamples
from podura.training.seeds import be_deterministic

CPU = torch.device("cpu")


class Epochs:
    """Images per second from the start of one epoch to that of the next, with all that is done between.

    By the clock, and of processor time of this process.
    """

    def __init__(self, images: int) -> None:
        self.images = images
        self.measured: list[tuple[float, float]] = []
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        now = time.perf_counter(), time.process_time()
        if self._began is not None:
            wall, processor = (then - before for then, before in zip(now, self._began, strict=True))
            self.measured.append((self.images / wall, self.images / processor))
        self._began = now


def podura(job: dict[str, Any], data: DataSet) -> dict[str, Any]:
    """Our loop with the settings of ``config/models.yaml`` and the augmentation of ``config/config.yaml``."""
    entry = yaml.safe_load((ROOT / "config" / "models.yaml").read_text())["yolov5n"]
    training = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["training"]
    optimiser = replace(OptimiserSettings(**entry["optimiser"]), **job["optimiser"])
    be_deterministic(CPU, job["threads"])
    detector = build_detector("ultralytics", "yolov5n", data.species)
    detector.load_state_dict(load_tensors(job["start"]))
    truth, files = data.truth("val"), [(i.name, data.path("val", i), i.name) for i in data.parts["val"]]

    epochs = Epochs(len(data.parts["train"]) // job["batch"] * job["batch"])

    def validate(averaged: Any) -> tuple[float, float]:
        epochs.start()
        if not job["validate"]:
            return float("nan"), float("nan")
        run = detect_files(averaged, files, device=CPU, **job["terms"])
        slides = {name: slide for name, _, slide in files}
        return validation_score(truth, DETECTIONS.frame(run.rows), images=slides, species=data.species)

    folder = Path(job["folder"])
    workers = {"workers": job["workers"]} if job["workers"] else {}
    epochs.start()
    trained = Training(
        detector,
        TrainingSamples(
            data.labelled("train"),
            image_size=job["terms"]["image_size"],
            batch_size=job["batch"],
            augmentation=AugmentationSettings(**training["augmentation"]),
            seed=job["seed"],
        ),
        validate,
        LoopSettings(
            epochs=job["epochs"],
            optimiser=optimiser,
            average_decay=job["average_decay"] or entry["average_decay"],
            seed=job["seed"],
            device=CPU,
            checkpoint_seconds=training["checkpoint_seconds"],
            **workers,
        ),
        checkpoint=folder / "checkpoint.safetensors",
        identity="benchmark",
    ).run()
    save_tensors(trained.state, folder / "weights.safetensors")
    return {
        "epochs": epochs.measured,
        "losses": [row["loss"] for row in trained.history],
        "validation": [row["validation_map50_95"] for row in trained.history],
    }


def ultralytics(job: dict[str, Any], data: DataSet) -> dict[str, Any]:
    """``yolo train`` with its own defaults but those that must be equal, and its own choice of weights."""
    folder = Path(job["folder"])
    os.environ |= {"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils import USER_CONFIG_DIR

    (USER_CONFIG_DIR / "Arial.ttf").touch()  # it would be downloaded, though nothing is drawn here
    model = DetectionModel("yolov5n.yaml", nc=len(data.species), verbose=False)
    start = load_tensors(job["start"])
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in start.items()})
    model.names = dict(enumerate(data.species))
    torch.save({"model": model, "train_args": {}}, folder / "start.pt")

    epochs = Epochs(len(data.parts["train"]))

    def start_epoch(_trainer: Any) -> None:
        torch.set_num_threads(job["threads"])  # its choice of a device has set another number
        epochs.start()

    yolo = YOLO(folder / "start.pt")
    yolo.add_callback("on_train_epoch_start", start_epoch)
    yolo.train(
        data=str(data.folder / "data.yaml"),
        epochs=job["epochs"],
        batch=job["batch"],
        imgsz=job["terms"]["image_size"],
        seed=job["seed"],
        workers=job["workers"],
        cache="ram",  # as Podura keeps resized images
        val=job["validate"],
        device="cpu",
        amp=False,
        plots=False,
        verbose=False,
        project=str(folder),
        name="run",
        exist_ok=True,
    )
    best = read_ultralytics_checkpoint(folder / "run" / "weights" / "best.pt")
    save_tensors({f"model.{name}": tensor for name, tensor in best.items()}, folder / "weights.safetensors")
    # For comparison only: by its own measure, on the part that it chooses by.
    return {"epochs": epochs.measured, "own_validation": [yolo.metrics.box.map50, yolo.metrics.box.map]}


def close_the_network() -> None:
    """Make every attempt to reach another machine an error that ends the benchmark."""

    def refuse(*given: Any, **_named: Any) -> None:
        raise SystemExit(f"a connection was tried: {given}")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = refuse


def tested(job: dict[str, Any], data: DataSet) -> tuple[float, float]:
    """(mAP50, mAP50:95) of the chosen weights on the test part, by Podura's detection and evaluator."""
    detector = build_detector("ultralytics", "yolov5n", data.species)
    detector.load_state_dict(load_tensors(Path(job["folder"]) / "weights.safetensors"))
    files = [(image.name, data.path("test", image), image.name) for image in data.parts["test"]]
    run = detect_files(detector, files, device=CPU, **job["terms"])
    slides = {name: slide for name, _, slide in files}
    return validation_score(
        data.truth("test"), DETECTIONS.frame(run.rows), images=slides, species=data.species
    )


def main(side: str, file: str) -> None:
    job = json.loads(Path(file).read_text())
    data = DataSet.load(Path(job["data"]))
    close_the_network()
    result = {"podura": podura, "ultralytics": ultralytics}[side](job, data)
    result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    if job["validate"]:
        result["map50"], result["map50_95"] = tested(job, data)
    (Path(job["folder"]) / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
