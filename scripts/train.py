"""Train one model with one seed: weights.safetensors, model.json, history.csv."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.configuration.study import (
    AugmentationSettings,
    ModelSpecification,
    OptimiserSettings,
    TrainingSettings,
)
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Detector
from podura.detectors.inference import detect_files
from podura.detectors.weights import choose_device, initialise, save_model
from podura.errors import UserError
from podura.evaluation.validation import validation_score
from podura.fingerprints import file_digest
from podura.provenance import machine, versions
from podura.tables import BOX_COLUMNS, DETECTIONS, HISTORY, PART_IMAGES, read_json
from podura.training.loop import LoopSettings, Training, TrainingStopped, Validation
from podura.training.samples import LabelledImage, TrainingSamples
from podura.training.seeds import be_deterministic, seed_torch

log = logging.getLogger("train")


def labelled_images(truth: Path, images: Path, species: list[str]) -> list[LabelledImage]:
    """Read a part's images with their boxes; ignored specimens are left out of training."""
    frame = truth_frame(read_json(truth))
    frame = frame[~frame["ignore"]]
    by_image = dict(tuple(frame.groupby("image")))
    index = {code: number for number, code in enumerate(species)}
    labelled = []
    for row in PART_IMAGES.read_csv(images).itertuples():
        boxes = by_image.get(row.image, frame.iloc[:0])
        labelled.append(
            LabelledImage(
                row.image,
                Path(row.path),
                boxes[list(BOX_COLUMNS)].to_numpy(np.float64),
                boxes["species"].map(index).to_numpy(np.int64),
            )
        )
    return labelled


def validation_on(
    truth: Path, images: Path, species: list[str], model: ModelSpecification, evaluation: dict
) -> Validation:
    """Return the function that scores a detector on the validation part, on the benchmark's own terms."""
    truths = truth_frame(read_json(truth))
    rows = PART_IMAGES.read_csv(images)
    slides = dict(zip(rows["image"], rows["slide"], strict=True))
    files = [(row.image, Path(row.path), row.slide) for row in rows.itertuples()]

    def validate(detector: Detector) -> tuple[float, float]:
        run = detect_files(
            detector,
            files,
            image_size=model.image_size,
            score_floor=evaluation["score_floor"],
            max_detections=evaluation["max_detections"],
            device=next(detector.parameters()).device,
        )
        return validation_score(truths, DETECTIONS.frame(run.rows), images=slides, species=species)

    return validate


def checkpoint_seconds(config: Path) -> float:
    """Read how often to save from the run's configuration: a parameter of the rule would retrain."""
    return float(yaml.safe_load(config.read_text(encoding="utf-8"))["training"]["checkpoint_seconds"])


def main(arguments: argparse.Namespace) -> None:
    given = json.loads(arguments.model)
    model = ModelSpecification(**{**given, "optimiser": OptimiserSettings(**given["optimiser"])})
    given = json.loads(arguments.training)
    training = TrainingSettings(
        **{
            **given,
            "augmentation": AugmentationSettings(**given["augmentation"]),
            "checkpoint_seconds": checkpoint_seconds(arguments.config),
        }
    )
    evaluation, species = json.loads(arguments.evaluation), json.loads(arguments.species)

    device = choose_device(training.device)
    determinism = be_deterministic(device, training.threads)
    seed_torch(arguments.seed, "weights")
    detector = build_detector(model.adapter, model.architecture, species)
    start = initialise(detector, model.weights)
    log.info("%s, seed %d: %s, %s", model.name, arguments.seed, start, determinism)

    images = labelled_images(arguments.train_truth, arguments.train_images, species)
    absent = sorted(set(range(len(species))) - {int(label) for i in images for label in i.labels})
    if absent:
        names = ", ".join(species[number] for number in absent)
        raise UserError(
            f"No training slide shows {names}: it cannot be learnt. Add slides with it, or leave it out "
            "of species.include."
        )
    loop = Training(
        detector,
        TrainingSamples(
            images,
            image_size=model.image_size,
            batch_size=model.batch_size,
            augmentation=training.augmentation,
            seed=arguments.seed,
        ),
        validation_on(arguments.validation_truth, arguments.validation_images, species, model, evaluation),
        LoopSettings(
            epochs=model.epochs,
            optimiser=model.optimiser,
            average_decay=model.average_decay,
            seed=arguments.seed,
            device=device,
            checkpoint_seconds=training.checkpoint_seconds,
        ),
        checkpoint=arguments.output / ".checkpoint" / "state.safetensors",
        identity=identity(arguments),
        should_stop=jobs.stop_request(),
    )
    try:
        trained = loop.run()
    except TrainingStopped as stopped:
        log.warning("%s; the next run continues from there.", stopped)
        sys.exit(130)
    except FloatingPointError as error:
        raise UserError(f"{model.name}, seed {arguments.seed}: {error}.") from error

    HISTORY.write_csv(pd.DataFrame(trained.history), arguments.output / "history.csv")
    facts = {
        "model": model.name,
        "seed": arguments.seed,
        "fold": arguments.fold,
        "adapter": model.adapter,
        "architecture": model.architecture,
        "image_size": model.image_size,
        "species": species,
        "start": start,
        "parameters": detector.parameter_count,
        "best_epoch": trained.best_epoch,
        "epochs": model.epochs,
        "steps": trained.steps,
        "training_images": len(images),
        "determinism": determinism,
        "device": str(device),
        "training_seconds": trained.seconds,
        "peak_memory_mb": trained.peak_memory_mb,
        "versions": versions(["torch", "torchvision", "ultralytics", "transformers", "timm", "numpy"]),
        "machine": machine(),
    }
    save_model(trained.state, facts, arguments.output)
    shutil.rmtree(arguments.output / ".checkpoint", ignore_errors=True)
    log.info("Kept the weights of epoch %d; %.0f s in all.", trained.best_epoch, trained.seconds)


def identity(arguments: argparse.Namespace) -> str:
    """Digest of all that decides the course of this training, so that no other one continues it."""
    files = [arguments.train_truth, arguments.train_images, arguments.validation_truth]
    parts = [arguments.model, arguments.training, arguments.evaluation, arguments.species, arguments.code]
    text = "\0".join([*parts, str(arguments.seed), *(file_digest(file) for file in files)])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True, help="entry of models.yaml as JSON, with its name")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--fold", type=int, default=0, help="number of the fold; 0 where there are none")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--training", required=True, help="section 'training' of the configuration as JSON")
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument("--evaluation", required=True, help="score floor and cap as JSON")
    parser.add_argument("--code", default="", help="digest of the code that trains")
    for part in ("train", "validation"):
        parser.add_argument(f"--{part}-truth", type=Path, required=True)
        parser.add_argument(f"--{part}-images", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    jobs.run(main, parser)
