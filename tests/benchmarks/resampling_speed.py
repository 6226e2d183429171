"""Time and memory of the resamples behind intervals, ranks and comparisons, and how they grow.

    PYTHONPATH=scripts:tests python tests/benchmarks/resampling_speed.py [--models 10] [--threads 2]

A run has 200 test slides with 50 detections each of ten species; every species of every run is evaluated at
ten IoUs in every resample. The last row is a study: models × 5 seeds × 10 species × 2,000 resamples, with the
comparison of all pairs. Memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--models", type=int, default=10)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()
os.environ["NUMBA_NUM_THREADS"] = str(arguments.threads)  # read when Numba is imported

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from evaluation_data import slide_study  # noqa: E402
from podura.evaluation.comparison import ComparisonSettings, comparisons_table, ranks_table  # noqa: E402
from podura.evaluation.draws import Draws, draws_of  # noqa: E402
from podura.evaluation.matching import match  # noqa: E402
from podura.evaluation.resampling import slide_weights  # noqa: E402

SPECIES = tuple(f"SPE-{number:03d}" for number in range(10))
SLIDES = 200


def matches(seed: int) -> tuple[pd.DataFrame, list[str]]:
    truths, detections, images = slide_study(
        np.random.default_rng(seed),
        n_images=SLIDES,
        n_truth=45 * SLIDES,
        n_detections=50 * SLIDES,
        species=SPECIES,
        images_per_slide=1,
    )
    return match(truths, detections, images=images, species=SPECIES), sorted(set(images.values()))


def resampled(seeds: range, resamples: int) -> tuple[Draws, float]:
    """The draws of one model's runs, and the seconds that resampling took (matching aside)."""
    tests = [(seed + 1, matches(seed)) for seed in seeds]
    slides = tests[0][1][1]
    weights = slide_weights(slides, resamples=resamples, generator=np.random.default_rng(0))
    start = time.perf_counter()
    draws = draws_of(
        [(seed, found) for seed, (found, _) in tests], species=SPECIES, slides=slides, weights=weights
    )
    return draws, time.perf_counter() - start


def main() -> None:
    resampled(range(1), 10)  # compiles
    print(f"{'runs':>6}{'species':>9}{'resamples':>11}{'s':>8}{'MB':>7}")

    def tell(runs: int, resamples: int, seconds: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{runs:>6}{len(SPECIES):>9}{resamples:>11}{seconds:>8.1f}{peak:>7.0f}", flush=True)

    for resamples in (500, 1000, 2000, 4000):
        tell(1, resamples, resampled(range(1), resamples)[1])
    draws, total = {}, 0.0
    for model in range(arguments.models):
        draws[f"model-{model}"], seconds = resampled(range(10 * model, 10 * model + 5), 2000)
        total += seconds
    settings = ComparisonSettings(confidence=0.95, random_seed=1, n_slides=SLIDES)
    start = time.perf_counter()
    comparisons_table(draws, {name: name for name in draws}, settings)
    ranks_table(draws, settings)
    tell(5 * arguments.models, 2000, total + time.perf_counter() - start)


if __name__ == "__main__":
    main()
