"""Other ways to count, judged beside Podura's: each gives an estimate and an interval by species."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import chi2, t

from podura.survey.checked import CheckedSample, active, bins_of, chances_of_checks, decided
from simulated_surveys import SPECIES, Drawn

Floats = NDArray[np.float64]
Result = tuple[Floats, Floats, Floats]
TARGET = 0.95


def target_thresholds(slides: Drawn) -> Floats:
    """Lowest score of each species from which 95 % of its detections on the annotated slides are right."""
    result = []
    for code in SPECIES:
        mine = slides.detections[slides.detections["species"] == code].sort_values("score", ascending=False)
        right = mine["truth_species"].eq(code).to_numpy(dtype=bool)
        precision = right.cumsum() / np.arange(1, len(right) + 1)
        kept = np.flatnonzero(precision >= TARGET)
        result.append(mine["score"].iloc[kept[-1]] if len(kept) else 1.1)
    return np.array(result)


def naive(counts: Floats, confidence: float) -> Result:
    """The accepted detections as they are, with Garwood's interval of a Poisson mean (1936)."""
    tail = (1 - confidence) / 2
    low = np.where(counts > 0, chi2.ppf(tail, 2 * counts) / 2, 0.0)
    return counts, low, chi2.ppf(1 - tail, 2 * counts + 2) / 2


class PrecisionRecall:
    """Counts times precision over recall of the species, interval from 400 resamples of the slides."""

    def __init__(self, slides: Drawn, thresholds: Floats, generator: Generator) -> None:
        names = sorted(slides.images["slide"].unique())
        place = {name: row for row, name in enumerate(names)}
        detected, right, animals = np.zeros((3, len(names), len(SPECIES)))
        for kind, (code, least) in enumerate(zip(SPECIES, thresholds, strict=True)):
            mine = slides.detections[
                slides.detections["species"].eq(code) & (slides.detections["score"] >= least)
            ]
            rows = mine["slide"].map(place).to_numpy(dtype=np.int64)
            detected[:, kind] = np.bincount(rows, minlength=len(names))
            hit = mine["truth_species"].eq(code).to_numpy(dtype=bool)
            right[:, kind] = np.bincount(rows[hit], minlength=len(names))
            there = slides.truths.loc[slides.truths["species"] == code, "slide"].map(place).astype("int64")
            animals[:, kind] = np.bincount(there, minlength=len(names))
        weights = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=400)
        weights = np.concatenate([np.ones((1, len(names))), weights])
        hits = np.maximum(weights @ right, 0.5)
        precision = hits / np.maximum(weights @ detected, 1.0)
        recall = hits / np.maximum(weights @ animals, 1.0)
        self.factor = precision / recall

    def __call__(self, counts: Floats, confidence: float, generator: Generator) -> Result:
        drawn = generator.poisson(counts, size=(400, len(SPECIES))) * self.factor[1:]
        tail = (1 - confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        return counts * self.factor[0], low, high


class FromChecks:
    """Horvitz-Thompson, and the difference estimator of prediction-powered inference, from random checks.

    Both add missed animals as Horvitz and Thompson do from images drawn at random within the survey.
    """

    def __init__(
        self,
        drawn: Drawn,
        decisions: pd.DataFrame,
        queue: pd.DataFrame,
        edges: Floats,
        composition: Floats,
    ) -> None:
        found = drawn.detections.reset_index(drop=True)
        code = found["species"].map({name: k for k, name in enumerate(SPECIES)}).to_numpy(dtype=np.int64)
        verdicts = decided(found, decisions, SPECIES)
        self.random = verdicts["random"].to_numpy()
        self.chance = chances_of_checks(found, self.random, queue)
        self.true = verdicts["verdict"].to_numpy()[:, None] == np.arange(len(SPECIES))
        kind = bins_of(code, found["score"].to_numpy(), edges)
        self.expected = composition[code, kind, :-1]
        self.rows = found.groupby("sample").indices
        held = active(decisions)
        self.done = held[held["action"] == "image_done"]
        self.adds = held[held["action"] == "add"]

    def __call__(self, sample: CheckedSample, powered: bool, confidence: float) -> Result:
        rows = self.rows.get(sample.sample, np.zeros(0, dtype=np.int64))
        checked = rows[self.random[rows]]
        weight = 1 / self.chance[checked][:, None]
        expected = self.expected if powered else np.zeros_like(self.expected)
        residual = self.true[checked] - expected[checked]
        estimate = expected[rows].sum(axis=0) + (weight * residual).sum(axis=0)
        variance = ((weight - 1) * weight * residual**2).sum(axis=0)
        images = self.done.loc[self.done["sample"] == sample.sample, "image"].unique()
        if len(images):
            adds = self.adds[self.adds["image"].isin(images)]
            missed = pd.crosstab(adds["image"], adds["species"]).reindex(
                index=images, columns=list(SPECIES), fill_value=0
            )
            estimate = estimate + sample.images * missed.to_numpy().mean(axis=0)
            if len(images) > 1:
                spread = missed.to_numpy().var(axis=0, ddof=1) / len(images)
                variance = variance + sample.images**2 * spread * (1 - len(images) / sample.images)
        degrees = max(len(checked) + len(images) - 2, 1)
        half = t.ppf((1 + confidence) / 2, degrees) * np.sqrt(variance)
        return estimate, np.maximum(estimate - half, 0.0), estimate + half
