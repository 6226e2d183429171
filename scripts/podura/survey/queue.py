"""What people check first: a random part that estimates rest on, then what a check is worth most.

The random part has known inclusion probabilities, so that estimates from it hold whatever the detector
does (Horvitz & Thompson 1952, J. Am. Stat. Assoc. 47:663). Each detection has a number between 0 and 1 of
its own that follows from the seed and its id (permanent random numbers: Ohlsson 1995, "Coordination of
samples using permanent random numbers"); it is drawn if that number lies below its probability (Poisson
sampling). So a greater number of checks keeps those that were drawn before, and images that come into the
survey later leave the others' numbers as they are. Within the random part the order is that of number
divided by probability: whoever stops early has still checked a random part, of proportionally smaller
probabilities.

Probabilities follow the spread of the unknown answer, sqrt(p (1 - p)) with p the chance that the detection
is right, and balance large and small counts: the expected number of checks of a sample and species grows
with the root of its total spread (power allocation: Bankier 1988, Am. Stat. 42:174).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from podura import tables
from podura.annotations.overlaps import close_pairs
from podura.configuration.surveys import ReviewSettings
from podura.tables import BOX_COLUMNS

Floats = NDArray[np.float64]

#: A chance of being right is never taken for 0 or 1: the evidence is finite.
LEAST_CHANCE = 0.02
#: Detections of a species that the evidence must hold before it stands for itself.
_ENOUGH = 30
#: Boxes of two species that overlap by this much are taken for the same animal.
CONFLICT_IOU = 0.5
#: Width, in logits of the score, of the zone around a threshold in which a detection is in doubt.
_NEAR = 0.5


def review_queue(
    detections: pd.DataFrame,
    images: pd.DataFrame,
    amounts: ReviewSettings,
    seed: int,
    evidence: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The queue as tables.REVIEW_QUEUE.

    detections: as machine/detections.parquet of the survey (detection, image, sample, species, score, box,
    threshold). images: image, sample, status; only those that are ``ok`` are drawn. evidence: species,
    score, truth_species of detections on annotated slides, by which scores become chances; without it the
    scores are taken as they are. The number of random detections is as asked for on average. Same input and
    seed, same queue, whatever the order of the rows.
    """
    found = detections.sort_values("detection", kind="stable").reset_index(drop=True)
    chance = chance_right(found, evidence)
    drawn = _random_detections(found, chance, amounts.random, seed)
    pictures = _random_images(images, amounts.images, seed)
    targeted = _targeted(found, chance, set(drawn["detection"]), amounts.targeted)
    parts = [part for part in (drawn, pictures, targeted) if len(part)]
    queue = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=tables.REVIEW_QUEUE.names)
    queue["position"] = np.arange(1, len(queue) + 1)
    return tables.REVIEW_QUEUE.frame(queue.reindex(columns=tables.REVIEW_QUEUE.names))


def chance_right(detections: pd.DataFrame, evidence: pd.DataFrame | None) -> Floats:
    """Chance that each detection is right: in (0, 1), never falling with the score within a species.

    From ``evidence`` by isotonic regression on the score (Zadrozny & Elkan 2002, KDD), by species where it
    holds enough of them, else of all species together; without evidence the score itself.
    """
    scores = detections["score"].to_numpy(dtype=np.float64)
    chances = scores.copy()
    if evidence is not None and len(evidence):
        right = (evidence["truth_species"] == evidence["species"]).fillna(False).to_numpy(dtype=bool)
        of_evidence = evidence["score"].to_numpy(dtype=np.float64)
        chances = _regressed(scores, of_evidence, right)
        for species, rows in evidence.groupby("species").indices.items():
            mine = (detections["species"] == species).to_numpy(dtype=bool)
            if len(rows) >= _ENOUGH and mine.any():
                chances[mine] = _regressed(scores[mine], of_evidence[rows], right[rows])
    return np.clip(chances, LEAST_CHANCE, 1 - LEAST_CHANCE)


def _regressed(scores: Floats, known: Floats, right: NDArray[np.bool_]) -> Floats:
    order = np.argsort(known, kind="stable")
    levels, place, counts = np.unique(known[order], return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=right[order].astype(np.float64)) / counts
    fitted = isotonic_regression(shares, weights=counts, increasing=True).x
    return np.interp(scores, levels, fitted)


def permanent_numbers(seed: int, what: str, keys: Iterable[str]) -> Floats:
    """A number in (0, 1) for each key, from the seed, the purpose and the key alone."""
    numbers = []
    for key in keys:
        digest = hashlib.sha256(f"{seed}:{what}:{key}".encode("utf-8", "surrogatepass")).digest()
        numbers.append(((int.from_bytes(digest[:8], "big") >> 11) + 0.5) / 2.0**53)
    return np.array(numbers, dtype=np.float64)


def inclusion_probabilities(weights: Floats, expected: int) -> Floats:
    """Probabilities proportional to positive weights, at most 1, that sum to ``expected`` (or to all)."""
    if expected >= len(weights):
        return np.ones(len(weights))
    probabilities = np.zeros(len(weights))
    certain = np.zeros(len(weights), dtype=bool)
    while True:
        free = ~certain
        share = (expected - certain.sum()) / weights[free].sum()
        probabilities[free] = weights[free] * share
        probabilities[certain] = 1.0
        above = free & (probabilities >= 1)
        if not above.any():
            return probabilities
        certain |= above
        if certain.sum() >= expected:
            # Rounding of the last steps only: what is certain is as many as were asked for.
            return np.where(certain, 1.0, np.maximum(probabilities, np.finfo(np.float64).tiny))


def _random_detections(found: pd.DataFrame, chance: Floats, wanted: int, seed: int) -> pd.DataFrame:
    if not len(found) or wanted <= 0:
        return found.iloc[:0].assign(kind="detection", reason="random", probability=1.0)
    spread = np.sqrt(chance * (1 - chance))
    in_group = pd.Series(spread).groupby(_groups(found)).transform("sum").to_numpy(dtype=np.float64)
    probabilities = inclusion_probabilities(spread / np.sqrt(in_group), wanted)
    numbers = permanent_numbers(seed, "review detection", found["detection"])
    drawn = found.assign(
        kind="detection", reason="random", probability=probabilities, order=numbers / probabilities
    )
    return drawn[numbers < probabilities].sort_values(["order", "detection"], kind="stable")


def _groups(found: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each sample and species; detections without a sample are one more sample."""
    return found.groupby(["sample", "species"], dropna=False, sort=False).ngroup().to_numpy(dtype=np.int64)


def _random_images(images: pd.DataFrame, wanted: int, seed: int) -> pd.DataFrame:
    """Images drawn without replacement within each sample, as evenly over the samples as may be.

    Where there are fewer than samples, the samples that give an image are drawn as well.
    """
    usable = images[images["status"].eq("ok")].sort_values("image", kind="stable")
    usable = usable.assign(number=permanent_numbers(seed, "review image", usable["image"]))
    samples = [
        of_sample.sort_values("number") for _, of_sample in usable.groupby("sample", dropna=False, sort=True)
    ]
    if not samples or wanted <= 0:
        return pd.DataFrame(columns=["kind", "image", "sample", "reason", "probability"])
    if wanted < len(samples):
        names = [f"{one['sample'].iloc[0]}" for one in samples]
        first = np.argsort(permanent_numbers(seed, "review sample", names), kind="stable")[:wanted]
        share = wanted / len(samples)
        chosen = [samples[place].head(1).assign(probability=share / len(samples[place])) for place in first]
    else:
        sizes = np.array([len(one) for one in samples])
        taken = even_shares(sizes, wanted)
        chosen = [
            one.head(count).assign(probability=count / len(one))
            for one, count in zip(samples, taken, strict=True)
        ]
    drawn = pd.concat(chosen)
    return drawn.assign(kind="image", reason="image").sort_values("number", kind="stable")


def even_shares(sizes: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """How many of each group, as evenly as may be and never more than it has; first groups first."""
    taken = np.zeros(len(sizes), dtype=np.int64)
    left = min(wanted, int(sizes.sum()))
    while left:
        open_groups = np.flatnonzero(taken < sizes)
        step = max(1, left // len(open_groups))
        for place in open_groups:
            more = min(step, int(sizes[place] - taken[place]), left)
            taken[place] += more
            left -= more
    return taken


def _targeted(found: pd.DataFrame, chance: Floats, drawn: set[str], wanted: int) -> pd.DataFrame:
    """Detections whose check is worth most for its own count: doubt over what is sure of that count."""
    if not len(found) or wanted <= 0:
        return found.iloc[:0].assign(kind="detection", reason="uncertain", probability=math.nan)
    doubt = np.maximum.reduce([chance * (1 - chance), _near_threshold(found), _conflicts(found)])
    groups = pd.Series(chance).groupby(_groups(found)).transform("sum").to_numpy(dtype=np.float64)
    others = np.maximum(groups - chance, 0.0)
    worth = doubt / (1 + others)
    rows = found.assign(
        kind="detection",
        # Whether the species lives in the sample at all hangs on this detection.
        reason=np.where(others < 1, "rare", "uncertain"),
        probability=math.nan,
        worth=worth,
    )
    rows = rows[~rows["detection"].isin(drawn)]
    return rows.sort_values(["worth", "detection"], ascending=[False, True], kind="stable").head(wanted)


def _near_threshold(found: pd.DataFrame) -> Floats:
    """Up to a quarter, as p (1 - p) at p = 0.5, for a score at its threshold; 0 without a threshold."""
    score = np.clip(found["score"].to_numpy(dtype=np.float64), 1e-6, 1 - 1e-6)
    threshold = np.clip(found["threshold"].to_numpy(dtype=np.float64, na_value=np.nan), 1e-6, 1 - 1e-6)
    distance = np.log(score / (1 - score)) - np.log(threshold / (1 - threshold))
    return np.nan_to_num(0.25 * np.exp(-0.5 * (distance / _NEAR) ** 2), nan=0.0)


def _conflicts(found: pd.DataFrame) -> Floats:
    """Up to a quarter where another species' box of like score lies on the same place."""
    doubt = np.zeros(len(found))
    boxes = found[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
    scores = found["score"].to_numpy(dtype=np.float64)
    codes = pd.factorize(found["species"])[0]
    for rows in found.groupby("image", sort=False).indices.values():
        for first, second, _ in close_pairs([tuple(box) for box in boxes[rows].tolist()], CONFLICT_IOU):
            one, other = rows[first], rows[second]
            if codes[one] != codes[other]:
                low, high = sorted((scores[one], scores[other]))
                like = 0.25 * low / high if high > 0 else 0.0
                doubt[one], doubt[other] = max(doubt[one], like), max(doubt[other], like)
    return doubt
