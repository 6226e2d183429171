"""What detections are called, from species to group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from podura.survey.ladder import Ladder, conflicts, genera, named, on_one_place

NAMES = {
    "CER-DEN": "Ceratophysella denticulata",
    "CER-GIB": "Ceratophysella gibbosa",
    "PAR-NOT": "Parisotoma notabilis",
}
LADDER = Ladder(genera(NAMES))
FROM = dict.fromkeys(NAMES, 0.3)
NO_DECISIONS = pd.DataFrame(
    columns=[
        "detection",
        "image",
        "sample",
        "action",
        "species",
        "drawn",
        "superseded",
        "reviewer",
        "decided_at",
        "x_min",
        "y_min",
        "x_max",
        "y_max",
    ]
)


def detection(number, species, score, accepted=False, status="certified", x=0.0):
    box = {"x_min": x, "y_min": 0.0, "x_max": x + 10, "y_max": 10.0}
    row = {"detection": f"d{number}", "image": "i", "slide": "s", "sample": "one", "species": species}
    return {**row, "score": score, **box, "threshold_status": status, "accepted": accepted}


def called(rows, decisions=NO_DECISIONS, ladder=LADDER, evidence=None):
    return named(pd.DataFrame(rows), decisions, ladder, counted_from=FROM, evidence=evidence)


def test_an_accepted_detection_keeps_its_species():
    one = called([detection(0, "CER-DEN", 0.9, accepted=True)]).iloc[0]
    assert (one["taxon"], one["taxon_rank"], one["final_species"]) == ("CER-DEN", "species", "CER-DEN")


def test_a_low_score_becomes_the_genus_where_its_confusions_share_one():
    evidence = pd.DataFrame(
        {"species": ["CER-DEN"] * 20, "truth_species": ["CER-DEN"] * 15 + ["CER-GIB"] * 5, "score": 0.5}
    )
    one = called([detection(0, "CER-DEN", 0.5)], evidence=evidence).iloc[0]
    assert (one["taxon"], one["taxon_rank"]) == ("Ceratophysella sp.", "genus")
    assert "below the certified threshold" in one["taxon_reason"]
    assert pd.isna(one["final_species"])


def test_a_low_score_that_another_genus_may_explain_becomes_the_group():
    evidence = pd.DataFrame(
        {"species": ["CER-DEN"] * 20, "truth_species": ["CER-DEN"] * 15 + ["PAR-NOT"] * 5, "score": 0.5}
    )
    one = called([detection(0, "CER-DEN", 0.5)], evidence=evidence).iloc[0]
    assert (one["taxon"], one["taxon_rank"]) == ("Collembola, undetermined", "group")


def test_the_only_species_of_its_genus_becomes_the_group():
    one = called([detection(0, "PAR-NOT", 0.5, status="needs_more")]).iloc[0]
    assert (one["taxon"], one["taxon_rank"]) == ("Collembola, undetermined", "group")
    assert "no certified threshold" in one["taxon_reason"]


def test_a_score_that_is_not_counted_is_no_taxon():
    one = called([detection(0, "PAR-NOT", 0.1)]).iloc[0]
    assert pd.isna(one["taxon"])
    assert pd.isna(one["taxon_rank"])
    assert "0.30" in one["taxon_reason"]


@pytest.mark.parametrize(
    ("other", "taxon"), [("CER-GIB", "Ceratophysella sp."), ("PAR-NOT", "Collembola, undetermined")]
)
def test_two_species_on_one_place_are_neither(other, taxon):
    rows = [detection(0, "CER-DEN", 0.9, accepted=True), detection(1, other, 0.8, accepted=True, x=1.0)]
    table = called(rows)
    assert table["taxon"].tolist() == [taxon, taxon]
    assert table["final_species"].isna().all()
    assert other in table["taxon_reason"].iloc[0]


def test_a_far_weaker_rival_does_not_count():
    rows = [detection(0, "CER-DEN", 0.9, accepted=True), detection(1, "PAR-NOT", 0.35, x=1.0)]
    table = called(rows)
    assert table["taxon"].tolist() == ["CER-DEN", "Collembola, undetermined"]


def test_the_ladder_can_be_switched_off():
    off = Ladder(genera(NAMES), group=None)
    one = called([detection(0, "CER-DEN", 0.5)], ladder=off).iloc[0]
    assert (one["taxon"], one["taxon_rank"]) == ("CER-DEN", "species")
    assert pd.isna(one["final_species"])


def test_decisions_override_and_stay_beside_the_machine():
    rows = [detection(n, "CER-DEN", 0.9, accepted=True, x=20.0 * n) for n in range(4)]
    made = pd.DataFrame(
        [
            {"detection": "d0", "action": "species", "species": "PAR-NOT"},
            {"detection": "d1", "action": "reject"},
            {"detection": "d2", "action": "unsure"},
            {"detection": None, "action": "add", "species": "CER-GIB", "x_min": 5.0, "x_max": 9.0},
        ]
    ).assign(image="i", sample="one", superseded=False, reviewer="anna", decided_at="2026-11-25T12:00:00Z")
    table = called(rows, made.reindex(columns=NO_DECISIONS.columns).assign(superseded=False))
    assert table["species"].tolist()[:4] == ["CER-DEN"] * 4
    assert table["final_species"].fillna("").tolist() == ["PAR-NOT", "", "", "CER-DEN", "CER-GIB"]
    assert table["decision"].fillna("").tolist() == ["species", "reject", "unsure", "", "add"]
    assert table["taxon"].fillna("").tolist()[1:3] == ["", "Collembola, undetermined"]
    added = table.iloc[4]
    assert pd.isna(added["detection"])
    assert pd.isna(added["score"])
    assert (added["x_min"], added["reviewer"]) == (5.0, "anna")


def test_conflicts_do_not_depend_on_the_order_of_rows():
    rows = [
        detection(0, "CER-DEN", 0.9),
        detection(1, "CER-GIB", 0.8, x=1.0),
        detection(2, "PAR-NOT", 0.9, x=50.0),
    ]
    undecided = np.full(len(rows), None, dtype=object)
    forward, backward = (
        conflicts(frame, on_one_place(frame, 0.5, FROM, undecided))
        for frame in (pd.DataFrame(rows), pd.DataFrame(rows[::-1]))
    )
    assert forward == {0: {"CER-GIB"}, 1: {"CER-DEN"}}
    assert backward == {2: {"CER-GIB"}, 1: {"CER-DEN"}}


def test_boxes_of_two_species_on_one_place_are_one_animal_of_the_better():
    rows = [
        detection(0, "CER-DEN", 0.9, accepted=True),
        detection(1, "CER-GIB", 0.8, accepted=True, x=1.0),
        detection(2, "PAR-NOT", 0.35, x=2.0),
        detection(3, "PAR-NOT", 0.9, accepted=True, x=50.0),
    ]
    table = called(rows)
    assert table["same_animal_as"].fillna("").tolist() == ["", "d0", "d0", ""]
    assert called(rows[::-1])["same_animal_as"].fillna("").tolist() == ["", "d0", "d0", ""]


def test_an_animal_beyond_a_second_box_is_not_lost():
    """The third box lies on the second, which is the first animal's, and not on the first: it is another."""
    rows = [
        detection(0, "CER-DEN", 0.9),
        detection(1, "CER-GIB", 0.8, x=3.0),
        detection(2, "PAR-NOT", 0.7, x=6.0),
    ]
    assert called(rows)["same_animal_as"].fillna("").tolist() == ["", "d0", ""]


def decided_on(detection, action, species=None):
    made = {"detection": detection, "image": "i", "sample": "one", "action": action, "species": species}
    made |= {"superseded": False, "reviewer": "anna", "decided_at": "2026-11-25T12:00:00Z"}
    return pd.DataFrame([made]).reindex(columns=NO_DECISIONS.columns)


def test_a_rejected_box_conflicts_with_nothing():
    rows = [detection(0, "CER-DEN", 0.9, accepted=True), detection(1, "PAR-NOT", 0.8, accepted=True, x=1.0)]
    table = called(rows, decided_on("d1", "reject"))
    assert table["final_species"].fillna("").tolist() == ["CER-DEN", ""]
    assert table["same_animal_as"].isna().all()


@pytest.mark.parametrize(("action", "species"), [("accept", "PAR-NOT"), ("species", "CER-DEN")])
def test_where_a_person_identified_the_animal_other_boxes_are_none(action, species):
    """The weaker box is the one that was looked at; the better one is accepted by its score, and settled."""
    rows = [detection(0, "CER-DEN", 0.9, accepted=True), detection(1, "PAR-NOT", 0.2, x=1.0)]
    table = called(rows, decided_on("d1", action, species))
    assert table["final_species"].fillna("").tolist() == ["", species]
    assert pd.isna(table["taxon"].iloc[0])
    assert "a person identified" in table["taxon_reason"].iloc[0]
    assert table["species"].tolist() == ["CER-DEN", "PAR-NOT"], "the machine's word stays beside it"
