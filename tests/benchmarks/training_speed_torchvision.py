"""Images a second and memory of training Faster R-CNN: Podura's loop beside torchvision's reference.

    PYTHONPATH=scripts:tests python tests/benchmarks/training_speed_torchvision.py [--models NAME ...]

The plain loop is that of torchvision's references/detection (train.py, engine.py, presets.py): images are
decoded by Pillow in every epoch, flipped, and resized and normalised as floats by the model's own
GeneralizedRCNNTransform; its backbone has frozen batch norms where it is pre-trained. Both train the same
network from the same weights on the same images at the same size, with the same batch, the same numbers of
proposals and samples, and SGD; Podura's loop also clips gradients, averages the weights and augments more.
Both make their batches in the training's own process, on one thread. The two take turns, epoch by epoch,
in one process; the first epoch of each is left out. On a machine that others use, CPU seconds tell more than
the clock. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import argparse
import copy
import math
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d
from torchvision.transforms import v2

from peak_memory import peak_mb
from podura.configuration.study import AugmentationSettings, OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.torchvision_families import TWO_STAGE
from podura.training.loop import LoopSettings, Training
from podura.training.samples import LabelledImage, TrainingSamples
from podura.training.seeds import seed_torch

SPECIES = ["A", "B", "C"]
#: Name: image size, batch, images of an epoch.
MODELS = {
    "fasterrcnn_lite0": (320, 4, 24),
    "fasterrcnn_mobilenet_v3_large_fpn": (320, 4, 4),
    "fasterrcnn_resnet50_fpn": (320, 2, 2),
}
RATE = 0.001


def paint(folder: Path, count: int) -> list[LabelledImage]:
    """JPEGs of 1280 × 960 px with a dozen ellipses each."""
    generator, labelled = np.random.default_rng(1), []
    rows, columns = np.mgrid[:960, :1280]
    for number in range(count):
        pixels = generator.normal(200, 8, (960, 1280, 3))
        boxes, labels = [], generator.integers(0, len(SPECIES), 12)
        for label in labels:
            x, y = generator.uniform(120, 1160), generator.uniform(120, 840)
            width, height = generator.uniform(40, 110, 2)
            inside = ((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 1
            pixels[inside] *= [0.7, 0.5, 0.3][label]
            boxes.append([x - width, y - height, x + width, y + height])
        file = folder / f"{number}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, quality=90)
        labelled.append(LabelledImage(file.name, file, np.array(boxes), labels.astype(np.int64)))
    return labelled


def starting_weights(name: str) -> dict[str, Tensor]:
    """Of Podura's detector: ImageNet's for Lite0, else random ones whose norms have seen some images."""
    seed_torch(1)
    detector: Any = build_detector("torchvision", name, SPECIES)
    if name == "fasterrcnn_lite0":
        detector.load_imagenet()
        return detector.state_dict()
    with torch.no_grad():
        for norm in detector._norms():
            norm.momentum = 0.5
        for _ in range(4):
            detector.model.backbone(torch.randn(4, 3, 160, 160))
    detector.backbone_held.fill_(True)
    return detector.state_dict()


def podura(
    name: str, images: list[LabelledImage], epochs: int, between: Callable[[], None]
) -> list[tuple[float, float]]:
    """Seconds and CPU seconds of each epoch of Podura's loop; ``between`` is called after each, unclocked."""
    size, batch, _ = MODELS[name]
    detector = build_detector("torchvision", name, SPECIES)
    detector.load_state_dict(starting_weights(name))

    spent: list[float] = []
    started = time.process_time()

    def validate(_detector: Any) -> tuple[float, float]:
        nonlocal started
        spent.append(time.process_time() - started)
        between()
        started = time.process_time()
        return 0.0, 0.0

    augmentation = AugmentationSettings(flips=True, quarter_turns=True, brightness=0.2, colour=0.1)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            detector,
            TrainingSamples(images, image_size=size, batch_size=batch, augmentation=augmentation, seed=1),
            validate,
            LoopSettings(
                epochs=epochs,
                optimiser=OptimiserSettings("sgd", RATE, 0.0005, 0.1),
                average_decay=0.98,
                seed=1,
                device=torch.device("cpu"),
                checkpoint_seconds=1e9,
            ),
            checkpoint=Path(folder) / "state.safetensors",
            identity="benchmark",
        )
        seconds = [row["seconds"] for row in training.run().history]
    return list(zip(seconds, spent, strict=True))


class PlainImages(Dataset):
    """As references/detection has it: Pillow, then float tensors and a flip."""

    def __init__(self, images: list[LabelledImage]) -> None:
        self.images = images
        self.transforms = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float, scale=True)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        labelled = self.images[index]
        pixels = self.transforms(Image.open(labelled.path).convert("RGB"))
        boxes = torch.from_numpy(labelled.boxes.astype(np.float32))
        if torch.rand(1) < 0.5:
            pixels = pixels.flip(-1)
            boxes = boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1, -1, 1]) + torch.tensor(
                [pixels.shape[2], 0.0, pixels.shape[2], 0]
            )
        return pixels, {"boxes": boxes, "labels": torch.from_numpy(labelled.labels) + 1}


def frozen(module: nn.Module) -> None:
    """Put torchvision's frozen batch norms in the place of those of a pre-trained backbone."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            norm = FrozenBatchNorm2d(child.num_features, child.eps)
            norm.load_state_dict({k: v for k, v in child.state_dict().items() if "tracked" not in k})
            setattr(module, name, norm)
        else:
            frozen(child)


class Plain:
    """torchvision's model and loop; ``epoch`` trains one and notes its seconds and CPU seconds."""

    def __init__(self, name: str, images: list[LabelledImage]) -> None:
        size, batch, _ = MODELS[name]
        build, pretraining = TWO_STAGE[name]
        model: Any = build(len(SPECIES))
        weights = starting_weights(name).items()
        model.load_state_dict({k.removeprefix("model."): v for k, v in weights if k.startswith("model.")})
        given = model.transform
        # The longer side is what counts, as in Podura.
        model.transform = GeneralizedRCNNTransform(size, size, given.image_mean, given.image_std)
        for parameter_name, parameter in model.named_parameters():
            parameter.requires_grad_(not parameter_name.startswith(pretraining.held or ("nothing",)))
        if pretraining.norms_held:
            frozen(model.backbone.body)
        self.model, self.images, self.times = model.train(), images, []
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.SGD(trained, lr=RATE, momentum=0.9, weight_decay=1e-4)
        self.loader = DataLoader(
            PlainImages(images),
            batch,
            shuffle=True,
            drop_last=True,
            collate_fn=lambda some: tuple(zip(*some, strict=True)),
        )

    def epoch(self) -> None:
        start, spent = time.perf_counter(), time.process_time()
        for images, targets in self.loader:
            losses = self.model(list(images), [dict(target.items()) for target in targets])
            loss = sum(losses.values())
            if not math.isfinite(loss.item()):
                raise FloatingPointError(losses)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
        self.times.append((time.perf_counter() - start, time.process_time() - spent))


def compare(name: str, epochs: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(Podura's, torchvision's) seconds and CPU seconds of each epoch but the first."""
    with tempfile.TemporaryDirectory() as folder:
        images = paint(Path(folder), MODELS[name][2])
        plain = Plain(name, copy.deepcopy(images))
        ours = podura(name, images, epochs, plain.epoch)
    return list(zip(ours, plain.times, strict=True))[1:]


def memory(name: str, which: str) -> float:
    """Peak in MB of one epoch in this process."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        images = paint(Path(folder), MODELS[name][1] * 2)
        if which == "podura":
            podura(name, images, 1, lambda: None)
        else:
            Plain(name, images).epoch()
    return peak_mb()


def ratio(pairs: list[tuple[tuple[float, float], tuple[float, float]]], which: int) -> str:
    """Median, least and largest of torchvision's time over Podura's."""
    each = [theirs[which] / ours[which] for ours, theirs in pairs]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each, the first left out")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, torch {torch.__version__}, torchvision {torchvision.__version__}, one thread"
    )
    for name in arguments.models:
        pairs = compare(name, arguments.epochs)
        ours, theirs = [
            MODELS[name][2] / statistics.median(wall for wall, _ in side) for side in zip(*pairs, strict=True)
        ]
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = [pool.apply(memory, (name, which)) for which in ("podura", "torchvision")]
        print(
            f"{name} at {MODELS[name][0]} px, batch {MODELS[name][1]}, {len(pairs)} epochs: "
            f"Podura {ours:.2f}, torchvision {theirs:.2f} images/s; times as fast "
            f"{ratio(pairs, 0)} by the clock, {ratio(pairs, 1)} by CPU seconds; "
            f"memory {peaks[0]:.0f} and {peaks[1]:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
