"""Where a detector stands among people who annotated the same images.

Each expert is scored as a detector is: matched with a reference at the stated IoU, species by species. The
reference is the truth of the study, or what the other experts agree on (``consensus``), so that nobody is
judged by their own boxes. People give no scores: all their boxes are matched with score 1, and then choose in
the order of image and box, as ties do in ``matching``. A detector is taken at its thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from podura.errors import UserError
from podura.evaluation.average_precision import precision_recall
from podura.evaluation.consensus import consensus
from podura.evaluation.intervals import NO_INTERVAL, f1_interval, proportion_interval
from podura.evaluation.matching import match
from podura.evaluation.ranking import ranking
from podura.evaluation.resampling import SlideCounts, counts_at_thresholds
from podura.evaluation.scoring import drawn_curve, pooled
from podura.tables import ALL_SPECIES, BENCHMARK_PEOPLE, PEOPLE_CURVES

#: What experts and detectors may be compared with, and an expert's own earlier round.
GIVEN, OTHERS, EARLIER = "given", "others", "earlier"


@dataclass(frozen=True)
class PeopleSettings:
    """iou_percent at which boxes agree; confidence of the intervals; reference: given or others."""

    iou_percent: int
    confidence: float
    reference: str


@dataclass(frozen=True)
class DetectorRun:
    """One run of a detector: its detections (tables.DETECTIONS) on the test part of each fold.

    thresholds: of each fold, for the kinds certified and empirical, the threshold of each species, None
    where there is none.
    """

    model: str
    label: str
    seed: int
    detections: Sequence[pd.DataFrame]
    thresholds: Sequence[Mapping[str, Mapping[str, float | None]]]


@dataclass(frozen=True)
class GivenTruth:
    """The truth of the test part (truth_frame), and the images of each fold with their slides."""

    truths: pd.DataFrame
    images: Sequence[Mapping[str, str]]

    @property
    def slide_of(self) -> dict[str, str]:
        """The slide of every test image, of all folds."""
        return {image: slide for fold in self.images for image, slide in fold.items()}


class People:
    """Experts on the test images of a study.

    boxes and images: as tables.EXPERT_BOXES and EXPERT_IMAGES; what is of no test image is left out.
    rounds: in their order. Raises UserError if nobody looked at a test image, and where reference is others
    but no image was looked at by two.
    """

    def __init__(
        self,
        boxes: pd.DataFrame,
        images: pd.DataFrame,
        rounds: Sequence[str],
        test: GivenTruth,
        species: Sequence[str],
        settings: PeopleSettings,
    ) -> None:
        self.test, self.species, self.settings = test, tuple(species), settings
        of_test = set(test.slide_of)
        self.images = images[images["image"].isin(of_test)].fillna({"round": ""})
        self.boxes = boxes[boxes["image"].isin(of_test)].fillna({"round": ""}).assign(score=1.0)
        self.rounds = [turn for turn in rounds if (self.images["round"] == turn).any()]
        if self.images.empty:
            raise UserError(
                "evaluation.experts: the experts looked at none of the test images. Let them annotate images "
                "of the test part (dataset/split.csv), or put their images there in the table of images."
            )
        together = self.images.groupby(["round", "image"])["expert"].nunique()
        if settings.reference == OTHERS and together.max() < 2:
            raise UserError(
                "evaluation.experts.reference is others, but no test image was annotated by two experts in "
                "one round. Write given."
            )

    def of(self, frame: pd.DataFrame, expert: str | None, turn: str) -> pd.DataFrame:
        """The rows of an expert, or of all, in a round."""
        rows = frame[frame["round"] == turn]
        return rows if expert is None else rows[rows["expert"] == expert]

    def experts(self, turn: str) -> list[str]:
        """Who looked at test images in a round, in the order of the file."""
        return list(dict.fromkeys(self.of(self.images, None, turn)["expert"]))

    def reference(self, turn: str, without: str | None) -> tuple[pd.DataFrame, dict[str, str]]:
        """Truths, and the images (with slides) on which they stand, by which an expert is judged."""
        if self.settings.reference == GIVEN:
            seen = self.images if without is None else self.of(self.images, without, turn)
            images = _slides(seen)
            return self.test.truths[self.test.truths["image"].isin(images)], images
        images_of, boxes_of = self.of(self.images, None, turn), self.of(self.boxes, None, turn)
        if without is not None:
            own = set(self.of(self.images, without, turn)["image"])
            images_of = images_of[(images_of["expert"] != without) & images_of["image"].isin(own)]
            boxes_of = boxes_of[(boxes_of["expert"] != without) & boxes_of["image"].isin(own)]
        iou = self.settings.iou_percent / 100
        return consensus(boxes_of, images_of, iou=iou, species=self.species), _slides(images_of)


def people_table(people: People, runs: Sequence[DetectorRun]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables benchmark_people and people_curves: experts by round, all of a round, then detectors.

    An expert is judged on the test images that they looked at (and, with the reference others, somebody
    else too), a detector on all that any expert looked at. The counts of all experts of a round are those
    of each added up.
    """
    rows = [*_expert_rows(people), *_earlier_rows(people)]
    curves: list[pd.DataFrame] = []
    turns = [""] if people.settings.reference == GIVEN else people.rounds
    references = [(turn, *people.reference(turn, None)) for turn in turns]
    for run in runs:
        for turn, truths, images in references:
            matches = list(_fold_matches(people, run, truths, images))
            rows += _detector_rows(people, run, turn, matches, images)
            curves += _detector_curves(people, run, turn, pooled(matches))
    table = PEOPLE_CURVES.frame(pd.concat(curves, ignore_index=True) if curves else [])
    return BENCHMARK_PEOPLE.frame(rows), table


def _expert_rows(people: People) -> Iterator[dict[str, Any]]:
    for turn in people.rounds:
        of_round: list[tuple[dict[str, SlideCounts], dict[str, str]]] = []
        for expert in people.experts(turn):
            truths, images = people.reference(turn, expert)
            counts = _box_counts(people, truths, people.of(people.boxes, expert, turn), images)
            facts = {"kind": "expert", "who": expert, "label": f"Expert {expert}", "round": turn}
            yield from _rows(people, {**facts, "reference": people.settings.reference}, counts, images)
            of_round.append((counts, images))
        images = {image: slide for _, seen in of_round for image, slide in seen.items()}
        slides = sorted(set(images.values()))
        together = {
            code: reduce(_added, [_on_slides(counts[code], seen, slides) for counts, seen in of_round])
            for code in (*people.species, ALL_SPECIES)
        }
        facts = {"kind": "experts", "who": "experts", "label": "All experts", "round": turn}
        yield from _rows(people, {**facts, "reference": people.settings.reference}, together, images)


def _earlier_rows(people: People) -> Iterator[dict[str, Any]]:
    """How well each expert agrees with themselves a round before, on the images of both rounds."""
    for earlier, turn in pairwise(people.rounds):
        for expert in people.experts(turn):
            before = people.of(people.images, expert, earlier)
            now = people.of(people.images, expert, turn)
            images = _slides(now[now["image"].isin(before["image"])])
            if not images:
                continue
            truths = people.of(people.boxes, expert, earlier)
            truths = truths[truths["image"].isin(images)].assign(ignore=False)
            truths = truths.assign(id=range(1, len(truths) + 1))
            counts = _box_counts(people, truths, people.of(people.boxes, expert, turn), images)
            facts = {"kind": "expert", "who": expert, "label": f"Expert {expert}", "round": turn}
            yield from _rows(people, {**facts, "reference": EARLIER}, counts, images)


def _detector_rows(
    people: People,
    run: DetectorRun,
    turn: str,
    matches: Sequence[pd.DataFrame],
    images: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    slides = sorted(set(images.values()))
    folds = [{code: ranking(of_fold, code) for code in people.species} for of_fold in matches]
    for kind in ("certified", "empirical"):
        counts = {}
        for code in people.species:
            pairs = [
                (ranked[code], thresholds[kind].get(code))
                for ranked, thresholds in zip(folds, run.thresholds, strict=True)
            ]
            counts[code] = counts_at_thresholds(pairs, people.settings.iou_percent, slides)
        counts[ALL_SPECIES] = reduce(_added, counts.values())
        without = {
            code
            for code in people.species
            if all(thresholds[kind].get(code) is None for thresholds in run.thresholds)
        }
        if len(without) == len(people.species):
            without.add(ALL_SPECIES)
        facts = {
            "kind": "detector",
            "who": run.model,
            "label": run.label,
            "reference": people.settings.reference,
            "round": turn,
            "seed": run.seed,
            "threshold": kind,
        }
        yield from _rows(people, facts, counts, images, without=without)


def _fold_matches(
    people: People, run: DetectorRun, truths: pd.DataFrame, images: Mapping[str, str]
) -> Iterator[pd.DataFrame]:
    for tested, detections in zip(people.test.images, run.detections, strict=True):
        here = {image: slide for image, slide in tested.items() if image in images}
        yield match(
            truths[truths["image"].isin(here)],
            detections[detections["image"].isin(here)],
            images=here,
            species=people.species,
        )


def _detector_curves(
    people: People, run: DetectorRun, turn: str, matches: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    for code in people.species:
        curve = drawn_curve(precision_recall(ranking(matches, code), people.settings.iou_percent))
        if curve["recall"]:
            yield pd.DataFrame(curve).assign(model=run.model, seed=run.seed, round=turn, species=code)


def _box_counts(
    people: People, truths: pd.DataFrame, boxes: pd.DataFrame, images: Mapping[str, str]
) -> dict[str, SlideCounts]:
    """What of boxes without scores agrees with truths, by species and slide."""
    boxes = boxes[boxes["image"].isin(images)]
    matches = match(truths, boxes, images=images, species=people.species)
    slides = sorted(set(images.values()))
    counts = {
        code: counts_at_thresholds([(ranking(matches, code), 0.0)], people.settings.iou_percent, slides)
        for code in people.species
    }
    return {**counts, ALL_SPECIES: reduce(_added, counts.values())}


def _rows(
    people: People,
    facts: Mapping[str, Any],
    counts: Mapping[str, SlideCounts],
    images: Mapping[str, str],
    without: frozenset[str] | set[str] = frozenset(),
) -> Iterator[dict[str, Any]]:
    """A row a species and one of all; of the species ``without`` a threshold, shares are missing."""
    for code in (ALL_SPECIES, *people.species):
        found = counts[code]
        shares = (np.nan, *NO_INTERVAL), (np.nan, *NO_INTERVAL), (np.nan, *NO_INTERVAL)
        if code not in without:
            shares = _shares(found, people.settings.confidence)
        yield {
            "seed": None,
            "threshold": None,
            **facts,
            "species": code,
            "n_images": len(images),
            "n_slides": len(set(images.values())),
            "n_boxes": int(found.accepted.sum()),
            "n_truth": int(found.truths.sum()),
            "n_right": int(found.right.sum()),
            **{
                f"{name}{end}": value
                for name, share in zip(("precision", "recall", "f1"), shares, strict=True)
                for end, value in zip(("", "_low", "_high"), share, strict=True)
            },
        }


_Share = tuple[float, float, float]


def _shares(counts: SlideCounts, confidence: float) -> tuple[_Share, _Share, _Share]:
    """Precision, recall and F1, each with its interval; missing where there is nothing to share."""
    right, boxes, truths = (int(one.sum()) for one in (counts.right, counts.accepted, counts.truths))
    return (
        (
            right / boxes if boxes else np.nan,
            *proportion_interval(counts.right, counts.accepted, confidence=confidence),
        ),
        (
            right / truths if truths else np.nan,
            *proportion_interval(counts.right, counts.truths, confidence=confidence),
        ),
        (
            2 * right / (boxes + truths) if boxes + truths else np.nan,
            *f1_interval(counts.right, counts.accepted, counts.truths, confidence=confidence),
        ),
    )


def _added(one: SlideCounts, other: SlideCounts) -> SlideCounts:
    return SlideCounts(one.accepted + other.accepted, one.right + other.right, one.truths + other.truths)


def _on_slides(counts: SlideCounts, seen: Mapping[str, str], slides: Sequence[str]) -> SlideCounts:
    """Counts of the slides seen as counts of more slides."""
    places = np.searchsorted(slides, sorted(set(seen.values())))

    def spread(values: np.ndarray) -> np.ndarray:
        whole = np.zeros(len(slides), dtype=np.int64)
        whole[places] = values
        return whole

    return SlideCounts(spread(counts.accepted), spread(counts.right), spread(counts.truths))


def _slides(images: pd.DataFrame) -> dict[str, str]:
    """The slide of each image, by image."""
    return dict(sorted(zip(images["image"], images["slide"], strict=True)))
