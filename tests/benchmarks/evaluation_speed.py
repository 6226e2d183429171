"""Time and memory of Podura's matching and average precision beside those of pycocotools.

    PYTHONPATH=scripts:tests python tests/benchmarks/evaluation_speed.py [--repeats 3] [--small]

Both get the same detections in the same order and no cap; every average precision must agree to 1e-10
before a time is printed. Times are medians over the repeats of what follows loading: match and
average precision of all species at ten IoUs (ours), evaluate and accumulate (pycocotools). Memory is
what the resident set of a fresh process grows by while it works.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation_data import (
    coco_average_precision,
    coco_evaluated,
    coco_loaded,
    in_canonical_order,
    slide_study,
)
from podura.evaluation.average_precision import average_precision_coco, precision_recall
from podura.evaluation.matching import match
from podura.evaluation.ranking import ranking
from podura.tables import IOU_PERCENTS

TWELVE = tuple(f"SPE-{number:03d}" for number in range(12))
#: Name: images, truths, detections.
SIZES = {
    "one animal an image": (1000, 1200, 3000),
    "some animals an image": (200, 8_000, 10_800),
    "dense slides": (200, 80_000, 108_000),
}


def ours(study: tuple[Any, Any, Any]) -> tuple[float, np.ndarray]:
    truths, detections, images = study
    start = time.perf_counter()
    matches = match(truths, detections, images=images, species=TWELVE)
    each = [ranking(matches, code) for code in TWELVE]
    result = [[average_precision_coco(precision_recall(r, p)) for r in each] for p in IOU_PERCENTS]
    return time.perf_counter() - start, np.array(result)


def theirs(study: tuple[Any, Any, Any]) -> tuple[float, np.ndarray]:
    truths, detections, images = study
    evaluation = coco_loaded(truths, detections, images, TWELVE)
    start = time.perf_counter()
    coco_evaluated(evaluation)
    return time.perf_counter() - start, coco_average_precision(evaluation)


ENGINES = {"podura": ours, "pycocotools": theirs}


def measured(engine: str, size: Sequence[int], repeats: int) -> tuple[float, float, np.ndarray]:
    """Median seconds, growth of the resident set in MB, and average precisions (10, species)."""
    n_images, n_truth, n_detections = size
    study = slide_study(
        np.random.default_rng(7),
        n_images=n_images,
        n_truth=n_truth,
        n_detections=n_detections,
        species=TWELVE,
    )
    study = (study[0], in_canonical_order(study[1]), study[2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runs = [ENGINES[engine](study) for _ in range(repeats)]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return statistics.median(seconds for seconds, _ in runs), grown / 1024, runs[0][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="leave the largest size out")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {sys.platform}")
    print(f"{'':24}{'images':>8}{'truths':>8}{'found':>8}", end="")
    print(f"{'podura s':>10}{'MB':>7}{'pycoco s':>10}{'MB':>7}{'ratio':>8}")
    context = multiprocessing.get_context("spawn")
    for name, size in list(SIZES.items())[: 2 if arguments.small else None]:
        results = {}
        for engine in ENGINES:
            with context.Pool(1) as fresh_process:
                results[engine] = fresh_process.apply(measured, (engine, size, arguments.repeats))
        (our_time, our_memory, our_values), (time_, memory, values) = results.values()
        np.testing.assert_allclose(our_values, values, rtol=0, atol=1e-10)
        print(f"{name:24}{size[0]:>8}{size[1]:>8}{size[2]:>8}", end="")
        print(f"{our_time:>10.2f}{our_memory:>7.0f}{time_:>10.2f}{memory:>7.0f}{time_ / our_time:>8.0f}")


if __name__ == "__main__":
    main()
