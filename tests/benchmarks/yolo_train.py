"""Podura's training of yolov5n beside ``yolo train``: images per second, memory, average precision.

    PYTHONPATH=scripts:tests:tests/benchmarks python tests/benchmarks/yolo_train.py speed [--epochs 4]
    PYTHONPATH=scripts:tests:tests/benchmarks python tests/benchmarks/yolo_train.py quality [--seeds 1 2 3]

Both sides start from the same weights (the starter weights, the last layer random by seed), see the same
images as often, in the same batch and size, on as many threads, in a fresh process each, turn by turn.
``yolo train`` keeps its own optimiser, schedule, augmentation (mosaic), averaging and choice of weights.
It makes batches in the training process on CPUs, whatever is asked for; Podura has ``--workers``.

speed: images per second from the start of one epoch to that of the next, checkpoints and averages included,
without validation, in all epochs but the first, in which both fill their caches; by the clock, and of
processor time, which counts on a machine that does other things too.
Images are square: ``yolo train`` pads others to squares, which Podura does not need to; ``--oblong`` shows
what that is worth.
quality: mean average precision on test images by Podura's evaluator at one floor and cap. Data sets are the
painted slides and, where it lies beside the repository, BCCD.
No connection is possible on either side: one that is tried ends the benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from yolo_train_data import ROOT, DataSet, bccd, painted

from podura.detectors.catalogue import build_detector
from podura.detectors.weights import initialise, save_tensors
from podura.training.seeds import seed_torch

STARTER = ROOT / "resources" / "weights" / "yolov5n_painted_starter.safetensors"
SIDES = ("podura", "ultralytics")
#: The floor is that of Ultralytics' own validation: a higher one hides weights whose scores are still low.
FLOOR, CAP = 0.001, 300


def trained(
    side: str, data: DataSet, folder: Path, arguments: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """Train in a fresh process and return what it measured."""
    folder.mkdir(parents=True)
    seed_torch(seed, "weights")
    detector = build_detector("ultralytics", "yolov5n", data.species)
    initialise(detector, arguments.weights)
    save_tensors(detector.state_dict(), folder / "start.safetensors")
    optimiser = {"learning_rate": arguments.learning_rate} if arguments.learning_rate else {}
    job = {
        "data": str(data.folder),
        "folder": str(folder),
        "start": str(folder / "start.safetensors"),
        "seed": seed,
        "epochs": arguments.epochs,
        "batch": arguments.batch,
        "threads": arguments.threads,
        "workers": arguments.workers,
        "validate": arguments.what == "quality",
        "optimiser": optimiser,
        "average_decay": arguments.average_decay,
        "terms": {"image_size": arguments.image_size, "score_floor": FLOOR, "max_detections": CAP},
    }
    (folder / "job.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("yolo_train_sides.py")
    done = subprocess.run(
        [sys.executable, str(script), side, str(folder / "job.json")],
        env={
            **os.environ,
            "HOME": str(folder),
            "OMP_NUM_THREADS": str(arguments.threads),
            "PYTHONPATH": os.pathsep.join(str(Path(place).resolve()) for place in sys.path if place),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads((folder / "result.json").read_text())


def speed(arguments: argparse.Namespace, folder: Path) -> None:
    width = arguments.image_size
    height = round(width * 0.75) if arguments.oblong else width
    numbers = {"train": arguments.images, "val": 4, "test": 4}
    data = painted(folder / "painted", numbers, width=width, height=height)
    print(f"{arguments.images} painted images of {width} x {height} px")
    print(f"{'repeat':>6}{'podura':>10}{'yolo train':>12}{'ratio':>8}   images/s by the clock", end="")
    print(f"{'podura':>10}{'yolo train':>12}{'ratio':>8}   of processor time{'MB':>8}{'MB':>8}")
    ratios: dict[int, list[float]] = {0: [], 1: []}
    for repeat in range(1, arguments.repeats + 1):
        results = {
            side: trained(side, data, folder / f"{repeat}-{side}", arguments, repeat)
            for side in (SIDES if repeat % 2 else SIDES[::-1])
        }
        print(f"{repeat:>6}", end="")
        for kind, room in ((0, 24), (1, 20)):
            ours, theirs = (
                statistics.median(epoch[kind] for epoch in results[side]["epochs"][1:]) for side in SIDES
            )
            ratios[kind].append(ours / theirs)
            print(f"{ours:>10.2f}{theirs:>12.2f}{ours / theirs:>8.2f}{'':{room}}", end="")
        print("".join(f"{results[side]['peak_memory_mb']:>8.0f}" for side in SIDES), flush=True)
    clock, processor = (statistics.median(values) for values in ratios.values())
    print(f"median ratio {clock:.2f} by the clock, {processor:.2f} of processor time")


def quality(arguments: argparse.Namespace, folder: Path) -> None:
    sets: Iterable[DataSet | None] = (
        bccd(folder / "bccd") if "bccd" in arguments.sets else None,
        painted(folder / "painted", {"train": 120, "val": 32, "test": 48}, width=640, height=480)
        if "painted" in arguments.sets
        else None,
    )
    header = f"{'data':>8}{'seed':>6}{'podura':>9}{'yolo train':>12}{'difference':>12}"
    print(f"{header}{'podura':>9}{'yolo train':>12}   (mAP50, then mAP50:95)")
    for data in sets:
        if data is None:
            continue
        name, rows = data.folder.name, []
        for seed in arguments.seeds:
            order = SIDES if seed % 2 else SIDES[::-1]
            results = {
                side: trained(side, data, folder / f"{name}-{seed}-{side}", arguments, seed) for side in order
            }
            row = [results[side][key] for key in ("map50", "map50_95") for side in SIDES]
            rows.append(row)
            _print_row(name, str(seed), row)
            if arguments.curves:
                print(f"         losses {_numbers(results['podura']['losses'])}")
                print(f"         validation {_numbers(results['podura']['validation'])}")
                print(f"         yolo train's own {_numbers(results['ultralytics']['own_validation'])}")
        _print_row(name, "mean", [statistics.mean(column) for column in zip(*rows, strict=True)])


def _print_row(name: str, seed: str, row: list[float]) -> None:
    ours, theirs, ours_strict, theirs_strict = row
    print(f"{name:>8}{seed:>6}{ours:>9.3f}{theirs:>12.3f}{ours - theirs:>+12.3f}", end="")
    print(f"{ours_strict:>9.3f}{theirs_strict:>12.3f}", flush=True)


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality"])
    parser.add_argument("--epochs", type=int, default=None, help="4 for speed, 8 for quality")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--image-size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="of speed")
    parser.add_argument("--images", type=int, default=48, help="of speed")
    parser.add_argument("--oblong", action="store_true", help="speed with images of 4 to 3")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of quality")
    parser.add_argument("--sets", nargs="+", choices=["bccd", "painted"], default=["bccd", "painted"])
    parser.add_argument("--weights", default=str(STARTER), help="none, or a .safetensors file")
    parser.add_argument("--learning-rate", type=float, help="Podura's, instead of that of models.yaml")
    parser.add_argument("--average-decay", type=float, help="likewise")
    parser.add_argument("--curves", action="store_true", help="print losses and validation too")
    arguments = parser.parse_args()
    arguments.epochs = arguments.epochs or {"speed": 4, "quality": 8}[arguments.what]
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} processors, ",
        end="",
    )
    print(f"{arguments.threads} threads, batch {arguments.batch}, {arguments.epochs} epochs")
    with tempfile.TemporaryDirectory(prefix="podura-yolo-train-") as folder:
        {"speed": speed, "quality": quality}[arguments.what](arguments, Path(folder))


if __name__ == "__main__":
    main()
