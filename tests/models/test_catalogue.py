"""Every detector of config/models.yaml builds, trains, saves, loads and detects, and follows its seed.

Images are small (96 px, and random weights), so that the largest networks take seconds, not minutes: what
is tried here does not depend on the size of the image. Whether a detector learns is tried elsewhere.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from podura.configuration.structure import load_schema, with_defaults
from podura.configuration.study import AugmentationSettings, OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Detector
from podura.detectors.inference import detect_pixels
from podura.detectors.weights import load_model, save_model
from podura.training.loop import LoopSettings, Trained, Training
from podura.training.samples import LabelledImage, TrainingSamples
from podura.training.seeds import be_deterministic, seed_torch

ROOT = Path(__file__).parents[2]
#: As many species as the numbers of parameters in models.yaml are told for.
SPECIES = [f"SPE-{number:03d}" for number in range(10)]
SIDE = 96
CPU = torch.device("cpu")
AUGMENTATION = AugmentationSettings(flips=True, quarter_turns=True, brightness=0.2, colour=0.1)


def networks() -> dict[str, dict[str, Any]]:
    """The entries that are networks of their own, with defaults; ensembles have no architecture."""
    schema = load_schema(ROOT / "workflow" / "schemas", "model")
    entries = yaml.safe_load((ROOT / "config" / "models.yaml").read_text(encoding="utf-8"))
    return {
        name: with_defaults(entry, schema)
        for name, entry in entries.items()
        if entry.get("adapter") and entry.get("architecture")
    }


NETWORKS = networks()
#: Entries that differ in image size or weights only have the same network, which is tried once.
DIFFERENT = {(entry["adapter"], entry["architecture"]): name for name, entry in reversed(NETWORKS.items())}

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", autouse=True)
def deterministic() -> Iterator[None]:
    threads = torch.get_num_threads()
    be_deterministic(CPU, 1)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def free_memory() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledImage]:
    """Four images of animals of all species; the last is empty."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(1)
    labelled = []
    for number in range(4):
        pixels = generator.integers(170, 230, (SIDE, SIDE, 3)).astype(np.uint8)
        boxes = np.array([[8, 10, 44, 40], [50, 52, 90, 88], [52, 6, 84, 30]], dtype=np.float64)
        boxes = boxes[: 3 * (number < 3)]
        for left, top, right, bottom in boxes.astype(int):
            pixels[top:bottom, left:right] //= 3
        file = folder / f"{number}.png"
        Image.fromarray(pixels).save(file)
        labels = (np.arange(len(boxes)) + 3 * number) % len(SPECIES)
        labelled.append(LabelledImage(file.name, file, boxes, labels.astype(np.int64)))
    return labelled


def built(entry: dict[str, Any], seed: int) -> Detector:
    seed_torch(seed, "weights")
    return build_detector(entry["adapter"], entry["architecture"], SPECIES)


def trained(entry: dict[str, Any], seed: int, images: list[LabelledImage], folder: Path) -> Trained:
    """Two steps of the loop that trains every model, with the entry's own optimiser."""
    samples = TrainingSamples(images, image_size=SIDE, batch_size=2, augmentation=AUGMENTATION, seed=seed)
    assert samples.steps_per_epoch == 2
    settings = LoopSettings(
        epochs=1,
        optimiser=OptimiserSettings(**entry["optimiser"]),
        average_decay=entry["average_decay"],
        seed=seed,
        device=CPU,
        checkpoint_seconds=1e9,
    )
    training = Training(
        built(entry, seed),
        samples,
        lambda detector: (float("nan"), float("nan")),
        settings,
        checkpoint=folder / "state.safetensors",
        identity=str(seed),
    )
    return training.run()


def digests(state: dict[str, Tensor]) -> dict[str, str]:
    """A digest of each tensor: whole copies of the largest networks would take gigabytes."""
    return {
        name: hashlib.sha256(tensor.contiguous().reshape(-1).view(torch.uint8).numpy()).hexdigest()
        for name, tensor in state.items()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_parameters_is_told(name: str) -> None:
    entry = NETWORKS[name]
    assert built(entry, 1).parameter_count == entry["parameters"]


@pytest.mark.parametrize("name", DIFFERENT.values())
def test_it_trains_saves_loads_and_detects_and_follows_its_seed(
    name: str, images: list[LabelledImage], tmp_path: Path
) -> None:
    entry = NETWORKS[name]
    start, other = (digests(built(entry, seed).state_dict()) for seed in (1, 2))
    counts = {key: tensor.numel() for key, tensor in built(entry, 1).named_parameters()}
    changed = sum(count for key, count in counts.items() if start[key] != other[key])
    # Norms and biases begin alike, whatever the seed.
    assert changed > 0.9 * entry["parameters"] - 200_000, "another seed, other weights from the start"

    first = trained(entry, 1, images, tmp_path)
    assert first.history[-1]["step"] == 2
    assert np.isfinite(first.history[0]["loss"])
    weights = digests(first.state)
    assert weights != start, "two steps move the weights"
    facts = {"adapter": entry["adapter"], "architecture": entry["architecture"], "species": SPECIES}
    save_model(first.state, facts, tmp_path / "model")
    kept = built(entry, 3)
    kept.load_state_dict(first.state)
    del first
    assert digests(trained(entry, 1, images, tmp_path / "again").state) == weights, "same seed, same bytes"

    loaded, _ = load_model(tmp_path / "model")
    assert digests(loaded.state_dict()) == weights
    pixels = np.random.default_rng(2).integers(0, 255, (SIDE - 20, SIDE, 3), dtype=np.uint8)
    terms = {"image_size": SIDE, "score_floor": 1e-4, "max_detections": 20, "device": CPU}
    found = detect_pixels(loaded, [pixels], **terms)
    assert found == detect_pixels(kept.eval(), [pixels], **terms)
    assert len(found[0]) > 0
