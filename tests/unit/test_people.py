"""Experts and detectors on the same images: consensus, agreement, and what the table of people says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podura.errors import UserError
from podura.evaluation.consensus import consensus
from podura.evaluation.intervals import f1_interval, proportion_interval
from podura.evaluation.people import (
    EARLIER,
    GIVEN,
    OTHERS,
    DetectorRun,
    GivenTruth,
    People,
    PeopleSettings,
    people_table,
)
from podura.tables import ALL_SPECIES, BOX_COLUMNS, DETECTIONS

SPECIES = ("A", "B")
Box = tuple[float, float, float, float]


def square(place: int, shift: float = 0.0) -> Box:
    """Squares of 100 px that never touch; a shift of 5 px leaves an IoU of 0.83, one of 60 none above 0.3."""
    left = 200.0 * place + shift
    return (left, 10.0, left + 100.0, 110.0)


def drawn(rows: Sequence[tuple[str, str, str, str, Box]]) -> pd.DataFrame:
    """Boxes of experts: expert, round, image, species, box; an image's slide is its first letter."""
    return pd.DataFrame(
        [(expert, turn, image, image[0], code, *box) for expert, turn, image, code, box in rows],
        columns=["expert", "round", "image", "slide", "species", *BOX_COLUMNS],
    )


def seen(rows: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(expert, turn, image, image[0]) for expert, turn, image in rows],
        columns=["expert", "round", "image", "slide"],
    )


def truth(rows: Sequence[tuple[str, str, Box]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(n, image, image[0], code, *box, False) for n, (image, code, box) in enumerate(rows, start=1)],
        columns=["id", "image", "slide", "species", *BOX_COLUMNS, "ignore"],
    )


def detections(rows: Sequence[tuple[str, str, float, Box]]) -> pd.DataFrame:
    return DETECTIONS.frame(
        [
            {"image": image, "slide": image[0], "species": code, "score": score}
            | dict(zip(BOX_COLUMNS, box, strict=True))
            for image, code, score, box in rows
        ]
    )


class TestConsensus:
    def agreed(self, *rows: tuple[str, str, Box], experts: str = "wxyz") -> list[tuple[str, Box, bool]]:
        boxes = drawn([(expert, "", "s1", code, box) for expert, code, box in rows])
        images = seen([(expert, "", "s1") for expert in experts])
        found = consensus(boxes, images, iou=0.5, species=SPECIES)
        return [
            (row["species"], tuple(row[c] for c in BOX_COLUMNS), row["ignore"])  # type: ignore[misc]
            for row in found.to_dict("records")
        ]

    def test_an_animal_is_where_more_than_half_saw_one(self) -> None:
        three = [("w", "A", square(0)), ("x", "A", square(0, 4)), ("y", "A", square(0, 8))]
        assert self.agreed(*three) == [("A", square(0, 4), False)], "medians of the edges"
        assert self.agreed(*three[:2]) == [], "two of four are not more than half"
        assert len(self.agreed(*three[:2], experts="wxy")) == 1

    def test_who_looked_and_saw_nothing_has_a_vote(self) -> None:
        one = ("w", "A", square(0))
        assert len(self.agreed(one, experts="w")) == 1
        assert self.agreed(one, experts="wx") == []

    def test_the_species_is_that_of_most_votes_wherever_the_boxes_are(self) -> None:
        rows = [("w", "B", square(0)), ("x", "B", square(0, 4)), ("y", "A", square(0, 8))]
        assert self.agreed(*rows) == [("B", square(0, 4), False)]

    def test_equal_votes_count_for_nobody_and_against_nobody(self) -> None:
        votes = zip("wxyz", "ABAB", strict=True)
        found = self.agreed(*[(expert, code, square(0)) for expert, code in votes])
        assert found == [("A", square(0), True), ("B", square(0), True)]

    def test_nobody_votes_twice_for_one_animal(self) -> None:
        rows = [("w", "A", square(0)), ("w", "A", square(0, 3)), ("x", "A", square(0, 6))]
        assert self.agreed(*rows) == [], "two people of four"
        assert len(self.agreed(*rows, experts="wxy")) == 1

    def test_boxes_in_a_chain_are_not_one_animal(self) -> None:
        # Each overlaps the next by 0.54, the first and the third by 0.25.
        rows = [(expert, "A", square(0, 30.0 * place)) for place, expert in enumerate("wxy")]
        assert self.agreed(*rows, experts="wxy") == [("A", square(0, 15), False)]

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**31))
    def test_the_order_of_rows_does_not_matter(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        rows = [
            (str(generator.choice(list("wxyz"))), str(generator.choice(SPECIES)), square(int(place), shift))
            for place, shift in zip(
                generator.integers(3, size=25), generator.integers(0, 50, size=25), strict=True
            )
        ]
        turned = [rows[k] for k in generator.permutation(len(rows))]
        assert self.agreed(*rows) == self.agreed(*turned)


TRUTHS = truth(
    [("s1", "A", square(0)), ("s1", "B", square(1)), ("t1", "A", square(0)), ("t1", "A", square(2))]
)
IMAGES = {"s1": "s", "t1": "t"}


def made(
    boxes: pd.DataFrame,
    images: pd.DataFrame,
    runs: Sequence[DetectorRun] = (),
    reference: str = GIVEN,
    rounds: Sequence[str] = ("",),
    truths: pd.DataFrame = TRUTHS,
    folds: Sequence[Mapping[str, str]] = (IMAGES,),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    people = People(
        boxes, images, rounds, GivenTruth(truths, folds), SPECIES, PeopleSettings(50, 0.95, reference)
    )
    return people_table(people, runs)


def row(table: pd.DataFrame, **where: Any) -> dict[str, Any]:
    for column, value in {"species": ALL_SPECIES, **where}.items():
        table = table[table[column].fillna("") == value]
    assert len(table) == 1
    return dict(table.iloc[0])


class TestExperts:
    def test_an_expert_is_counted_by_species_and_together(self) -> None:
        boxes = drawn(
            [
                ("w", "", "s1", "A", square(0, 5)),
                ("w", "", "s1", "A", square(1)),  # the animal is a B
                ("w", "", "t1", "A", square(0)),
            ]
        )
        table, _ = made(boxes, seen([("w", "", "s1"), ("w", "", "t1")]))
        whole = row(table, who="w")
        assert (whole["n_boxes"], whole["n_truth"], whole["n_right"]) == (3, 4, 2)
        assert whole["precision"] == pytest.approx(2 / 3)
        assert whole["recall"] == pytest.approx(2 / 4)
        assert whole["f1"] == pytest.approx(4 / 7)
        assert whole["f1_low"] < whole["f1"] < whole["f1_high"]
        of_b = row(table, who="w", species="B")
        assert (of_b["n_boxes"], of_b["n_truth"], of_b["recall"]) == (0, 1, 0.0)
        assert pd.isna(of_b["precision"]), "no box, no share"

    def test_an_expert_is_judged_on_the_images_that_they_looked_at(self) -> None:
        boxes = drawn([("w", "", "s1", "A", square(0)), ("w", "", "s1", "B", square(1))])
        whole = row(made(boxes, seen([("w", "", "s1")]))[0], who="w")
        assert (whole["n_images"], whole["n_truth"], whole["recall"]) == (1, 2, 1.0)
        assert pd.isna(whole["recall_low"]), "one slide tells nothing of others"
        looked = row(made(boxes, seen([("w", "", "s1"), ("w", "", "t1")]))[0], who="w")
        assert (looked["n_images"], looked["n_truth"], looked["recall"]) == (2, 4, 0.5)

    def test_all_experts_of_a_round_are_their_counts_added_up(self) -> None:
        boxes = drawn(
            [
                ("w", "", "s1", "A", square(0)),
                ("x", "", "t1", "A", square(0)),
                ("x", "", "t1", "B", square(1)),
            ]
        )
        images = seen([("w", "", "s1"), ("x", "", "s1"), ("x", "", "t1")])
        table, _ = made(boxes, images)
        every = row(table, kind="experts")
        assert (every["n_boxes"], every["n_truth"], every["n_right"]) == (3, 2 + 4, 2)
        assert (every["n_images"], every["n_slides"]) == (2, 2)

    def test_boxes_on_images_of_other_parts_do_not_count(self) -> None:
        boxes = drawn([("w", "", "s1", "A", square(0)), ("w", "", "u1", "A", square(0))])
        whole = row(made(boxes, seen([("w", "", "s1"), ("w", "", "u1")]))[0], who="w")
        assert (whole["n_boxes"], whole["n_images"]) == (1, 1)

    def test_a_round_is_compared_with_the_one_before(self) -> None:
        boxes = drawn(
            [
                ("w", "first", "s1", "A", square(0)),
                ("w", "first", "s1", "A", square(1)),
                ("w", "first", "t1", "A", square(0)),  # not looked at again
                ("w", "then", "s1", "A", square(0, 3)),
                ("w", "then", "s1", "B", square(1)),
                ("w", "then", "s1", "A", square(2)),
            ]
        )
        images = seen([("w", "first", "s1"), ("w", "first", "t1"), ("w", "then", "s1")])
        table, _ = made(boxes, images, rounds=("first", "then"))
        again = row(table, reference=EARLIER)
        assert (again["round"], again["n_boxes"], again["n_truth"], again["n_right"]) == ("then", 3, 2, 1)

    def test_others_leaves_out_the_experts_own_boxes(self) -> None:
        # Two agree on an animal that the truth of the study lacks; the third sees something of their own.
        boxes = drawn(
            [
                ("w", "", "s1", "A", square(3)),
                ("x", "", "s1", "A", square(3, 4)),
                ("y", "", "s1", "A", square(3, 8)),
                ("y", "", "s1", "A", square(4)),
            ]
        )
        images = seen([(expert, "", "s1") for expert in "wxy"])
        table, _ = made(boxes, images, reference=OTHERS)
        assert row(table, who="y")["n_truth"] == 1
        assert row(table, who="y")["precision"] == 0.5, "an own box is no evidence for itself"
        assert row(table, who="w")["recall"] == 1.0
        alone, _ = made(boxes, images)
        assert row(alone, who="w")["recall"] == 0.0

    def test_nothing_to_compare_with_is_told(self) -> None:
        boxes = drawn([("w", "", "u1", "A", square(0))])
        with pytest.raises(UserError, match="none of the test images"):
            made(boxes, seen([("w", "", "u1")]))
        with pytest.raises(UserError, match="Write given"):
            made(boxes, seen([("w", "", "s1"), ("x", "", "t1")]), reference=OTHERS)

    def test_an_image_that_only_one_expert_saw_has_no_others(self) -> None:
        boxes = drawn([("w", "", "s1", "A", square(0)), ("x", "", "s1", "A", square(0))])
        images = seen([("w", "", "s1"), ("x", "", "s1"), ("w", "", "t1")])
        whole = row(made(boxes, images, reference=OTHERS)[0], who="w")
        assert whole["n_images"] == 1


class TestDetectors:
    found = detections(
        [
            ("s1", "A", 0.9, square(0, 2)),
            ("s1", "B", 0.8, square(1)),
            ("t1", "A", 0.7, square(5)),
            ("t1", "A", 0.6, square(2)),
        ]
    )

    def run(self, certified: dict[str, float | None], empirical: dict[str, float | None]) -> DetectorRun:
        return DetectorRun("m", "Model", 1, [self.found], [{"certified": certified, "empirical": empirical}])

    def table(self, run: DetectorRun, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        boxes = drawn([("w", "", "s1", "A", square(0)), ("x", "", "t1", "A", square(0))])
        images = seen([(expert, "", image) for expert in "wxy" for image in IMAGES])
        return made(boxes, images, [run], **options)

    def test_a_detector_is_taken_at_the_threshold_of_each_species(self) -> None:
        table, _ = self.table(self.run({"A": 0.65, "B": 0.5}, {"A": 0.5, "B": 0.85}))
        certified, empirical = (row(table, who="m", threshold=kind) for kind in ("certified", "empirical"))
        assert (certified["n_boxes"], certified["n_right"], certified["n_truth"]) == (3, 2, 4)
        assert (empirical["n_boxes"], empirical["n_right"]) == (3, 2)
        assert row(table, who="m", threshold="empirical", species="A")["recall"] == pytest.approx(2 / 3)

    def test_a_species_without_threshold_is_missed_and_has_no_share(self) -> None:
        table, _ = self.table(self.run({"A": 0.65, "B": None}, {"A": None, "B": None}))
        assert row(table, who="m", threshold="certified")["recall"] == pytest.approx(1 / 4)
        assert pd.isna(row(table, who="m", threshold="certified", species="B")["recall"])
        assert pd.isna(row(table, who="m", threshold="empirical")["f1"])

    def test_the_truth_as_detector_and_as_expert_is_right_throughout(self) -> None:
        rows = [
            (r["image"], r["species"], tuple(r[c] for c in BOX_COLUMNS)) for r in TRUTHS.to_dict("records")
        ]
        boxes = drawn([("w", "", image, code, box) for image, code, box in rows])  # type: ignore[misc]
        perfect = detections([(image, code, 1.0, box) for image, code, box in rows])  # type: ignore[misc]
        ones = {"A": 1.0, "B": 1.0}
        run = DetectorRun("m", "Model", 1, [perfect], [{"certified": ones, "empirical": ones}])
        table, curves = made(boxes, seen([("w", "", "s1"), ("w", "", "t1")]), [run])
        assert set(table.loc[table["n_truth"] > 0, "f1"]) == {1.0}
        assert set(curves["precision"]) == {1.0}

    def test_folds_use_their_own_thresholds_and_count_together(self) -> None:
        s, t = (self.found[self.found["image"] == image] for image in ("s1", "t1"))
        both = [{"certified": {"A": a, "B": None}, "empirical": {"A": a, "B": None}} for a in (0.95, 0.65)]
        run = DetectorRun("m", "Model", 1, [s, t], both)
        table, curves = self.table(run, folds=[{"s1": "s"}, {"t1": "t"}])
        assert row(table, who="m", threshold="certified")["n_boxes"] == 1
        assert row(table, who="m", threshold="certified")["n_truth"] == 4
        assert len(curves[curves["species"] == "A"]) == 3

    def test_only_images_that_an_expert_saw_count(self) -> None:
        run = self.run({"A": 0.5, "B": 0.5}, {"A": 0.5, "B": 0.5})
        table, _ = made(drawn([("w", "", "s1", "A", square(0))]), seen([("w", "", "s1")]), [run])
        assert row(table, who="m", threshold="certified")["n_truth"] == 2

    def test_with_others_a_detector_is_compared_with_all_experts_of_each_round(self) -> None:
        boxes = drawn([(e, turn, "s1", "A", square(0)) for e in "wxy" for turn in ("1", "2")])
        images = seen([(e, turn, "s1") for e in "wxy" for turn in ("1", "2")])
        run = self.run({"A": 0.5, "B": 0.5}, {"A": 0.5, "B": 0.5})
        table, curves = made(boxes, images, [run], reference=OTHERS, rounds=("1", "2"))
        found = table[(table["who"] == "m") & (table["species"] == "A") & (table["threshold"] == "certified")]
        assert list(found["round"]) == ["1", "2"]
        assert list(found["n_right"]) == [1, 1]
        assert set(curves["round"]) == {"1", "2"}


def test_an_interval_of_f1_holds_it_and_is_narrower_than_that_of_a_share_of_as_many_things() -> None:
    right, boxes, truths = np.array([3, 5, 0, 4]), np.array([4, 6, 1, 4]), np.array([5, 6, 1, 6])
    low, high = f1_interval(right, boxes, truths, confidence=0.95)
    assert 0 < low < 24 / 33 < high < 1
    wide = proportion_interval(right, (boxes + truths) / 2, confidence=0.95)
    assert wide[0] < low < high < wide[1]
    perfect = np.array([4, 6])
    low, high = f1_interval(perfect, perfect, perfect, confidence=0.95)
    assert (low > 0, high) == (True, 1.0)
    nothing = np.array([0, 0])
    assert np.isnan(f1_interval(nothing, nothing, nothing, confidence=0.95)).all()


@pytest.mark.slow
def test_intervals_of_f1_hold_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(5)
    held = []
    for _ in range(1500):
        # Slides differ in how hard they are; 0.8 of the animals are found, a fifth more boxes are wrong.
        easy = generator.beta(16, 4, 25)
        truths = generator.poisson(6, 25)
        right = generator.binomial(truths, easy)
        boxes = right + generator.poisson(1.2, 25)
        low, high = f1_interval(right, boxes, truths, confidence=0.95)
        held.append(low <= 2 * 0.8 * 6 / (0.8 * 6 + 1.2 + 6) <= high)
    assert 0.93 <= np.mean(held) <= 0.975
