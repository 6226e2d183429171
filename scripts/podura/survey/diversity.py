"""Diversity of samples: richness, Shannon, Simpson and Hill numbers, intervals from draws of the counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: In the order of the table's rows.
INDICES = ("richness", "shannon", "simpson", "hill_0", "hill_1", "hill_2")
#: An estimated number from which a species counts as one that is there.
PRESENT = 0.5


def diversity(counts: NDArray[np.int64] | Floats) -> Floats:
    """The indices of communities (..., species), as (..., indices) in the order of ``INDICES``.

    Shannon's entropy with the natural logarithm; Simpson's 1 - sum of squared shares; Hill numbers of order
    0, 1 and 2 (Hill 1973, doi:10.2307/1934352), the effective numbers of species. Equal to scikit-bio's (a
    test compares them), for many draws at once. Numbers below ``PRESENT`` do not count as a species there.
    Without any animal the richness is 0 and the rest is not defined.
    """
    kept = np.where(np.asarray(counts) >= PRESENT, counts, 0.0).astype(np.float64)
    total = kept.sum(axis=-1, keepdims=True)
    share = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    richness = (kept > 0).sum(axis=-1).astype(np.float64)
    empty = total[..., 0] <= 0
    shannon = np.where(empty, np.nan, np.maximum(-(share * logarithm).sum(axis=-1), 0.0))
    dominance = np.where(empty, 1.0, (share**2).sum(axis=-1))
    simpson = np.where(empty, np.nan, 1 - dominance)
    second = np.where(empty, np.nan, 1 / dominance)
    return np.stack([richness, shannon, simpson, richness, np.exp(shannon), second], axis=-1)


def diversity_intervals(
    estimate: Floats, draws: NDArray[np.int64] | Floats, confidence: float
) -> tuple[Floats, Floats, Floats]:
    """The indices of an estimate (species,) and the ends of their intervals from draws (draws, species).

    Draws without any animal leave the index undefined and are passed over; where all are, it has no interval.
    """
    value = diversity(estimate)
    drawn = diversity(draws)
    low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
    tail = (1 - confidence) / 2
    for place in range(len(value)):
        known = drawn[:, place][~np.isnan(drawn[:, place])]
        if known.size and not np.isnan(value[place]):
            ends = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
            low[place] = min(ends[0], value[place])
            high[place] = max(ends[1], value[place])
    return value, low, high
