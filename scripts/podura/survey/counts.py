"""What lives in the samples of a survey: all tables of counts from its detections, evidence and review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.seeds import generator
from podura.survey.checked import CheckedSample, active, checked_samples, score_bins
from podura.survey.checks import checks_wanted
from podura.survey.correction import DRAWS, Corrector, Counted, Estimated
from podura.survey.diversity import INDICES, diversity, diversity_intervals
from podura.survey.evidence import (
    Evidence,
    all_scaled,
    counting_thresholds,
    gather,
    image_areas,
)
from podura.survey.reviewed import Expectations, Reviewed, expectations
from podura.tables.counts import INCOMPLETE

Floats = NDArray[np.float64]

#: Random checks of detections, in the whole survey, from which estimates rest on the review.
ENOUGH_CHECKS = 30
#: Units of density by the column of the sample that they need, and how many of the unit one of that is.
_UNITS = (("m2", "area_cm2", 1e4), ("100_cm3", "volume_cm3", 100.0), ("g", "mass_g", 1.0))


@dataclass(frozen=True)
class KnownSlides:
    """The evidence of a release, as its tables."""

    detections: pd.DataFrame
    truths: pd.DataFrame
    images: pd.DataFrame


@dataclass(frozen=True)
class Survey:
    """What counts are made from. ``final``: the detections as the ladder names them, and people's additions.

    detections, images, samples, decisions, queue: tables of the survey. known: None without evidence.
    certified: the certified threshold of each species that has one.
    """

    species: tuple[str, ...]
    detections: pd.DataFrame
    final: pd.DataFrame
    images: pd.DataFrame
    samples: pd.DataFrame
    decisions: pd.DataFrame
    queue: pd.DataFrame | None
    known: KnownSlides | None
    certified: Mapping[str, float]
    confidence: float
    wished_width: float
    seed: int

    def with_final(self, final: pd.DataFrame) -> Survey:
        """The same with its detections named."""
        return replace(self, final=final)

    @cached_property
    def thresholds(self) -> Floats:
        """From which score each species counts."""
        if self.known is None:
            return counting_thresholds(_NO_DETECTIONS, _NO_TRUTHS, self.species)
        return counting_thresholds(self.known.detections, self.known.truths, self.species)

    @cached_property
    def read(self) -> pd.DataFrame:
        """The images that were read, with the site of their sample."""
        sites = self.samples.set_index("sample")["site"]
        read = self.images[self.images["status"].eq("ok")]
        return read.assign(site=read["sample"].map(sites).fillna(""))

    @cached_property
    def in_mm2(self) -> bool:
        known = self.known
        return known is not None and all_scaled(known.images) and all_scaled(self.read)

    def evidence(self, thresholds: Floats) -> Evidence | None:
        if self.known is None or not len(self.known.images):
            return None
        return gather(
            self.known.detections,
            self.known.truths,
            self.known.images,
            species=self.species,
            thresholds=thresholds,
            in_mm2=self.in_mm2,
        )


_NO_DETECTIONS = pd.DataFrame(columns=["species", "score", "truth_species"])
_NO_TRUTHS = pd.DataFrame(columns=["species"])


@dataclass(frozen=True)
class SampleEstimate:
    """One sample: how its animals were estimated, None without any ground to do so."""

    sample: str
    methods: tuple[str, ...]
    estimated: Estimated | None
    low: Floats
    high: Floats


class Estimator:
    """Estimates the samples of one survey, each from random numbers of its own."""

    def __init__(self, survey: Survey, draws: int = DRAWS) -> None:
        self.survey = survey
        self._draws = draws
        self.evidence = survey.evidence(survey.thresholds)
        self._corrector = (
            Corrector(self.evidence, generator(survey.seed, "evidence of counts"), draws)
            if self.evidence is not None and len(self.evidence.slides)
            else None
        )
        marked = survey.known.detections if survey.known is not None else None
        edges = score_bins(marked, survey.species)
        self.expected: Expectations = expectations(
            survey.evidence(np.zeros(len(survey.species))),
            marked,
            edges,
            survey.species,
            draws,
            generator(survey.seed, "expectations of reviews"),
        )
        checked = checked_samples(
            survey.detections,
            survey.read,
            survey.decisions,
            survey.queue,
            species=survey.species,
            edges=edges,
        )
        self.checked: dict[str, CheckedSample] = {one.sample: one for one in checked}
        self._place = {one.sample: place for place, one in enumerate(checked)}
        self._reviewed = Reviewed(checked, self.expected)

    @cached_property
    def rests_on_review(self) -> bool:
        return self._reviewed.n_random >= min(ENOUGH_CHECKS, max(len(self.survey.detections), 1))

    def of_sample(self, sample: str) -> SampleEstimate:
        size = len(self.survey.species)
        checked = self.checked.get(sample)
        if checked is None:
            # None of its images was read, so nothing is known of it.
            return SampleEstimate(sample, ("none",) * size, None, *np.full((2, size), np.nan))
        random = generator(self.survey.seed, "animals of a sample", sample)
        if checked.complete or self.rests_on_review:
            found = self._reviewed.estimated(self._place[sample], self._draws, random)
            method = "reviewed" if self._reviewed.searched else "reviewed_detections"
            methods = ("verified" if checked.complete else method,) * size
        elif self._corrector is not None and self.evidence is not None:
            corrected = self._corrector.estimated(self.counted(sample), random)
            least = checked.known + checked.added
            found = Estimated(np.maximum(corrected.estimate, least), np.maximum(corrected.draws, least))
            methods = tuple("calibration" if seen else "pooled" for seen in self.evidence.seen)
        else:
            return SampleEstimate(sample, ("none",) * size, None, *np.full((2, size), np.nan))
        return SampleEstimate(sample, methods, found, *found.interval(self.survey.confidence))

    @cached_property
    def _counted_detections(self) -> pd.DataFrame:
        found = self.survey.detections
        place = {name: index for index, name in enumerate(self.survey.species)}
        code = found["species"].map(place)
        known = found[code.notna()].assign(code=code[code.notna()].astype("int64"))
        scores = known["score"].to_numpy(dtype=np.float64)
        return known[scores >= self.survey.thresholds[known["code"].to_numpy()]]

    @cached_property
    def _counted_of(self) -> dict[Any, NDArray[np.int64]]:
        return self._counted_detections.groupby("sample", sort=False).indices

    @cached_property
    def _read_of(self) -> dict[Any, pd.DataFrame]:
        areas = image_areas(self.survey.read, in_mm2=self.survey.in_mm2)
        return dict(list(self.survey.read.assign(area=areas).groupby("sample", sort=False)))

    def counted(self, sample: str) -> Counted:
        """Detections of a sample by slide, from the counting thresholds on."""
        areas = self._read_of[sample].groupby("slide", sort=True)["area"].sum()
        place = {slide: index for index, slide in enumerate(areas.index)}
        counts = np.zeros((len(areas), len(self.survey.species)), dtype=np.int64)
        rows = self._counted_of.get(sample)
        if rows is not None:
            mine = self._counted_detections.iloc[rows]
            np.add.at(counts, (mine["slide"].map(place).to_numpy(), mine["code"].to_numpy()), 1)
        return Counted(counts, areas.to_numpy(dtype=np.float64))


@dataclass(frozen=True)
class CountTables:
    """All tables of counts, as frames; abundance has a row a sample and a column a species."""

    counts: pd.DataFrame
    abundance: pd.DataFrame
    abundance_estimated: pd.DataFrame
    densities: pd.DataFrame
    diversity: pd.DataFrame
    checks: pd.DataFrame


def count(survey: Survey, draws: int = DRAWS) -> CountTables:
    """Counts, abundance, densities and diversity of every sample of a survey, in the order of its samples.

    The same tables, seed and library give the same figures; a sample's do not depend on other samples except
    through a review.
    """
    estimator = Estimator(survey, draws)
    seen = _Numbers(survey)
    counts: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    estimates: list[dict[str, Any]] = []
    densities: list[dict[str, Any]] = []
    indices: list[dict[str, Any]] = []
    for facts in survey.samples.to_dict("records"):
        sample, complete = facts["sample"], bool(facts["complete"])
        one = estimator.of_sample(sample)
        of_sample = list(_count_rows(survey, estimator, seen, one, complete))
        counts += of_sample
        name = sample if complete else f"{sample}{INCOMPLETE}"
        plain.append({"sample": name, **{row["species"]: row["accepted"] for row in of_sample}})
        estimates.append({"sample": name, **{row["species"]: row["estimate"] for row in of_sample}})
        densities += _density_rows(of_sample, facts)
        indices += _diversity_rows(survey, one, of_sample, complete)
    columns = ["sample", *survey.species]
    return CountTables(
        counts=pd.DataFrame(counts),
        abundance=pd.DataFrame(plain, columns=columns),
        abundance_estimated=pd.DataFrame(estimates, columns=columns),
        densities=pd.DataFrame(densities),
        diversity=pd.DataFrame(indices),
        checks=pd.DataFrame(list(seen.checks(survey))),
    )


class _Numbers:
    """Plain numbers of detections and decisions by sample and species."""

    def __init__(self, survey: Survey) -> None:
        place = dict(zip(survey.species, survey.thresholds, strict=True))
        found, final = survey.detections, survey.final
        reached = found["score"].to_numpy(dtype=np.float64) >= found["species"].map(place).to_numpy(
            dtype=np.float64, na_value=np.inf
        )
        self.detections = found.groupby(["sample", "species"]).size().to_dict()
        self.counted = found[reached].groupby(["sample", "species"]).size().to_dict()
        self.final = final.groupby(["sample", "final_species"]).size().to_dict()
        self.verified = final.groupby(["sample", "decided_species"]).size().to_dict()
        on_detection = final[final["decision"].notna() & final["detection"].notna()]
        self.decided = on_detection.groupby(["sample", "species"]).size().to_dict()
        self.held = active(survey.decisions)
        done = self.held[self.held["action"] == "image_done"].drop_duplicates("image")
        self.searched = (
            survey.read[survey.read["image"].isin(done["image"])].groupby("sample").size().to_dict()
        )

    def checks(self, survey: Survey) -> Iterator[dict[str, Any]]:
        """What people have checked of each sample."""
        found = survey.detections.groupby("sample").size().to_dict()
        read = survey.read.groupby("sample").size().to_dict()
        held = dict(list(self.held.groupby("sample")))
        for sample in survey.samples["sample"]:
            mine = held.get(sample, self.held.iloc[:0])
            of_detections = mine[mine["detection"].notna()]
            sure = of_detections[of_detections["action"] != "unsure"]
            times = mine["decided_at"].dropna()
            # The bar stands between names.
            people = {str(name).replace("|", "/") for name in mine["reviewer"].dropna()}
            yield {
                "sample": sample,
                "n_detections": found.get(sample, 0),
                "checked": len(of_detections),
                "checked_random": int(sure["drawn"].eq("random").sum()),
                "n_images": read.get(sample, 0),
                "searched": self.searched.get(sample, 0),
                "added": int(mine["action"].eq("add").sum()),
                "reviewers": "|".join(sorted(people)) or None,
                "last_decision": times.max() if len(times) else None,
            }


def _count_rows(
    survey: Survey, estimator: Estimator, seen: _Numbers, one: SampleEstimate, complete: bool
) -> Iterator[dict[str, Any]]:
    checked = estimator.checked.get(one.sample)
    wanted = None
    if checked is not None and one.estimated is not None:
        wanted = checks_wanted(
            checked,
            one.estimated.estimate,
            one.low,
            one.high,
            composition=estimator.expected.composition,
            missed=estimator.expected.missed,
            wished_width=survey.wished_width,
            confidence=survey.confidence,
        )
    for place, species in enumerate(survey.species):
        key = (one.sample, species)
        final, certified = seen.final.get(key, 0), species in survey.certified
        known = checked is not None and (certified or final > 0 or checked.complete)
        yield {
            "sample": one.sample,
            "species": species,
            "n_detections": seen.detections.get(key, 0) if checked is not None else None,
            "counted": seen.counted.get(key, 0) if checked is not None else None,
            "accepted": final if known else None,
            "verified": seen.verified.get(key, 0),
            "estimate": float(one.estimated.estimate[place]) if one.estimated else None,
            "low": float(one.low[place]) if one.estimated else None,
            "high": float(one.high[place]) if one.estimated else None,
            "confidence": survey.confidence,
            "method": one.methods[place],
            "reviewed": seen.decided.get(key, 0),
            "searched_images": seen.searched.get(one.sample, 0),
            "certified": certified,
            "sample_complete": complete,
            "wished_width": survey.wished_width,
            "more_detections": int(wanted.detections[place]) if wanted else None,
            "more_images": int(wanted.images[place]) if wanted else None,
        }


def _density_rows(of_sample: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for unit, column, amount in _UNITS:
        size = facts.get(column)
        if size is None or pd.isna(size) or not size > 0:
            continue
        for row in of_sample:
            per = {
                name: None if row[name] is None else row[name] * amount / float(size)
                for name in ("accepted", "estimate", "low", "high")
            }
            same = {name: row[name] for name in ("sample", "species", "confidence", "sample_complete")}
            rows.append({**same, "per": unit, **per})
    return rows


def _diversity_rows(
    survey: Survey, one: SampleEstimate, of_sample: Sequence[Mapping[str, Any]], complete: bool
) -> list[dict[str, Any]]:
    nothing = np.full(len(INDICES), np.nan)
    bases: dict[str, tuple[Floats, Floats, Floats]] = {}
    known = [row["accepted"] for row in of_sample]
    # What no certificate lets count is not there for these indices; without any certificate they say nothing.
    told = any(value is not None for value in known)
    counted = np.array([value or 0 for value in known])
    bases["accepted"] = (diversity(counted) if told else nothing, nothing, nothing)
    bases["estimated"] = (nothing, nothing, nothing)
    if one.estimated is not None:
        bases["estimated"] = diversity_intervals(
            one.estimated.estimate, one.estimated.draws, survey.confidence
        )
    return [
        {
            "sample": one.sample,
            "basis": basis,
            "index": index,
            "value": value[place],
            "low": low[place],
            "high": high[place],
            "confidence": survey.confidence,
            "sample_complete": complete,
        }
        for basis, (value, low, high) in bases.items()
        for place, index in enumerate(INDICES)
    ]
