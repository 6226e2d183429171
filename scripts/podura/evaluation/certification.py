"""Certified thresholds: with a probability of at least 1 − δ the precision on new slides keeps its target.

The procedure, for one species and one frozen pipeline (Learn then Test, Angelopoulos et al. 2025,
doi:10.1214/24-AOAS1998):

1. Candidates, from the validation slides alone: the scores that keep 5, 10, … 100 % of the right
   detections there, from the strictest to the most lenient.
2. A start, from the validation slides alone: the candidate with the best prospect, that is the largest
   margin below the allowed rate of errors in units of its standard error, smoothed over neighbours.
3. On the calibration slides, which nothing else has used, a candidate is tested for "precision below
   the target" (precision_tests, with the design effect of clustering): first the start, at the whole
   δ, then one candidate after the other towards lower scores, each at δ, until a test fails. In this
   fixed sequence (Maurer et al. 1995; the fallback procedure of Wiens & Dmitrienko 2005,
   doi:10.1080/10543400500265660, with all its weight on one start) the chance of certifying any
   candidate that is below the target is at most δ, whatever the shape of the precision curve.
4. The last candidate that passed, which has the highest recall, is certified.

Where validation shows no right detection, it cannot propose a start: then the candidates keep 5, 10, …
100 % of all detections, and three starts (20, 45, 70 %) share δ; what one has won passes to the next.

Chosen by simulation (tests/benchmarks/certification.py, resources/certification) over three and more
starts that share δ, seven quantiles with Bonferroni, and the design effect of Korn & Graubard, which lets
more than 5 % of certificates fail where slides differ much. What it rests on: the calibration slides are
exchangeable with those on which the threshold is used, and there are slides of every kind among them: a
sort of bad slide that no calibration or validation slide shows cannot be seen by any method.

The functions on counts take arrays with any leading axes, so that the simulation runs this very code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.evaluation.clustering import Counts, design_effect, slide_effect
from podura.evaluation.needs import Needed, needed
from podura.evaluation.precision_tests import p_values, precision_lower
from podura.evaluation.ranking import Ranking, iou_index

#: What of a trained model (the keys of its model.json) a threshold belongs to.
PIPELINE = ("adapter", "architecture", "image_size", "tiling", "species", "weights_sha256")

CERTIFIED, NEEDS_MORE, FAILED = "certified", "needs_more", "failed"
#: Where validation proposes no start: shares of the detections kept, and that of δ which each gets.
PLAIN_STARTS = (0.2, 0.45, 0.7)
#: By how many standard errors the difference between slides is taken for larger than estimated. With folds
#: pooled, models are trained on others' calibration slides, and a slide counts as often as it is one.
MARGIN, MARGIN_POOLED = 1.0, 2.0
# Candidates over which prospects are averaged. A single lucky validation slide makes no start.
_SMOOTHED = 5

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class CertificateSettings:
    """What a certificate states.

    iou_percent: the overlap from which a detection is right. target_precision: what is certified. delta:
    the allowed chance of a wrong certificate. n_joint: over how many species it holds jointly (Bonferroni:
    each gets delta / n_joint), 1 for each species by itself. candidates: how many thresholds are tried.
    pooled: with folds, one certificate for all of them (judging.judge).
    """

    iou_percent: int
    target_precision: float
    delta: float = 0.05
    n_joint: int = 1
    candidates: int = 20
    pooled: bool = False

    @property
    def level(self) -> float:
        """The chance of a wrong certificate for one species."""
        return self.delta / self.n_joint


@dataclass(frozen=True)
class Certificate:
    """A threshold, or why there is none, with the evidence from the calibration slides.

    status: certified; needs_more, where the target is possible but not proved; failed, where no
    candidate reaches the target on the calibration slides. threshold: the certified one, else None.
    candidate: the score to which n, errors, slides, deff, precision_lower and p_value belong: the certified
    one, else the start (None where there is none); n: calibration detections at or above it, of which
    errors are wrong, on so many slides; deff: the design effect, None where it cannot be told (one slide);
    precision_lower: one-sided bound at 1 − level. needs: about what would do, where status is needs_more.
    """

    status: str
    threshold: float | None
    candidate: float | None
    n: int
    errors: int
    slides: int
    deff: float | None
    precision_lower: float | None
    p_value: float | None
    needs: Needed | None
    evidence: Mapping[str, Any]


def certify(validation: Ranking, calibration: Ranking, settings: CertificateSettings) -> Certificate:
    """Certify the threshold of one species.

    Raises ValueError for scores that are no numbers from 0 to 1.
    """
    for ranked in (validation, calibration):
        if not np.all((ranked.scores >= 0) & (ranked.scores <= 1)):
            raise ValueError("a score is not a number from 0 to 1")
    candidates, proposed = candidate_scores(validation, settings)
    seen = counts_at(validation, candidates, settings.iou_percent)
    tested = counts_at(calibration, candidates, settings.iou_percent)
    if not len(candidates):
        return _without_candidates(settings)
    weights = starting_weights(seen, settings.target_precision) if proposed else plain_weights(candidates)
    effect = slide_effect([tested, seen], MARGIN_POOLED if settings.pooled else MARGIN)
    deff = design_effect(tested, effect, settings.target_precision)
    p = p_values(tested.n, tested.wrong, deff, settings.target_precision)
    passed = fallback(p, weights, settings.level)
    won = int(np.flatnonzero(passed)[-1]) if passed.any() else None
    shown = int(np.flatnonzero(weights)[0]) if won is None else won
    n, errors = int(tested.n[shown]), int(tested.wrong[shown])
    status = _status(tested, won, settings.target_precision)
    return Certificate(
        status=status,
        threshold=None if won is None else float(candidates[won]),
        candidate=float(candidates[shown]),
        n=n,
        errors=errors,
        slides=int(tested.n_slides[shown]),
        deff=float(deff[shown]) if n and np.isfinite(deff[shown]) else None,
        precision_lower=precision_lower(n, errors, deff[shown], settings.level) if n else None,
        p_value=float(p[shown]) if n else None,
        needs=needed(tested, effect, weights > 0, settings.target_precision, settings.level)
        if status == NEEDS_MORE
        else None,
        evidence={
            **_statement(settings),
            "family": "fixed sequence from the start proposed by validation"
            if proposed
            else "fallback over three starts, for validation has no right detection",
            "slide_effect": float(effect),
            "start": [float(candidates[k]) for k in np.flatnonzero(weights)],
            "candidates": [
                {
                    "threshold": float(candidates[k]),
                    "n": int(tested.n[k]),
                    "errors": int(tested.wrong[k]),
                    "slides": int(tested.n_slides[k]),
                    "deff": float(deff[k]) if np.isfinite(deff[k]) else None,
                    "p_value": float(p[k]),
                    "passed": bool(passed[k]),
                }
                for k in np.flatnonzero(np.diff(candidates, append=-1.0))
            ],
        },
    )


def candidate_scores(validation: Ranking, settings: CertificateSettings) -> tuple[Floats, bool]:
    """Candidate thresholds, falling, and whether validation can propose a start among them.

    Some may be equal. Detections to be ignored do not count. None where validation has no detection.
    """
    row = iou_index(settings.iou_percent)
    right = validation.right[row]
    kept = right if right.any() else right | validation.wrong[row]
    return kept_quantiles(validation.scores[kept], settings.candidates), bool(right.any())


def kept_quantiles(falling: Floats, number: int) -> Floats:
    """The scores that keep 1 / number, 2 / number, … 1 of these falling scores."""
    if not len(falling):
        return np.zeros(0)
    places = -(-np.arange(1, number + 1) * len(falling) // number) - 1
    return falling[places]


def counts_at(ranked: Ranking, candidates: Floats, iou_percent: int) -> Counts:
    """What each candidate accepts, scores at or above it, by slide."""
    row = iou_index(iou_percent)
    counted = ranked.right[row] | ranked.wrong[row]
    slides, place = np.unique(ranked.detection_slides[counted], return_inverse=True)
    scores, wrong = ranked.scores[counted], ranked.wrong[row][counted]
    table = np.zeros((2, len(candidates), len(slides)))
    # The first candidate that accepts each detection; those after it do so, too.
    first = np.searchsorted(-candidates, -scores, side="left")
    inside = first < len(candidates)
    np.add.at(table[0], (first[inside], place[inside]), 1)
    np.add.at(table[1], (first[inside & wrong], place[inside & wrong]), 1)
    return Counts(*table.cumsum(axis=1))


def starting_weights(validation: Counts, target_precision: float) -> Floats:
    """Share of δ for each candidate (..., candidates): all of it for the one with the best prospect.

    The prospect is the margin between the allowed and the observed rate of errors over its standard error,
    with one error in 1 / (1 − target) detections added so that few detections count for little.
    """
    allowed = 1 - target_precision
    n, errors = validation.n, validation.wrong
    prospect = (allowed - (errors + 1) / (n + 1 / allowed)) * np.sqrt(n)
    best = np.argmax(_smoothed(prospect), axis=-1)
    return (np.arange(n.shape[-1]) == best[..., None]).astype(np.float64)


def _smoothed(values: Floats) -> Floats:
    """Mean over the candidate and its neighbours, as far as there are any."""
    reach = _SMOOTHED // 2
    padded = np.full((*values.shape[:-1], values.shape[-1] + 2 * reach), np.nan)
    padded[..., reach : reach + values.shape[-1]] = values
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED, axis=-1)
    return np.nanmean(windows, axis=-1)


def plain_weights(candidates: Floats) -> Floats:
    """Share of δ for each candidate: equal ones for the three plain starts."""
    weights = np.zeros(len(candidates))
    for share in PLAIN_STARTS:
        weights[max(round(share * len(candidates)) - 1, 0)] += 1 / len(PLAIN_STARTS)
    return weights


def fallback(p: Floats, weights: Floats, level: float) -> Booleans:
    """Which candidates pass (..., candidates), at a chance of at most ``level`` of any wrong one.

    From the strictest on each is tested at its own share of the level plus that of the one before, where
    that has passed (Wiens & Dmitrienko 2005). With all weight on one candidate it is the fixed
    sequence from there.
    """
    p, weights = np.broadcast_arrays(p, weights)
    passed = np.zeros(p.shape, dtype=bool)
    inherited = np.zeros(p.shape[:-1])
    for k in range(p.shape[-1]):
        share = inherited + weights[..., k] * level
        passed[..., k] = p[..., k] <= share
        # A share of nothing passes nothing, not even a p-value that is rounded to 0.
        passed[..., k] &= share > 0
        inherited = np.where(passed[..., k], share, 0.0)
    return passed


def pipeline_digest(facts: Mapping[str, Any]) -> str:
    """The hash of what a threshold belongs to: weights, image size, tiles, floor, cap, species …"""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _status(tested: Counts, won: int | None, target: float) -> str:
    if won is not None:
        return CERTIFIED
    # Without any detection nothing speaks against the target.
    hopeless = tested.n.any() and not np.any(
        tested.wrong < (1 - target) * tested.n + 1e-9, where=tested.n > 0
    )
    return FAILED if hopeless else NEEDS_MORE


def _without_candidates(settings: CertificateSettings) -> Certificate:
    nothing = {"family": "none: validation has no detection to propose a candidate", "candidates": []}
    return Certificate(
        NEEDS_MORE, None, None, 0, 0, 0, None, None, None, None, {**_statement(settings), **nothing}
    )


def _statement(settings: CertificateSettings) -> dict[str, Any]:
    return {
        "target_precision": settings.target_precision,
        "iou": settings.iou_percent / 100,
        "delta": settings.delta,
        "species_jointly": settings.n_joint,
        "level": settings.level,
        "pooled_over_folds": settings.pooled,
    }
