"""What reviewers decided, beside the detections: the input of estimates from a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Scores of a species are parted where so many of its right detections on annotated slides lie below.
_PARTED_AT = (0.03, 0.15, 0.40)
#: The same without annotated slides.
_PARTED_UNTOLD = (0.15, 0.40, 0.70)
N_BINS = len(_PARTED_AT) + 1
UNKNOWN, NOTHING = -2, -1


@dataclass(frozen=True)
class CheckedSample:
    """One sample's review. Axes: species detected, bin of scores, species (nothing last) decided.

    known, added (species,): animals confirmed by checks of detections, and missed ones added anywhere.
    unchecked (2, species, bins): detections nobody checked, on images not searched and on searched ones.
    checked (species, bins, species + 1): what random checks found, weighted for the unchecked they stand for,
    scaled to the number of checks that they are worth. n_random: the number of these. confirmed_searched,
    added_searched (species,): of known and added those on searched images; missed_random, confirmed_random
    (species,) and unchecked_random (species, bins): the like on images that were drawn at random.
    images, searched, searched_random: numbers of images. evenness: sum of squared shares of the sample's
    slides in its detections.
    """

    sample: str
    site: str
    known: Integers
    added: Integers
    unchecked: Integers
    checked: Floats
    n_random: int
    confirmed_searched: Integers
    added_searched: Integers
    missed_random: Integers
    confirmed_random: Integers
    unchecked_random: Integers
    images: int
    searched: int
    searched_random: int
    evenness: float

    @property
    def complete(self) -> bool:
        """Whether every detection was checked and every image searched."""
        return not self.unchecked.any() and self.searched == self.images


def active(decisions: pd.DataFrame) -> pd.DataFrame:
    """Decisions that hold: those that no later one has replaced. What they do not say is None."""
    held = decisions[~decisions["superseded"].fillna(False).astype(bool)].astype(object)
    return held.where(held.notna(), None)


def score_bins(evidence: pd.DataFrame | None, species: Sequence[str]) -> Floats:
    """Where the scores of each species are parted, (species, bins - 1)."""
    edges = np.tile(np.array(_PARTED_UNTOLD), (len(species), 1))
    if evidence is None or not len(evidence):
        return edges
    right = evidence[evidence["truth_species"].eq(evidence["species"]).fillna(False)]
    for place, name in enumerate(species):
        scores = right.loc[right["species"] == name, "score"].to_numpy(dtype=np.float64)
        if len(scores):
            edges[place] = np.quantile(scores, _PARTED_AT)
        elif len(right):
            edges[place] = np.quantile(right["score"].to_numpy(dtype=np.float64), _PARTED_AT)
    return edges


def bins_of(code: Integers, score: Floats, edges: Floats) -> Integers:
    """The bin of each score of a species."""
    return (score[:, None] >= edges[code]).sum(axis=1)


def decided(detections: pd.DataFrame, decisions: pd.DataFrame, species: Sequence[str]) -> pd.DataFrame:
    """For each detection, in order: ``verdict`` (species index, NOTHING, UNKNOWN) and whether ``random``.

    Unsure stays unknown, as an unchecked detection is; so does an animal of a species that is not in the list
    as far as the counts go: it is nothing of what is counted.
    """
    held = active(decisions)
    held = held[held["detection"].notna()].drop_duplicates("detection", keep="last").set_index("detection")
    place = {name: index for index, name in enumerate(species)}
    there = held.reindex(detections["detection"].to_numpy(dtype=object))
    action = there["action"].to_numpy(dtype=object)
    final = np.where(action == "accept", detections["species"].to_numpy(dtype=object), there["species"])
    code = pd.Series(final).map(place).fillna(NOTHING).to_numpy(dtype=np.int64)
    verdict = np.where(
        np.isin(action, ["accept", "species"]), code, np.where(action == "reject", NOTHING, UNKNOWN)
    )
    random = there["drawn"].eq("random").fillna(False).to_numpy(dtype=bool) & (verdict != UNKNOWN)
    return pd.DataFrame({"verdict": verdict, "random": random}, index=detections.index)


def chances_of_checks(
    detections: pd.DataFrame, random: NDArray[np.bool_], queue: pd.DataFrame | None
) -> Floats:
    """Chance with which each checked detection came into the part that was checked at random.

    That of the queue, times the share of its random part that was done: the queue's order makes whoever
    stops early have checked a random part. Without a queue the share of all detections.
    """
    plain = np.full(len(detections), max(random.sum(), 1) / max(len(detections), 1))
    if queue is None or not len(queue):
        return plain
    drawn = queue[queue["reason"].eq("random") & queue["detection"].notna()]
    chance = drawn.drop_duplicates("detection").set_index("detection")["probability"]
    found = detections["detection"].map(chance).to_numpy(dtype=np.float64, na_value=np.nan)
    done = random.sum() / max(len(drawn), 1)
    return np.clip(np.where(np.isnan(found), plain, found * min(done, 1.0)), 1e-6, 1.0)


def checked_samples(
    detections: pd.DataFrame,
    images: pd.DataFrame,
    decisions: pd.DataFrame,
    queue: pd.DataFrame | None,
    *,
    species: Sequence[str],
    edges: Floats,
) -> list[CheckedSample]:
    """The review of every sample, in the order of their names.

    detections: all above the score floor. images: image, slide, sample, site, status; only those that were
    read count. decisions, queue: as tables of the review.
    """
    read = images[images["status"].eq("ok")]
    place = {name: index for index, name in enumerate(species)}
    found = detections[detections["species"].isin(place)].reset_index(drop=True)
    verdicts = decided(found, decisions, species)
    verdict, random = verdicts["verdict"].to_numpy(), verdicts["random"].to_numpy()
    code = found["species"].map(place).to_numpy(dtype=np.int64)
    kind = bins_of(code, found["score"].to_numpy(dtype=np.float64), edges)
    chance = chances_of_checks(found, random, queue)
    weight = np.where(random, (1 - chance) / chance, 0.0)

    held = active(decisions)
    done = held[held["action"] == "image_done"]
    searched, at_random = set(done["image"]), set(done.loc[done["drawn"] == "random", "image"])
    adds = held[(held["action"] == "add") & held["species"].isin(place)]
    result = []
    rows_of = found.groupby("sample", sort=False).indices
    adds_of = dict(list(adds.groupby("sample", sort=False)))
    for sample, pictures in read.groupby("sample", sort=True):
        rows = rows_of.get(sample, np.zeros(0, dtype=np.int64))
        on = found["image"].iloc[rows]
        is_searched, is_random = on.isin(searched).to_numpy(), on.isin(at_random).to_numpy()
        one = _Rows(code[rows], kind[rows], verdict[rows], weight[rows], random[rows], len(species))
        added = adds_of.get(sample, adds.iloc[:0])
        result.append(
            CheckedSample(
                sample=str(sample),
                site=str(pictures["site"].iloc[0]) if "site" in pictures else "",
                known=one.confirmed(np.ones(len(rows), dtype=bool)),
                added=_count(added["species"], place),
                unchecked=np.stack([one.unchecked(~is_searched), one.unchecked(is_searched)]),
                checked=one.checked(),
                n_random=int(random[rows].sum()),
                confirmed_searched=one.confirmed(is_searched),
                added_searched=_count(added.loc[added["image"].isin(searched), "species"], place),
                missed_random=_count(added.loc[added["image"].isin(at_random), "species"], place),
                confirmed_random=one.confirmed(is_random),
                unchecked_random=one.unchecked(is_random),
                images=len(pictures),
                searched=int(pictures["image"].isin(searched).sum()),
                searched_random=int(pictures["image"].isin(at_random).sum()),
                evenness=_evenness(found["slide"].iloc[rows], pictures["slide"]),
            )
        )
    return result


@dataclass(frozen=True)
class _Rows:
    """The detections of one sample as arrays."""

    code: Integers
    kind: Integers
    verdict: Integers
    weight: Floats
    random: NDArray[np.bool_]
    species: int

    def confirmed(self, which: NDArray[np.bool_]) -> Integers:
        kept = self.verdict[which & (self.verdict >= 0)]
        return np.bincount(kept, minlength=self.species).astype(np.int64)

    def unchecked(self, which: NDArray[np.bool_]) -> Integers:
        counted = np.zeros((self.species, N_BINS), dtype=np.int64)
        kept = which & (self.verdict == UNKNOWN)
        np.add.at(counted, (self.code[kept], self.kind[kept]), 1)
        return counted

    def checked(self) -> Floats:
        """Weighted shares of what random checks found, times the number that they are worth (Kish 1965)."""
        shape = (self.species, N_BINS, self.species + 1)
        kept = self.random
        # NOTHING is -1, the last place.
        at = (self.code[kept], self.kind[kept], self.verdict[kept])
        sums, squares = np.zeros(shape), np.zeros(shape[:2])
        np.add.at(sums, at, self.weight[kept])
        np.add.at(squares, at[:2], self.weight[kept] ** 2)
        # All were checked with certainty: nobody stands for an unchecked one, and there is none.
        total = sums.sum(axis=2)
        worth = np.divide(total, squares, out=np.zeros_like(total), where=squares > 0)
        return sums * worth[:, :, None]


def _count(names: pd.Series, place: Mapping[str, int]) -> Integers:
    return np.bincount(names.map(place).to_numpy(dtype=np.int64), minlength=len(place)).astype(np.int64)


def _evenness(slides: pd.Series, every: pd.Series) -> float:
    sizes = slides.value_counts().reindex(every.unique(), fill_value=0).to_numpy(dtype=np.float64) + 1.0
    return float((sizes**2).sum() / sizes.sum() ** 2)
