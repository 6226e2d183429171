"""Time and memory of Podura's matching and average precision beside those of pycocotools.

    PYTHONPATH=scripts:tests python tests/benchmarks/evaluation_speed.py [--repeats 3] [--small]

Both get the same detections in the same order and no cap; every average precision must agree to 1e-10
before a time is printed. Times are medians over the repeats, twice: first of evaluation alone, from checked
arrays or a loaded COCO object to the average precisions of all species at ten IoUs; then with what stands
around it, ours from two tables to the table of matches and the average precisions, theirs with loading.
Memory is what the resident set of a fresh process grows by while it works (ours, theirs).
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
from podura.evaluation.checks import checked_input
from podura.evaluation.matching import match
from podura.evaluation.ranking import ranking
from podura.evaluation.validation import average_precisions_of
from podura.tables import IOU_PERCENTS

TWELVE = tuple(f"SPE-{number:03d}" for number in range(12))
#: Name: images, truths, detections.
SIZES = {
    "one animal an image": (1000, 1200, 3000),
    "some animals an image": (200, 8_000, 10_800),
    "dense slides": (200, 80_000, 108_000),
}


def ours(study: tuple[Any, Any, Any]) -> tuple[float, float, np.ndarray]:
    """Seconds from loaded arrays to average precisions, from tables to a table of matches, and the former."""
    truths, detections, images = study
    checked = checked_input(truths, detections, images, TWELVE)
    start = time.perf_counter()
    result = average_precisions_of(checked, len(TWELVE))
    evaluated = time.perf_counter() - start
    start = time.perf_counter()
    matches = match(truths, detections, images=images, species=TWELVE)
    each = [ranking(matches, code) for code in TWELVE]
    again = [[average_precision_coco(precision_recall(r, p)) for r in each] for p in IOU_PERCENTS]
    tables = time.perf_counter() - start
    np.testing.assert_allclose(result, again, rtol=0, atol=1e-12)
    return evaluated, tables, result


def theirs(study: tuple[Any, Any, Any]) -> tuple[float, float, np.ndarray]:
    """Seconds of evaluate and accumulate, those and loading, and the average precisions."""
    truths, detections, images = study
    start = time.perf_counter()
    evaluation = coco_loaded(truths, detections, images, TWELVE)
    loaded = time.perf_counter() - start
    start = time.perf_counter()
    coco_evaluated(evaluation)
    evaluated = time.perf_counter() - start
    return evaluated, loaded + evaluated, coco_average_precision(evaluation)


ENGINES = {"podura": ours, "pycocotools": theirs}


def measured(engine: str, size: Sequence[int], repeats: int) -> tuple[float, float, float, np.ndarray]:
    """Median seconds (evaluation, with tables), growth in MB, and average precisions (10, species)."""
    n_images, n_truth, n_detections = size
    study = slide_study(
        np.random.default_rng(7),
        n_images=n_images,
        n_truth=n_truth,
        n_detections=n_detections,
        species=TWELVE,
    )
    study = (study[0], in_canonical_order(study[1]), study[2])
    if engine == "podura":  # compiled code comes from a file in a workflow; here it is made first
        few = slide_study(np.random.default_rng(1), n_images=4, n_truth=9, n_detections=9, species=TWELVE)
        ours(few)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runs = [ENGINES[engine](study) for _ in range(repeats)]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    evaluated, tables = (statistics.median(run[place] for run in runs) for place in (0, 1))
    return evaluated, tables, grown / 1024, runs[0][2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="leave the largest size out")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {sys.platform}")
    print(f"{'':24}{'images':>8}{'truths':>8}{'found':>8}", end="")
    print(f"{'podura s':>10}{'pycoco s':>10}{'ratio':>7}{'tables s':>10}{'pycoco s':>10}{'ratio':>7}", end="")
    print(f"{'MB':>7}{'MB':>7}")
    context = multiprocessing.get_context("spawn")
    for name, size in list(SIZES.items())[: 2 if arguments.small else None]:
        results = {}
        for engine in ENGINES:
            with context.Pool(1) as fresh_process:
                results[engine] = fresh_process.apply(measured, (engine, size, arguments.repeats))
        (evaluated, tables, memory, values), (evaluated_, tables_, memory_, values_) = results.values()
        np.testing.assert_allclose(values, values_, rtol=0, atol=1e-10)
        print(f"{name:24}{size[0]:>8}{size[1]:>8}{size[2]:>8}", end="")
        print(f"{evaluated:>10.3f}{evaluated_:>10.2f}{evaluated_ / evaluated:>7.0f}", end="")
        print(f"{tables:>10.2f}{tables_:>10.2f}{tables_ / tables:>7.0f}{memory:>7.0f}{memory_:>7.0f}")


if __name__ == "__main__":
    main()
