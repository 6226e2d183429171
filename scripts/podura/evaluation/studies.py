"""Two studies side by side: paired where they tested the same slides, else with the spread of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.errors import UserError
from podura.evaluation.comparison import ComparisonSettings
from podura.evaluation.draws import Draws, draws_of, over_seeds, variances_of_seeds
from podura.evaluation.intervals import NO_INTERVAL, Interval, degrees_of_freedom, difference_interval
from podura.evaluation.resampling import slide_weights
from podura.seeds import generator
from podura.tables import BOX_COLUMNS, COMPARED_STUDIES

Floats = NDArray[np.float64]
METRICS = ("map50_95", "map50")
# Of sums of numbers from 0 to 1.
_ROUNDING = 1e-12
# Truths are the same if their boxes are, to so many pixels.
_SAME_BOX = 0.5


@dataclass(frozen=True)
class StudyResults:
    """What is compared of a study.

    name: as people call it. species: its codes. runs: seed and test matches (tables.MATCHES, all folds
    together) of each detector. images: image and slide of every test image. best: the detector with rank 1,
    None without one. terms: the section evaluation of its configuration.
    """

    name: str
    species: tuple[str, ...]
    runs: Mapping[str, Sequence[tuple[int, pd.DataFrame]]]
    images: pd.DataFrame
    best: str | None
    terms: Mapping[str, Any]

    @property
    def slides(self) -> list[str]:
        return sorted(set(self.images["slide"]))


@dataclass(frozen=True)
class Compared:
    """The table compared_studies, and sentences on what it rests on and what could not be compared."""

    table: pd.DataFrame
    notes: tuple[str, ...]


def compare_studies(
    here: StudyResults, there: StudyResults, *, resamples: int, settings: ComparisonSettings
) -> Compared:
    """Compare detectors of the same name, and the best of each study.

    Paired (one set of resamples, Student's t on the differences) on the slides that both tested with the same
    images and truth, where these are at least two and half of the smaller test part. Else each study has
    resamples of its own test slides, and the variances add up. settings.n_slides is not used. Raises
    UserError where there is nothing in common.
    """
    species = [code for code in here.species if code in set(there.species)]
    if not species:
        raise UserError(
            f"{here.name} and {there.name} share no species ({', '.join(here.species[:5])} …; "
            f"{', '.join(there.species[:5])} …). Studies are compared by the codes of their species tables."
        )
    notes = [*_terms_notes(here, there), *_species_notes(here, there)]
    here, there = _on_equal_terms(here, there)
    shared, reason = shared_slides(here, there, species)
    smaller = min(len(here.slides), len(there.slides))
    paired = len(shared) >= max(2, smaller / 2)
    if paired:
        here, there = _on_slides(here, shared), _on_slides(there, shared)
        notes.append(
            f"Paired: both studies tested the same {len(shared)} slides with the same truth; only these "
            "count."
        )
    else:
        notes.append(
            f"Not paired: {reason} Each study is judged on its own test slides, so a difference may come "
            "from the slides as well as from the detectors; its interval holds the spread between the slides "
            "of both."
        )
    pairs = _pairs(here, there)
    if not pairs:
        raise UserError(f"{here.name} and {there.name}: one of them has no detector with results.")
    draws = _all_draws(here, there, pairs, species, resamples, settings.random_seed, paired)
    rows = []
    for model, other in pairs:
        rows += _rows(model, other, draws, (len(here.slides), len(there.slides)), paired, settings)
    if any(len(one.seeds) == 1 for one in draws.values()):
        notes.append("With one seed, what another seed would change is not in an interval.")
    notes.append("Verdicts are of each row by itself: among many rows one may look decided by chance.")
    return Compared(COMPARED_STUDIES.frame(rows), tuple(notes))


def shared_slides(here: StudyResults, there: StudyResults, species: Sequence[str]) -> tuple[list[str], str]:
    """The slides that both tested, by name, with the same images and truth; and a sentence on the others."""
    both = sorted(set(here.slides) & set(there.slides))
    if not both:
        return [], "the studies tested no slide in common."
    contents = [_contents(study, species) for study in (here, there)]
    same = [slide for slide in both if _same(contents[0][slide], contents[1][slide])]
    if len(same) == len(both):
        return same, f"the studies tested only {len(both)} slides in common."
    return same, (
        f"of {len(both)} slides of the same name {len(both) - len(same)} have other images or another truth."
    )


def _contents(study: StudyResults, species: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """By slide and name of image the truths that count or are to be ignored: species, ignore, box."""
    found: dict[str, dict[str, list[Any]]] = {}
    for image, slide in zip(study.images["image"], study.images["slide"], strict=True):
        found.setdefault(slide, {})[PurePath(image).name] = []
    runs = next(iter(study.runs.values()), [])
    for matches in [matches for _, matches in runs][:1]:
        truths = matches[(matches["kind"] == "truth") & matches["species"].isin(species)]
        for row in truths.to_dict("records"):
            box = tuple(float(row[name]) for name in BOX_COLUMNS)
            held = found[row["slide"]][PurePath(row["image"]).name]
            held.append((row["species"], bool(row["ignore"]), *box))
    return found


def _same(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> bool:
    if one.keys() != other.keys():
        return False
    for image in one:
        first, second = sorted(one[image]), sorted(other[image])
        if [truth[:2] for truth in first] != [truth[:2] for truth in second]:
            return False
        boxes = [np.array([truth[2:] for truth in side], dtype=np.float64) for side in (first, second)]
        if first and np.abs(boxes[0] - boxes[1]).max() > _SAME_BOX:
            return False
    return True


def _terms_notes(here: StudyResults, there: StudyResults) -> list[str]:
    notes = []
    for key, words in (("score_floor", "the higher score floor"), ("max_detections", "the smaller cap")):
        mine, others = here.terms[key], there.terms[key]
        if mine != others:
            notes.append(f"evaluation.{key} is {mine} here and {others} there: {words} was applied to both.")
    for key in ("iou", "target_precision"):
        mine, others = here.terms[key], there.terms[key]
        if mine != others:
            notes.append(
                f"evaluation.{key} is {mine} here and {others} there: thresholds, and precision and recall "
                "at them, are not comparable and not shown."
            )
    return notes


def _species_notes(here: StudyResults, there: StudyResults) -> list[str]:
    notes = []
    for one, other in ((here, there), (there, here)):
        alone = [code for code in one.species if code not in set(other.species)]
        if alone:
            notes.append(
                f"{', '.join(alone)}: of {one.name} only, so left out; a detector that must tell more "
                "species apart has the harder task."
            )
    return notes


def _on_equal_terms(here: StudyResults, there: StudyResults) -> tuple[StudyResults, StudyResults]:
    floor = max(float(study.terms["score_floor"]) for study in (here, there))
    cap = min(int(study.terms["max_detections"]) for study in (here, there))

    def trimmed(matches: pd.DataFrame) -> pd.DataFrame:
        # Detections take truths by falling score, so those that are cut off have taken from none that stay.
        found = matches["kind"] == "detection"
        scores = matches["score"].where(found)
        place = scores.groupby(matches["image"]).rank(ascending=False, method="first")
        return matches[~found | ((matches["score"] >= floor) & (place <= cap))].reset_index(drop=True)

    first, second = (
        replace(
            study,
            runs={m: [(seed, trimmed(one)) for seed, one in runs] for m, runs in study.runs.items()},
        )
        for study in (here, there)
    )
    return first, second


def _on_slides(study: StudyResults, slides: Sequence[str]) -> StudyResults:
    kept = set(slides)
    return replace(
        study,
        images=study.images[study.images["slide"].isin(kept)],
        runs={
            model: [(seed, one[one["slide"].isin(kept)].reset_index(drop=True)) for seed, one in runs]
            for model, runs in study.runs.items()
        },
    )


def _pairs(here: StudyResults, there: StudyResults) -> list[tuple[str, str]]:
    """The best of each study first, then those of the same name."""
    same = [(model, model) for model in here.runs if model in there.runs]
    if here.best is None or there.best is None:
        return same
    best = (here.best, there.best)
    return [best, *(pair for pair in same if pair != best)]


def _all_draws(
    here: StudyResults,
    there: StudyResults,
    pairs: Sequence[tuple[str, str]],
    species: Sequence[str],
    resamples: int,
    random_seed: int,
    paired: bool,
) -> dict[tuple[int, str], Draws]:
    """The draws of each detector by the place of its study and its name; paired ones share resamples."""
    found = {}
    for place, study in enumerate((here, there)):
        turn = "both" if paired else str(place)
        weights = slide_weights(
            study.slides,
            resamples=resamples,
            generator=generator(random_seed, "slides of compared studies", turn),
        )
        for model in {pair[place] for pair in pairs}:
            found[place, model] = draws_of(
                study.runs[model], species=species, slides=study.slides, weights=weights
            )
    return found


def _rows(
    model: str,
    other: str,
    draws: Mapping[tuple[int, str], Draws],
    n_slides: tuple[int, int],
    paired: bool,
    settings: ComparisonSettings,
) -> list[dict[str, Any]]:
    both = draws[0, model], draws[1, other]
    # A mean over other species on each side would compare species.
    known = [k for k in range(len(both[0].species)) if both[0].n_truth[k] and both[1].n_truth[k]]
    rows = []
    for chosen, code in [(known, None), *(([k], both[0].species[k]) for k in range(len(both[0].species)))]:
        parts = [_part(one, chosen) for one in both]
        row: dict[str, Any] = {
            "model": model,
            "other": other,
            "species": code,
            "paired": paired,
            "n_slides": n_slides[0],
            "other_n_slides": n_slides[1],
            "n_truth": int(parts[0].n_truth.sum()),
            "other_n_truth": int(parts[1].n_truth.sum()),
            "n_seeds": len(both[0].seeds),
            "other_n_seeds": len(both[1].seeds),
        }
        for metric, name, difference in zip(
            METRICS, ("ap50_95", "ap50"), ("difference", "ap50_difference"), strict=True
        ):
            values, estimate, (low, high) = _difference(
                [part.means(metric) for part in parts], n_slides, paired, f"{model} {other}", settings
            )
            row |= {name: values[0], f"other_{name}": values[1]}
            row |= {difference: estimate, f"{difference}_low": low, f"{difference}_high": high}
        low, high = row["difference_low"], row["difference_high"]
        row["verdict"] = "better" if low > 0 else "worse" if high < 0 else "undecided"
        rows.append(row)
    return rows


def _part(draws: Draws, chosen: Sequence[int]) -> Draws:
    places = list(chosen)
    return replace(
        draws,
        species=tuple(draws.species[k] for k in places),
        n_truth=draws.n_truth[places],
        ap50=draws.ap50[:, places],
        ap50_95=draws.ap50_95[:, places],
    )


def _difference(
    means: Sequence[Floats], n_slides: tuple[int, int], paired: bool, pair: str, settings: ComparisonSettings
) -> tuple[tuple[float, float], float, Interval]:
    """Values, difference and interval from (seeds, 1 + resamples) of each side."""
    if any(not one.shape[1] or np.isnan(one[:, 0]).any() for one in means):
        values = tuple(float(one[:, 0].mean()) if one.shape[1] else float("nan") for one in means)
        return (values[0], values[1]), float("nan"), NO_INTERVAL
    sides = {f"{place} {pair}": one for place, one in enumerate(means)}
    variances = variances_of_seeds(sides)
    drawn = [over_seeds(one, settings.random_seed, name, variances[name][0]) for name, one in sides.items()]
    difference = drawn[0] - drawn[1]
    of_slides = [one[:, 1:].mean(axis=0) for one in means]
    spread = (
        [(_variance(of_slides[0] - of_slides[1]), n_slides[0])]
        if paired
        else [(_variance(one), n) for one, n in zip(of_slides, n_slides, strict=True)]
    )
    of_seeds = sum(variances[name][0] / len(one) for name, one in sides.items() if len(one) > 1)
    known_from = next(iter(variances.values()))[1]
    values = float(means[0][:, 0].mean()), float(means[1][:, 0].mean())
    seen = all(variance > _ROUNDING**2 for variance, _ in spread) or (paired and difference[0] == 0)
    if min(n_slides) < 2 or not seen:
        return values, float(difference[0]), NO_INTERVAL
    interval = difference_interval(
        float(difference[0]),
        difference[1:],
        degrees=degrees_of_freedom(*spread, (of_seeds, known_from)),
        confidence=settings.confidence,
        n_slides=min(n_slides),
    )
    return values, float(difference[0]), interval


def _variance(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.var(known)) if known.size else 0.0
