"""Train one model with one seed: weights.safetensors, model.json, history.csv."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from podura import jobs
from podura.configuration.search import with_settings
from podura.configuration.study import (
    AUTO_BATCH_SIZE,
    AugmentationSettings,
    ModelSpecification,
    OptimiserSettings,
    TilingSettings,
    TrainingSettings,
)
from podura.detectors.catalogue import build_detector
from podura.detectors.devices import choose_device, device_name, gpu_identity
from podura.detectors.weights import MODEL_FILE, WEIGHTS_FILE, initialise, save_model
from podura.energy import EnergyMeter, energy_facts
from podura.errors import DivergedError, UserError
from podura.evaluation.validation import validation_score
from podura.fingerprints import file_digest
from podura.provenance import machine, versions
from podura.tables import HISTORY, read_json
from podura.training.finished import keep_finished, restore_finished
from podura.training.loop import LoopSettings, Trained, Training, TrainingStopped
from podura.training.material import labelled_images, validation_on
from podura.training.precision import choose_precision
from podura.training.samples import TrainingSamples
from podura.training.seeds import be_deterministic, seed_torch

log = logging.getLogger("train")

HISTORY_FILE = "history.csv"


def without_effect(config: Path) -> dict[str, Any]:
    """Read what changes no weights from the run's configuration: a parameter of the rule would retrain."""
    training = yaml.safe_load(config.read_text(encoding="utf-8"))["training"]
    return {key: training[key] for key in ("checkpoint_seconds", "workers")}


def main(arguments: argparse.Namespace) -> None:
    if restore_finished(arguments.output, identity(arguments)):
        log.info("This training was finished by a run that did not note it: its results are put back.")
        return
    given = json.loads(arguments.model)
    searched = [read_json(path) for path in arguments.search]
    for found in searched:
        given = with_settings(given, found["settings"])
    model = ModelSpecification(
        **{
            **given,
            "optimiser": OptimiserSettings(**given["optimiser"]),
            "tiling": given["tiling"] and TilingSettings(**given["tiling"]),
        }
    )
    settings = json.loads(arguments.training)
    training = TrainingSettings(
        **{
            **settings,
            "augmentation": AugmentationSettings(**settings["augmentation"]),
            **without_effect(arguments.config),
        }
    )
    evaluation, species = json.loads(arguments.evaluation), json.loads(arguments.species)
    should_stop = jobs.stop_request()

    device = choose_device(training.device)
    determinism = be_deterministic(device, training.threads)
    precision = choose_precision(training.precision, device)
    seed_torch(arguments.seed, "weights")
    detector = build_detector(model.adapter, model.architecture, species)
    start = initialise(detector, model.weights, next(iter(arguments.pretrained), None))
    log.info(
        "%s, seed %d: %s, %s on %s, %s",
        model.name,
        arguments.seed,
        start,
        precision,
        device_name(device),
        determinism,
    )

    images = labelled_images(arguments.train_truth, arguments.train_images, species)
    absent = sorted(set(range(len(species))) - {int(label) for i in images for label in i.labels})
    if absent:
        names = ", ".join(species[number] for number in absent)
        raise UserError(
            f"No training slide shows {names}: it cannot be learnt. Add slides with it, or leave it out "
            "of species.include."
        )
    automatic = model.batch_size == "auto"
    wanted = AUTO_BATCH_SIZE if automatic else int(model.batch_size)
    samples = TrainingSamples(
        images,
        image_size=model.image_size,
        batch_size=wanted,
        augmentation=training.augmentation,
        seed=arguments.seed,
        tiling=model.tiling,
        epochs=model.epochs,
    )
    if samples.batch_size < wanted:
        log.warning(
            "There are not %d images to train on: a step takes %d (batch_size).", wanted, samples.batch_size
        )
    meter = EnergyMeter(str(device), gpu_identity(device))
    loop = Training(
        detector,
        samples,
        validation_on(
            arguments.validation_truth,
            arguments.validation_images,
            species,
            model,
            evaluation,
            score=validation_score,
            should_stop=should_stop,
        ),
        LoopSettings(
            epochs=model.epochs,
            optimiser=model.optimiser,
            average_decay=model.average_decay,
            seed=arguments.seed,
            device=device,
            checkpoint_seconds=training.checkpoint_seconds,
            precision=precision,
            workers=training.workers,
            validate_every=training.validate_every,
            fit_memory=automatic,
        ),
        checkpoint=arguments.output / ".checkpoint" / "state.safetensors",
        identity=identity(arguments),
        should_stop=should_stop,
        energy=meter.watt_hours,
    )
    try:
        with meter:
            trained = loop.run()
    except TrainingStopped as stopped:
        log.warning("%s; the next run continues from there.", stopped)
        sys.exit(130)
    except UserError as error:
        kind = DivergedError if isinstance(error, DivergedError) else UserError
        raise kind(f"{model.name}, seed {arguments.seed}: {error}") from error

    HISTORY.write_csv(pd.DataFrame(trained.history), arguments.output / HISTORY_FILE)
    facts = {
        "model": model.name,
        "seed": arguments.seed,
        "fold": arguments.fold,
        "adapter": model.adapter,
        "architecture": model.architecture,
        "image_size": model.image_size,
        "tiling": given["tiling"],
        "species": species,
        "start": start,
        "parameters": detector.parameter_count,
        "epochs": model.epochs,
        "optimiser": asdict(model.optimiser),
        "average_decay": model.average_decay,
        "search": searched[0] if searched else None,
        "training_images": len(images),
        "samples_per_epoch": samples.source.per_epoch,
        "batch_size": samples.batch_size,
        "precision": precision,
        "determinism": determinism,
        "device": device_name(device),
        **what_it_took(trained, meter),
        "versions": versions(["torch", "torchvision", "ultralytics", "transformers", "timm", "numpy"]),
        "machine": machine(),
    }
    save_model(trained.state, facts, arguments.output)
    keep_finished(arguments.output, [WEIGHTS_FILE, MODEL_FILE, HISTORY_FILE], identity(arguments))
    shutil.rmtree(arguments.output / ".checkpoint", ignore_errors=True)
    progress = trained.progress
    log.info(
        "Kept the weights of epoch %d; %d steps, %d images seen, %.0f s in all.",
        progress.best_epoch,
        progress.step,
        progress.images_seen,
        progress.seconds,
    )


def what_it_took(trained: Trained, meter: EnergyMeter) -> dict[str, Any]:
    """Facts for model.json on the course of a training.

    Trainings are compared by images_seen: a step of one model may count other numbers of images than a
    step of another.
    """
    progress = trained.progress
    return {
        "best_epoch": progress.best_epoch,
        "steps": progress.step,
        "images_seen": progress.images_seen,
        "micro_batch": progress.passes.images,
        "halvings": progress.passes.halvings,
        "skipped_steps": progress.passes.skipped,
        "nondeterministic_operations": progress.nondeterministic,
        "training_seconds": progress.seconds,
        "stepping_seconds": sum(epoch["seconds"] for epoch in progress.history),
        "peak_memory_mb": progress.peak_memory_mb,
        "peak_gpu_memory_mb": progress.peak_gpu_memory_mb,
        **energy_facts(progress.energy_wh, meter),
    }


def identity(arguments: argparse.Namespace) -> str:
    """Digest of all that decides the course of this training, so that no other one continues it."""
    files = [arguments.train_truth, arguments.train_images, arguments.validation_truth]
    files += [*arguments.pretrained, *arguments.search]
    parts = [arguments.model, arguments.training, arguments.evaluation, arguments.species, arguments.code]
    text = "\0".join([*parts, str(arguments.seed), *(file_digest(file) for file in files)])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True, help="entry of models.yaml as JSON, with its name")
    parser.add_argument("--search", type=Path, nargs="*", default=[], help="best.json of a search, if any")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--fold", type=int, default=0, help="number of the fold; 0 where there are none")
    parser.add_argument("--species", required=True, help="species codes as a JSON list")
    parser.add_argument("--training", required=True, help="section 'training' of the configuration as JSON")
    parser.add_argument("--config", type=Path, required=True, help="merged configuration of the run")
    parser.add_argument(
        "--pretrained",
        type=Path,
        nargs="*",
        default=[],
        help="file of published weights, if needed",
    )
    parser.add_argument("--evaluation", required=True, help="score floor and cap as JSON")
    parser.add_argument("--code", default="", help="digest of the code that trains")
    for part in ("train", "validation"):
        parser.add_argument(f"--{part}-truth", type=Path, required=True)
        parser.add_argument(f"--{part}-images", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    jobs.run(main, parser)
