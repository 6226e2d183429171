"""Studies with folds: several models of one study judge overlapping sets of its slides.

Every fold has its own model and deals the study's slides anew to test (each slide once over all folds),
train, validation and calibration. What two models do on a slide is alike: the slide has one effect, and
most of its detections are made by both, right or wrong together. Models differ in how good they are, which
depends on the slides that they were trained on, others' calibration slides among them.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from simulated_studies import Draws, Setting

#: Shares of train, validation and calibration among the slides of a fold that are not tested.
SHARES = (0.53, 0.2, 0.27)
#: Of a model's detections, those that are right or wrong as another model's on the same slide are.
ALIKE = 0.6
# Spread of the models' log odds that comes from the slides they were trained on, and from chance.
_TRAINED, _CHANCE = 0.15, 0.15


def draw_folds(setting: Setting, folds: int, repeats: int, generator: Generator) -> tuple[Draws, Draws]:
    """Validation and calibration of all folds, pooled as Podura does it.

    Both hold all slides of the study (``setting.slides``); a slide's detections are those of all models that
    have it in the part. Validation leaves out the slides that are calibration slides of any fold. The
    models' effects are centred, so that their mean precision is that of the population.
    """
    slides = setting.slides
    quantile = generator.random((repeats, slides))
    effect = setting.slide_effects(quantile)
    in_part = np.stack([_dealt(slides, folds, generator) for _ in range(repeats)])
    trained = in_part == 0
    of_model = _TRAINED * np.sqrt(trained.sum(axis=2)) * _mean(effect, trained) / max(setting.sigma, 1e-9)
    if not setting.sigma:
        of_model = np.zeros(of_model.shape)
    of_model = of_model + _CHANCE * generator.standard_normal(of_model.shape)
    of_model -= of_model.mean(axis=1, keepdims=True)
    number = generator.poisson(setting.sizes_of(quantile)).ravel()
    slide = np.repeat(np.arange(repeats * slides), number)
    rank, shared = generator.random(len(slide)), generator.random(len(slide))
    of_slide = effect.ravel()[slide]
    calibrated = (in_part == 2).any(axis=1)
    found: dict[int, list[tuple[np.ndarray, ...]]] = {1: [], 2: []}
    for fold in range(folds):
        # A shared luck decides most detections of all models alike, the others each by itself.
        luck = np.where(generator.random(len(slide)) < ALIKE, shared, generator.random(len(slide)))
        odds = setting.log_odds(rank) + of_slide + of_model[:, fold][slide // slides]
        right = luck < 1 / (1 + np.exp(-odds))
        part = in_part[:, fold].ravel()[slide]
        for of_part, rows in found.items():
            mine = part == of_part
            if of_part == 1:
                mine &= ~calibrated.ravel()[slide]
            rows.append((slide[mine], setting.scores(rank[mine]), right[mine]))
    validation, calibration = (_joined(rows, repeats, slides) for rows in found.values())
    return validation, calibration


def _dealt(slides: int, folds: int, generator: Generator) -> np.ndarray:
    """Part of every slide in each fold (folds, slides): 0 train, 1 validation, 2 calibration, 3 test."""
    tested = np.array_split(generator.permutation(slides), folds)
    parts = np.full((folds, slides), 3)
    for fold, test in enumerate(tested):
        others = generator.permutation(np.setdiff1d(np.arange(slides), test))
        ends = np.rint(np.cumsum(SHARES) * len(others)).astype(int)
        parts[fold, others] = np.searchsorted(ends, np.arange(len(others)), side="right").clip(max=2)
    return parts


def _mean(effect: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean effect of the chosen slides of each repeat and fold."""
    return np.einsum("rs,rfs->rf", effect, chosen.astype(float)) / np.maximum(chosen.sum(axis=2), 1)


def _joined(rows: list[tuple[np.ndarray, ...]], repeats: int, slides: int) -> Draws:
    slide, score, right = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(slide // slides - score, kind="stable")
    truths = np.zeros((repeats, slides), dtype=np.int64)
    return Draws(repeats, slides, slide[order], score[order], right[order], truths)
