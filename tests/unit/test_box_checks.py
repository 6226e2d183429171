"""Which of several boxes at one place stays, and what the threads that read images change: nothing."""

from __future__ import annotations

import json

import pytest

from builders import SPECIES, raw, raw_box, raw_image, study
from podura.annotations.dataset import truth_frame
from podura.annotations.importing import import_dataset

BOX = (2.0, 2.0, 22.0, 20.0)
MOVED = (2.0, 2.0, 22.0, 21.0)
FURTHER = (2.0, 2.0, 22.0, 22.5)  # IoU 0.93 with the second, 0.88 with the first
APART = (2.0, 2.0, 20.0, 22.0)  # IoU 0.82 with the first


def imported(folder, *boxes, **treatments):
    entries = study(folder, ["a.png"])
    return import_dataset(entries, raw(raw_image("a.png", *boxes)), SPECIES, treatments=treatments)


def left(dataset):
    return [
        ((r.x_min, r.y_min, r.x_max, r.y_max), r.species, r.ignore)
        for r in truth_frame(dataset.coco).itertuples()
    ]


def told(dataset, *kinds):
    table = dataset.problems
    return [(r.kind, r.row, r.treatment) for r in table[table["kind"].isin(kinds)].itertuples()]


def test_the_earlier_of_two_near_duplicates_stays(tmp_path):
    dataset = imported(tmp_path, raw_box(box=MOVED, where="one"), raw_box(box=BOX, where="two"))
    assert left(dataset) == [(MOVED, "CER-DEN", False)]
    assert told(dataset, "near_duplicate") == [("near_duplicate", "two", "dropped")]


def test_a_box_that_counts_stays_before_one_that_is_ignored(tmp_path):
    dataset = imported(
        tmp_path, raw_box(box=MOVED, where="one", flags=["crowd"]), raw_box(box=BOX, where="two")
    )
    assert left(dataset) == [(BOX, "CER-DEN", False)]
    assert told(dataset, "near_duplicate") == [("near_duplicate", "one", "dropped")]


def test_in_a_chain_a_box_goes_only_where_its_likeness_stays(tmp_path):
    dataset = imported(
        tmp_path,
        *[raw_box(box=box, where=where) for box, where in ((BOX, "1"), (MOVED, "2"), (FURTHER, "3"))],
    )
    # The second repeats the first and goes; the third repeats the second, but no longer any box that stays.
    assert [box for box, _, _ in left(dataset)] == [BOX, FURTHER]
    assert told(dataset, "near_duplicate", "overlapping_boxes") == [
        ("near_duplicate", "2", "dropped"),
        ("overlapping_boxes", "3", "kept"),
    ]


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("keep", [False, False]), ("ignore", [False, True]), ("drop", [False])],
)
def test_overlapping_boxes_are_treated_as_chosen(treatment, expected, tmp_path):
    boxes = raw_box(box=BOX, where="one"), raw_box(box=APART, where="two")
    dataset = imported(tmp_path, *boxes, overlapping_boxes=treatment, near_duplicate=treatment)
    assert [ignore for _, _, ignore in left(dataset)] == expected
    assert len(told(dataset, "overlapping_boxes", "near_duplicate")) == 1


def test_two_species_at_one_place_are_both_ignored_if_so_chosen(tmp_path):
    boxes = raw_box("CER-DEN", BOX), raw_box("ISO-MIN", MOVED), raw_box("PAR-NOT", (30, 5, 38, 15))
    dataset = imported(tmp_path, *boxes, two_species="ignore")
    assert [ignore for _, _, ignore in left(dataset)] == [True, True, False]


def test_a_box_cut_at_the_edge_may_be_ignored_or_dropped(tmp_path):
    box = raw_box(box=(-4, 2, 12, 13))
    assert left(imported(tmp_path, box, partly_outside="ignore")) == [((0, 2, 12, 13), "CER-DEN", True)]
    assert left(imported(tmp_path, box, partly_outside="drop")) == []
    assert left(imported(tmp_path, box)) == [((0, 2, 12, 13), "CER-DEN", False)]


def test_flags_may_be_kept_in_the_count(tmp_path):
    box = raw_box(flags=["crowd"])
    assert left(imported(tmp_path, box, flagged="keep"))[0][2] is False
    assert left(imported(tmp_path, box))[0][2] is True


def test_the_number_of_threads_changes_nothing(tmp_path):
    entries = study(tmp_path, [f"{place:02}.png" for place in range(30)])
    for place in range(0, 30, 4):
        entries[place].path.write_bytes(b"" if place % 8 else b"no image")
    entries[5].path.unlink()
    found = raw(*[raw_image(entry.image, raw_box()) for entry in entries])
    one, four = (import_dataset(entries, found, SPECIES, threads=threads) for threads in (1, 4))
    assert json.dumps(one.coco) == json.dumps(four.coco)
    assert one.problems.equals(four.problems)
    assert (one.problems["severity"] == "error").sum() == 9 + 2  # two species have no specimen
