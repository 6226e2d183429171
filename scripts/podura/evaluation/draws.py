"""Average precision of a model's runs in every resample of slides: what intervals and comparisons share.

Every model meets the same resamples, so the draws of two models are paired, resample by resample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.ranking import ranking
from podura.evaluation.resampling import nan_mean, resampled_average_precisions
from podura.seeds import generator
from podura.tables import whole_file

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """One model. ap50 and ap50_95 (seeds, species, 1 + resamples); NaN where a resample draws no truth.

    The first of each row is the figure of all slides as they are. ``n_truth`` (species,).
    """

    seeds: tuple[int, ...]
    species: tuple[str, ...]
    n_truth: NDArray[np.int64]
    ap50: Floats
    ap50_95: Floats

    def means(self, metric: str) -> Floats:
        """Mean over the species that a resample draws, of each seed: (seeds, 1 + resamples).

        metric: map50 or map50_95. A species without truth is in no resample, so it is left out.
        """
        values = self.ap50 if metric == "map50" else self.ap50_95
        return np.array([nan_mean(of_seed) for of_seed in values])


def draws_of(
    tests: Sequence[tuple[int, pd.DataFrame]],
    *,
    species: Sequence[str],
    slides: Sequence[str],
    weights: NDArray[np.int64],
) -> Draws:
    """Evaluate every resample of a model's runs.

    tests: seed and test matches (tables.MATCHES) of each run. slides: all slides of the test part, sorted.
    weights (resamples, n_slides): how often each resample holds each slide.
    """
    weights = np.concatenate([np.ones((1, weights.shape[1]), dtype=weights.dtype), weights])
    ap50, ap50_95, n_truth = [], [], np.zeros(len(species), dtype=np.int64)
    for _, matches in tests:
        every = []
        for place, code in enumerate(species):
            ranked = ranking(matches, code)
            n_truth[place] = ranked.n_truth
            every.append(resampled_average_precisions(ranked, slides, weights))
        ap50.append([one[:, 0] for one in every])
        ap50_95.append([one.mean(axis=1) for one in every])
    return Draws(
        seeds=tuple(seed for seed, _ in tests),
        species=tuple(species),
        n_truth=n_truth,
        ap50=np.array(ap50),
        ap50_95=np.array(ap50_95),
    )


def over_seeds(of_seeds: Floats, random_seed: int, model: str, variance: float | None = None) -> Floats:
    """The mean over seeds in each resample of slides and of seeds: (1 + resamples,).

    of_seeds (seeds, 1 + resamples). Seeds are drawn with replacement within a resample. What they change in
    it is scaled so that the variance between seeds comes out as given, or as ``variance_of_seeds`` has
    it: few seeds drawn from themselves would spread too little by (S - 1) / S (Rao & Wu 1988,
    doi:10.2307/2288945), and what the slides at hand do to each seed is in the resamples of slides already.
    One seed shows no spread.
    """
    n_seeds, n_draws = of_seeds.shape
    mean = of_seeds.mean(axis=0)
    observed = float(np.var(of_seeds[:, 0], ddof=1)) if n_seeds > 1 else 0.0
    if not observed > 0:
        return mean
    drawn = generator(random_seed, "resampling of seeds", model).integers(n_seeds, size=(n_seeds, n_draws))
    wanted = variance_of_seeds(of_seeds) if variance is None else variance
    scale = np.sqrt(wanted / observed * n_seeds / (n_seeds - 1))
    moved = scale * (of_seeds[drawn, 0].mean(axis=0) - mean[0])
    moved[0] = 0.0
    return mean + moved


def variance_of_seeds(of_seeds: Floats) -> float:
    """The variance between seeds on any slides: what is seen between them less what the slides make of it.

    of_seeds (seeds, 1 + resamples). Two seeds differ on a few slides even if they are equally good on all
    slides; how much follows from how their differences spread over resamples of slides. 0 for one seed.
    """
    n_seeds = len(of_seeds)
    if n_seeds == 1:
        return 0.0
    resampled = of_seeds[:, 1:]
    resampled = resampled[:, ~np.isnan(resampled).any(axis=0)]
    from_slides = 0.0
    if resampled.size:
        from_slides = float(np.var(resampled - resampled.mean(axis=0), axis=1).sum()) / (n_seeds - 1)
    return max(0.0, float(np.var(of_seeds[:, 0], ddof=1)) - from_slides)


def variances_of_seeds(means: Mapping[str, Floats]) -> dict[str, tuple[float, int]]:
    """Of each model the variance between seeds, and the number of seeds that it is as good as known from.

    means: of each model (seeds, 1 + resamples). A handful of seeds tells little of how far they spread, and
    two hardly anything, so all models lend each other their degrees of freedom; a model takes the
    variance that they have in the mean where its own is smaller.
    """
    own = {name: variance_of_seeds(values) for name, values in means.items()}
    degrees = {name: len(values) - 1 for name, values in means.items()}
    known = sum(degrees.values())
    pooled = sum(own[name] * degrees[name] for name in own) / known if known else 0.0
    return {name: (max(own[name], pooled), known + 1) for name in own}


def save_draws(draws: Draws, path: Path) -> None:
    """Write draws as one file of arrays, whole or not at all."""
    # Through an open file: NumPy would add its own ending to the name of the temporary one.
    with whole_file(path) as temporary, Path(temporary).open("wb") as file:
        np.savez(
            file,
            seeds=np.array(draws.seeds, dtype=np.int64),
            species=np.array(draws.species, dtype=np.str_),
            n_truth=draws.n_truth,
            ap50=draws.ap50,
            ap50_95=draws.ap50_95,
        )


def load_draws(path: Path) -> Draws:
    """Read what ``save_draws`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Draws(
            seeds=tuple(arrays["seeds"].tolist()),
            species=tuple(arrays["species"].tolist()),
            n_truth=arrays["n_truth"],
            ap50=arrays["ap50"],
            ap50_95=arrays["ap50_95"],
        )
