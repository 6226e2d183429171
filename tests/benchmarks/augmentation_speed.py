"""Images a second of each key of training.augmentation, on one core.

    PYTHONPATH=scripts python tests/benchmarks/augmentation_speed.py [--seconds 0.5] [--rounds 5]

Every key alone, then the defaults, then all together, on images with 20 boxes. The keys take turns, round
after round, and the best round of each counts, so that a busy machine does not favour one of them. "of a
step": the share of the time of a training step of an image with yolov5n on one core, measured beside it at
the same size.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from podura.configuration.study import AugmentationSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.detectors.preprocessing import to_tensor
from podura.seeds import generator
from podura.training.augmentation import disturbed, reoriented
from podura.training.geometry import Sample
from podura.training.mosaic import mosaic

NONE = AugmentationSettings(flips=False, quarter_turns=False)
DEFAULTS = AugmentationSettings(scale=0.1, brightness=0.2, contrast=0.2, colour=0.1, blur=0.1, noise=0.1)
POLICIES = {
    "nothing": NONE,
    "flips": replace(NONE, flips=True),
    "quarter_turns": replace(NONE, quarter_turns=True),
    "rotation": replace(NONE, rotation=30),
    "scale": replace(NONE, scale=0.2),
    "brightness, contrast, colour": replace(NONE, brightness=0.2, contrast=0.2, colour=0.1),
    "blur": replace(NONE, blur=1),
    "noise": replace(NONE, noise=1),
    "mosaic": replace(NONE, mosaic=1),
    "defaults": DEFAULTS,
    "everything": replace(DEFAULTS, rotation=30, blur=1, noise=1, mosaic=1),
}


def samples(width: int, height: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, [width - 40, height - 40], (4, 20, 2))
    return [
        Sample(
            rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
            np.concatenate([corner, corner + 30], axis=1),
            np.zeros(20, dtype=np.int64),
            np.ones(20),
        )
        for corner in corners
    ]


def augmented(images: list[Sample], settings: AugmentationSettings, number: int) -> Sample:
    chance = generator(1, "image", number)
    turned = number % 2 == 0
    sample = reoriented(images[number % 4], settings, chance, turned=turned)
    if settings.mosaic:
        others = [reoriented(image, settings, chance, turned=turned) for image in images[1:]]
        sample = mosaic([sample, *others], chance)
    sample = disturbed(sample, settings, chance)
    # A batch copies the pixels anyway; a view that is turned costs its copy there.
    np.ascontiguousarray(sample.pixels)
    return sample


def images_per_second(images: list[Sample], settings: AugmentationSettings, seconds: float) -> float:
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        augmented(images, settings, number)
        number += 1
    return number / (time.perf_counter() - start)


def step_seconds(detector: torch.nn.Module, images: list[Sample]) -> float:
    """Seconds an image of forward and backward, the better of two."""
    batch = Batch(
        to_tensor([image.pixels for image in images]),
        tuple(torch.from_numpy(image.boxes.astype(np.float32)) for image in images),
        tuple(torch.from_numpy(image.labels) for image in images),
    )
    times = []
    for _ in range(2):
        start = time.perf_counter()
        torch.stack(list(detector.loss(batch).values())).sum().backward()
        times.append(time.perf_counter() - start)
    return min(times) / len(images)


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each key in each round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    detector = build_detector("ultralytics", "yolov5n", ["A"]).train()
    sizes = [(320, 240), (640, 480), (1280, 960)]
    best: dict[tuple[str, int], float] = {}
    steps = dict.fromkeys((width for width, _ in sizes), float("inf"))
    for _ in range(arguments.rounds):
        for width, height in sizes:
            images = samples(width, height)
            steps[width] = min(steps[width], step_seconds(detector, images))
            for name, settings in POLICIES.items():
                speed = images_per_second(images, settings, arguments.seconds)
                best[name, width] = max(best.get((name, width), 0.0), speed)
    print(f"{'images a second':30}" + "".join(f"{w} × {h}  of a step".rjust(24) for w, h in sizes))
    for name in POLICIES:
        cells = [f"{best[name, w]:8.0f}{100 / best[name, w] / steps[w]:8.1f} %" for w, _ in sizes]
        print(f"{name:30}" + "".join(cell.rjust(24) for cell in cells))


if __name__ == "__main__":
    main()
