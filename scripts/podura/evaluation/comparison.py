"""Which of two models is better, and how the models rank, as far as the test slides can tell.

All from the same resamples of slides (and, within a model, of seeds), so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.draws import Draws, over_seeds, variances_of_seeds
from podura.evaluation.intervals import (
    NO_INTERVAL,
    Interval,
    degrees_of_freedom,
    difference_interval,
    student,
    wider,
)
from podura.tables import ALL_SEEDS, BENCHMARK_COMPARISONS, BENCHMARK_RANKS

Floats = NDArray[np.float64]
# Of sums of numbers from 0 to 1.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ComparisonSettings:
    """confidence of the intervals; random_seed of the study; n_slides of the test part."""

    confidence: float
    random_seed: int
    n_slides: int


def comparisons_table(
    draws: Mapping[str, Draws], labels: Mapping[str, str], settings: ComparisonSettings
) -> pd.DataFrame:
    """The table benchmark_comparisons: one row a pair of models, the better one first.

    The joint interval holds for all pairs at once: its width follows from the largest standardised
    deviation over all pairs in each resample (Westfall & Young 1993), so a verdict does not come from having
    looked at many pairs.
    """
    primary, of_primary = _all_resampled(draws, "map50_95", settings)
    secondary, of_secondary = _all_resampled(draws, "map50", settings)
    names = sorted(draws, key=lambda name: -np.nan_to_num(primary[name][0], nan=-1.0))
    pairs = list(combinations(names, 2))
    joint = _joint_intervals(
        [primary[a] - primary[b] for a, b in pairs],
        [_degrees(draws, a, b, "map50_95", of_primary, settings) for a, b in pairs],
        settings,
    )
    rows = []
    for (better, other), (joint_low, joint_high) in zip(pairs, joint, strict=True):
        difference = primary[better] - primary[other]
        degrees = _degrees(draws, better, other, "map50_95", of_primary, settings)
        low, high = _interval(difference, degrees, settings)
        of_map50 = secondary[better] - secondary[other]
        degrees = _degrees(draws, better, other, "map50", of_secondary, settings)
        low50, high50 = _interval(of_map50, degrees, settings)
        row = {
            "model": better,
            "other": other,
            "difference": difference[0],
            "difference_low": low,
            "difference_high": high,
            "joint_low": joint_low,
            "joint_high": joint_high,
            "chance_better": _chance(difference[1:]) if _spread_is_seen(difference, settings) else np.nan,
            "verdict": _verdict(joint_low, joint_high),
            "map50_difference": of_map50[0],
            "map50_difference_low": low50,
            "map50_difference_high": high50,
        }
        caveat = _caveat(draws[better].seeds, draws[other].seeds)
        rows.append({**row, "statement": _statement(row, labels, settings, caveat)})
    return BENCHMARK_COMPARISONS.frame(rows)


def ranks_table(draws: Mapping[str, Draws], settings: ComparisonSettings) -> pd.DataFrame:
    """The table benchmark_ranks: how often each model has each rank by mAP50:95 in the resamples.

    Models that are equal share the chance of the ranks that they take. Missing with one slide or no truth.
    """
    names = list(draws)
    if not names:
        return BENCHMARK_RANKS.frame([])
    resampled, _ = _all_resampled(draws, "map50_95", settings)
    values = np.array([resampled[name][1:] for name in names])
    # On one slide every resample is the same, which does not make the ranking certain.
    told = settings.n_slides > 1
    values = values[:, ~np.isnan(values).any(axis=0) & told]
    chances = rank_chances(values)
    return BENCHMARK_RANKS.frame(
        [
            {"model": name, "rank": rank + 1, "chance": chances[place, rank]}
            for place, name in enumerate(names)
            for rank in range(len(names))
        ]
    )


def rank_chances(values: Floats) -> Floats:
    """The share of columns in which each row (a model) has each rank, best first: (models, models).

    NaN without columns.
    """
    n_models, n_draws = values.shape
    if not n_draws:
        return np.full((n_models, n_models), np.nan)
    chances = np.zeros((n_models, n_models))
    above = (values[None] > values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)  # itself among them
    for rank in range(n_models):
        has = (above <= rank) & (rank < above + equal)
        chances[:, rank] = (has / equal).sum(axis=1)
    return chances / n_draws


def _all_resampled(
    draws: Mapping[str, Draws], metric: str, settings: ComparisonSettings
) -> tuple[dict[str, Floats], dict[str, tuple[float, int]]]:
    """The mean of each model in each resample, and what ``variances_of_seeds`` gives."""
    means = {name: one.means(metric) for name, one in draws.items()}
    variances = variances_of_seeds(means)
    resampled = {
        name: over_seeds(values, settings.random_seed, name, variances[name][0])
        for name, values in means.items()
    }
    return resampled, variances


def _degrees(
    draws: Mapping[str, Draws],
    model: str,
    other: str,
    metric: str,
    variances: Mapping[str, tuple[float, int]],
    settings: ComparisonSettings,
) -> float:
    """Degrees of freedom of the difference of two models: slides are shared, seeds are each model's own."""
    of_model, of_other = draws[model].means(metric), draws[other].means(metric)
    drawn = of_model[:, 1:].mean(axis=0) - of_other[:, 1:].mean(axis=0)
    drawn = drawn[~np.isnan(drawn)]
    between_slides = float(np.var(drawn)) if drawn.size else 0.0
    # One part: what is known of how seeds spread is known from all models together.
    of_seeds = sum(
        variances[name][0] / len(values)
        for name, values in ((model, of_model), (other, of_other))
        if len(values) > 1
    )
    return degrees_of_freedom((between_slides, settings.n_slides), (of_seeds, variances[model][1]))


def _interval(difference: Floats, degrees: float, settings: ComparisonSettings) -> Interval:
    if not _spread_is_seen(difference, settings):
        return NO_INTERVAL
    return difference_interval(
        float(difference[0]),
        difference[1:],
        degrees=degrees,
        confidence=settings.confidence,
        n_slides=settings.n_slides,
    )


def _spread_is_seen(difference: Floats, settings: ComparisonSettings) -> bool:
    """Whether the resamples can tell how a difference varies between slides.

    They cannot with one slide, nor where only one has truth: every resample then says the same.
    """
    if settings.n_slides < 2 or np.isnan(difference[0]):
        return False
    return difference[0] == 0 or bool(_spread(difference) > _ROUNDING)


def _spread(difference: Floats) -> float:
    known = difference[1:][~np.isnan(difference[1:])]
    return float(np.std(known)) if known.size else 0.0


def _joint_intervals(
    differences: Sequence[Floats], degrees: Sequence[float], settings: ComparisonSettings
) -> list[Interval]:
    from scipy.special import ndtr

    spreads = [_spread(one) for one in differences]
    deviations = np.array(
        [
            np.abs(one[1:] - one[0]) / spread
            for one, spread in zip(differences, spreads, strict=True)
            if spread > _ROUNDING and _spread_is_seen(one, settings)
        ]
    )
    if not len(deviations):
        return [
            (float(one[0]), float(one[0])) if _spread_is_seen(one, settings) else NO_INTERVAL
            for one in differences
        ]
    # A resample that draws no truth tells nothing of any pair.
    largest = np.nanmax(deviations[:, ~np.isnan(deviations).all(axis=0)], axis=0)
    normal = float(np.quantile(largest, settings.confidence))
    intervals = []
    for one, spread, of_one in zip(differences, spreads, degrees, strict=True):
        if not _spread_is_seen(one, settings):
            intervals.append(NO_INTERVAL)
            continue
        # As wide for Student's t as this is for the normal distribution.
        half = spread * wider(student(2 * float(ndtr(normal)) - 1, of_one), settings.n_slides)
        intervals.append((float(one[0] - half), float(one[0] + half)))
    return intervals


def _chance(difference: Floats) -> float:
    known = difference[~np.isnan(difference)]
    if not known.size:
        return float("nan")
    return float(np.mean(known > 0) + 0.5 * np.mean(known == 0))


def _verdict(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _caveat(*seeds: Sequence[int]) -> str:
    """What of the chance of training an interval does not hold, in words; nothing where it holds it."""
    alone = [of_model[0] for of_model in seeds if len(of_model) == 1]
    if not alone:
        return ""
    if ALL_SEEDS in alone:
        return "where all seeds are fused, what other seeds would change is not in it"
    return "with one seed, what another seed would change is not in it"


def _statement(
    row: Mapping[str, float | str],
    labels: Mapping[str, str],
    settings: ComparisonSettings,
    caveat: str,
) -> str:
    better, other = labels[str(row["model"])], labels[str(row["other"])]
    if np.isnan(row["difference"]):
        return f"Nothing can be said of {better} and {other}: no species has a specimen on the test slides."
    numbers = f"difference in mean AP50:95 {row['difference']:.3f}"
    if np.isnan(row["difference_low"]):
        if row["difference"] == 0:
            return f"{better} and {other} score the same here, on too few slides to tell more."
        return f"{better} scores higher than {other} here ({numbers}), on too few slides to tell more."
    numbers += (
        f", {100 * settings.confidence:g}\u00a0% interval {row['difference_low']:.3f} to "
        f"{row['difference_high']:.3f}".replace("-", "−")
    )
    ending = f"; {caveat}." if caveat else "."
    if row["verdict"] == "better":
        return f"{better} is better than {other} on slides like these: {numbers}{ending}"
    if float(row["difference_low"]) > 0:
        return (
            f"{better} may be better than {other}, but among so many pairs one may look so by chance: "
            f"{numbers}{ending}"
        )
    return f"These slides do not tell {better} from {other}: {numbers}{ending}"
