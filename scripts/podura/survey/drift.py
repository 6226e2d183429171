"""Is a sample like the slides on which the released detector is known?

Certificates and corrections hold for slides exchangeable with those of the study. Compared are the light,
colour, sharpness and noise of the images, their distance from the study's images as a network sees them, and
the scores of confident detections.

The unit is the slide. Images of a slide resemble each other, and so do slides of a site, so that neither
images nor slides of one sample are independent. A sample therefore counts as *one* draw, however many slides
it has: its value is the mean over its slides, and it is held against the values of single slides of the
study. The mean of slides of a sample scatters no more than single slides do, whatever they have in common, so
that the comparison errs on the quiet side. One image, or a few detections, scatter more than many and lie
farther from all others: so of each slide of the study only as many count as the sample has, drawn once and
for all. A sample is unlike the study in a measure if both hold:

* its value lies beyond that of every slide of the study (for exchangeable draws a chance of 2 / (n + 1));
* its p-value by the prediction interval of Student's t (Hahn & Meeker 1991, "Statistical Intervals", 4.7),
  with the degrees of freedom that slides clustered by site are worth, is at most the level, divided by the
  number of measures of the sample (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from podura.survey.drift_words import sentence, summary
from podura.survey.queue import permanent_numbers
from podura.tables import BOX_COLUMNS, EMBEDDING, IMAGE_STATISTICS, SURVEY_DRIFT

Floats = NDArray[np.float64]

#: The chance that a sample like the study is flagged at all.
LEVEL = 0.01
#: With fewer slides of the study nothing is said.
FEWEST_SLIDES = 8
#: Detections from this score on are compared; the weaker ones depend on what else lives in the sample.
CONFIDENT = 0.5
#: With fewer confident detections the scores of a sample or of a slide say nothing.
FEWEST_DETECTIONS = 3
#: Nearest slides of the study whose mean distance is that of a slide.
NEIGHBOURS = 3
DISTANCE, SCORES, OVERALL = "embedding_distance", "scores", "overall"


@dataclass(frozen=True)
class Reference:
    """The values of a measure on slides of the study (n,), and the site of each ("" where it is not
    known)."""

    values: Floats
    sites: NDArray[np.object_]


def drift(
    samples: Sequence[str],
    looks: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    reference_looks: pd.DataFrame,
    reference_detections: pd.DataFrame,
    species: Sequence[str],
    level: float = LEVEL,
) -> pd.DataFrame:
    """The table SURVEY_DRIFT: of each sample first whether it is unlike at all, then every measure.

    looks: SURVEY_LOOKS; detections: SURVEY_DETECTIONS. reference_looks: EVIDENCE_LOOKS, of which the slides
    of train, validation and calibration count; reference_detections: EVIDENCE_DETECTIONS, which are of
    validation and calibration, for a detector is surer of what it has learnt.
    """
    study = _Study(reference_looks, reference_detections)
    measures = [*(column.name for column in IMAGE_STATISTICS), *([DISTANCE] if study.has_neighbours else [])]
    found = {measure: _of_images(looks, measure, study) for measure in measures}
    found |= {_scores_of(code): _of_detections(detections, code) for code in (None, *species)}
    rows = []
    for sample in samples:
        references, of_sample = {}, []
        for measure, of_samples in found.items():
            value, number = of_samples.get(sample, (None, None))
            references[measure] = study.reference(measure, number)
            of_sample.append(_compared(sample, measure, value, references[measure]))
        tested = sum(not np.isnan(row["p_value"]) for row in of_sample)
        for row in of_sample:
            beyond = not row["reference_low"] <= row["value"] <= row["reference_high"]
            row["unlike"] = bool(beyond and row["p_value"] <= level / max(tested, 1))
            row["sentence"] = sentence(
                **{key: row[key] for key in _TOLD}, n_slides=len(references[row["measure"]].values)
            )
        flagged = [row for row in of_sample if row["unlike"]]
        least = min((row["p_value"] for row in of_sample if not np.isnan(row["p_value"])), default=np.nan)
        rows.append(
            {
                "sample": sample,
                "measure": OVERALL,
                "value": float(len(flagged)) if tested else np.nan,
                "reference_low": np.nan,
                "reference_high": np.nan,
                "p_value": min(1.0, least * tested) if tested else np.nan,
                "unlike": bool(flagged),
                "sentence": summary(sample, [row["measure"] for row in flagged], tested),
            }
        )
        rows += of_sample
    return SURVEY_DRIFT.frame(rows)


_TOLD = ("sample", "measure", "value", "reference_low", "reference_high", "unlike")


class _Study:
    """The slides of the study: of each measure the reference, from so many images or detections a slide."""

    def __init__(self, looks: pd.DataFrame, detections: pd.DataFrame) -> None:
        self._looks = _drawn(looks, ["image"])
        self._detections = _drawn(
            detections[detections["score"] >= CONFIDENT], ["image", "species", "score", *BOX_COLUMNS]
        )
        self._sites = {**_sites(detections), **_sites(looks)}
        self.embeddings = _embeddings(looks, ["slide"])
        self._known: dict[tuple[str, int | None], Reference] = {}

    @property
    def has_neighbours(self) -> bool:
        return len(self.embeddings) > NEIGHBOURS

    def reference(self, measure: str, number: int | None) -> Reference:
        """The values of single slides; ``number``: of how many images or detections each, None for all."""
        key = (measure, number)
        if key not in self._known:
            of_slides = self._of_slides(measure, number).dropna().sort_index()
            sites = [self._sites[str(slide)] for slide in of_slides.index]
            self._known[key] = Reference(of_slides.to_numpy(np.float64), np.array(sites, dtype=object))
        return self._known[key]

    def _of_slides(self, measure: str, number: int | None) -> pd.Series:
        if measure.startswith(SCORES):
            code = measure.removeprefix(SCORES).strip()
            rows = self._detections
            rows = rows[rows["species"] == code] if code else rows
            many = rows.groupby("slide")["score"].transform("size") >= FEWEST_DETECTIONS
            return _first(rows[many], number).groupby("slide")["score"].mean()
        rows = _first(self._looks, number)
        if measure != DISTANCE:
            return rows.groupby("slide")[measure].mean()
        own = _embeddings(rows, ["slide"]).reindex(self.embeddings.index)
        distances = _distances(own.to_numpy(), self.embeddings.to_numpy(), own=True)
        return pd.Series(distances, index=own.index)


def _drawn(rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """The rows in an order that is drawn once and for all."""
    keys = map("\0".join, zip(*(rows[name].astype(str) for name in key), strict=True))
    return rows.assign(_drawn=permanent_numbers(0, "drift", keys)).sort_values("_drawn", kind="stable")


def _first(rows: pd.DataFrame, number: int | None) -> pd.DataFrame:
    return rows if number is None else rows[rows.groupby("slide").cumcount() < number]


#: By sample its value, and from how many images a slide, or detections, that comes.
Found = Mapping[str, tuple[float, int]]


def _of_images(looks: pd.DataFrame, measure: str, study: _Study) -> Found:
    by = ["sample", "slide"]
    if measure == DISTANCE:
        vectors = _embeddings(looks, by)
        distances = _distances(vectors.to_numpy(), study.embeddings.to_numpy(), own=False)
        of_slides = pd.Series(distances, index=vectors.index)
    else:
        of_slides = looks.groupby(by)[measure].mean()
    means = of_slides.dropna().groupby(level="sample").mean()
    # Slides of one image scatter most: the harmonic mean.
    share = (1 / looks.groupby(by).size()).groupby(level="sample").mean()
    return {str(name): (float(value), max(int(1 / share[name] + 1e-9), 1)) for name, value in means.items()}


def _of_detections(detections: pd.DataFrame, code: str | None) -> Found:
    confident = detections[detections["score"] >= CONFIDENT]
    if code is not None:
        confident = confident[confident["species"] == code]
    told = confident.groupby("sample")["score"].agg(["mean", "size"])
    told = told[told["size"] >= FEWEST_DETECTIONS]
    return {str(name): (float(mean), int(size)) for name, mean, size in told.itertuples()}


def _scores_of(code: str | None) -> str:
    return SCORES if code is None else f"{SCORES} {code}"


def _sites(frame: pd.DataFrame) -> dict[str, str]:
    pairs = frame[["slide", "site"]].drop_duplicates("slide")
    return dict(zip(pairs["slide"].astype(str), pairs["site"].fillna("").astype(str), strict=True))


def _embeddings(looks: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return looks.dropna(subset=list(EMBEDDING)).groupby(by)[list(EMBEDDING)].mean()


def _distances(vectors: Floats, study: Floats, *, own: bool) -> Floats:
    """Logarithm of the mean distance of each vector (n, d) from its nearest slides of the study (m, d).

    ``own``: the vectors are those slides in their order, none of which is its own neighbour.
    """
    if not len(vectors):
        return np.zeros(0)
    squared = (vectors**2).sum(1)[:, None] + (study**2).sum(1)[None, :] - 2 * vectors @ study.T
    if own:
        np.fill_diagonal(squared, np.inf)
    nearest = np.sort(np.sqrt(np.maximum(squared, 0)), axis=1)[:, :NEIGHBOURS]
    mean: Floats = np.log10(np.maximum(nearest.mean(axis=1), 1e-9))
    return mean


def _compared(sample: str, measure: str, value: float | None, reference: Reference) -> dict[str, Any]:
    low = high = p_value = np.nan
    if len(reference.values) >= FEWEST_SLIDES:
        low, high = float(reference.values.min()), float(reference.values.max())
        p_value = np.nan if value is None else prediction_p_value(value, reference)
    return {
        "sample": sample,
        "measure": measure,
        "value": np.nan if value is None else value,
        "reference_low": low,
        "reference_high": high,
        "p_value": p_value,
    }


def prediction_p_value(value: float, reference: Reference) -> float:
    """Two-sided chance of a value so far from the mean of the reference, for one more draw like it."""
    spread = float(reference.values.std(ddof=1))
    distance = abs(value - float(reference.values.mean()))
    if spread == 0:
        return 1.0 if distance == 0 else 0.0
    worth = effective_number(reference)
    t = distance / (spread * np.sqrt(1 + 1 / worth))
    return float(2 * stats.t.sf(t, max(worth - 1, 1)))


def effective_number(reference: Reference) -> float:
    """How many independent slides these are worth, given how alike those of a site are.

    n / (1 + (m - 1) ρ) with ρ the intraclass correlation by one-way analysis of variance (Donner 1986) and m
    the size of a site; between the number of sites and that of slides.
    """
    n = len(reference.values)
    groups = [reference.values[reference.sites == site] for site in dict.fromkeys(reference.sites)]
    k = len(groups)
    if k < 2 or n <= k:
        return float(n)
    means = np.array([group.mean() for group in groups])
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    between = float((sizes * (means - reference.values.mean()) ** 2).sum() / (k - 1))
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups) / (n - k))
    size = (n - (sizes**2).sum() / n) / (k - 1)
    total = between + (size - 1) * within
    alike = 0.0 if total <= 0 else min(max((between - within) / total, 0.0), 1.0)
    return float(min(max(n / (1 + (size - 1) * alike), k), n))


def flagged(table: pd.DataFrame) -> Iterator[str]:
    """The samples that a table SURVEY_DRIFT flags."""
    overall = table[(table["measure"] == OVERALL) & table["unlike"]]
    yield from overall["sample"].astype(str)
