"""Every broken input of the corpus gives its stated rows or refusal, and never a traceback."""

from __future__ import annotations

from collections import Counter

import pytest

from broken_cases import ALL, CASES
from broken_inputs import SIZE_ROW, WITHOUT_SIZE, Laboratory
from podura.annotations.kinds import DONE, KINDS


@pytest.mark.parametrize("kind", ALL)
def test_nothing_is_told_of_a_sound_study(kind, tmp_path):
    outcome = Laboratory(tmp_path, kind).run()
    assert outcome.message == ""
    assert outcome.rows() == ([SIZE_ROW] if kind in WITHOUT_SIZE else [])
    assert (outcome.n_images, len(outcome.ignored), outcome.ignored.sum()) == (6, 48, 0)


@pytest.mark.parametrize("name", CASES)
def test_a_broken_input_gives_its_rows_or_its_refusal(name, tmp_path):
    case = CASES[name]
    lab = Laboratory(tmp_path, case.kind, case.n)
    case.spoil(lab)
    outcome = lab.run()
    for words in case.words:
        assert words in outcome.message
    assert bool(outcome.message) == bool(case.words)
    if case.rows or not case.words:
        assert sorted(outcome.rows(), key=str) == case.expected
    if not case.words:
        drawn = sum(len(image.boxes) for image in lab.drawn)
        assert (outcome.n_images, len(outcome.ignored)) == (case.images, drawn - case.lost)
    if outcome.problems is not None:
        assert outcome.problems["message"].str.len().gt(10).all()
        assert not outcome.problems["message"].str.contains("Traceback|Errno|object at").any()


def test_the_corpus_is_large_and_has_every_kind_and_format():
    assert len(CASES) >= 80
    assert {row[0] for case in CASES.values() for row in case.expected} == set(KINDS)
    of_format = Counter(case.kind for case in CASES.values())
    assert min(of_format[kind] for kind in ALL) >= 9


def case_of(kind):
    """The plainest case with a row of a kind."""
    with_kind = [case for case in CASES.values() if kind in {row[0] for row in case.expected}]
    return min(with_kind, key=lambda case: len(case.rows))


CHOICES = [(name, treatment) for name, kind in KINDS.items() for treatment in kind.treatments]


@pytest.mark.parametrize(("kind", "treatment"), CHOICES, ids=[f"{kind}-{how}" for kind, how in CHOICES])
def test_every_treatment_of_every_kind_is_carried_out(kind, treatment, tmp_path):
    case = case_of(kind)
    lab = Laboratory(tmp_path, case.kind, case.n)
    case.spoil(lab)
    lab.config["dataset"]["problems"] = {"unknown_name": "drop", "wrong_size": "drop"} | {kind: treatment}
    outcome = lab.run()
    told = outcome.of_kind(kind)
    assert Counter(told) == Counter(
        (*row[:2], DONE[treatment], row[3]) for row in case.expected if row[0] == kind
    )
    assert (treatment == "refuse") == bool(outcome.message)
    if treatment == "refuse":
        assert f"{kind} ({len(told)})" in outcome.message
        assert f"{kind}: " in outcome.message.splitlines()[-2]
        return
    if treatment == "ignore":
        assert outcome.ignored.sum() >= len(told)
    if treatment == "drop":
        concerned = {row[3] for row in told} - {None}
        left = {image["file_name"] for image in outcome.coco["images"]}
        drawn = sum(len(image.boxes) for image in lab.drawn)
        assert len(outcome.ignored) < drawn or not concerned <= left or None in {row[3] for row in told}


def test_a_table_of_refused_problems_goes_when_the_fault_is_mended(tmp_path):
    lab = Laboratory(tmp_path)
    boxes = lab.drawn[0]
    lab.move(0, (10, 10, 30, 30), "mite")
    outcome = lab.run()
    assert f"All faults that were found are in {lab.dataset / 'refused_problems.csv'}." in outcome.message
    assert (lab.dataset / "refused_problems.csv").exists()
    lab.drawn[0] = boxes
    lab.write()
    assert lab.run().message == ""
    assert not (lab.dataset / "refused_problems.csv").exists()


def test_many_refused_faults_are_counted(tmp_path):
    lab = Laboratory(tmp_path)
    lab.config["dataset"]["problems"] = {"zero_area": "refuse"}
    lab.draw(0, *[lab.drawn[0].boxes[0].__class__("CER-DEN", (k, 5, k, 9)) for k in range(25)])
    message = lab.run().message
    assert message.count("the box has no area") == 10
    assert "… and 15 more of the kind zero_area." in message
