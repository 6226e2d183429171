"""The catalogue of faults, and that it is the one source of severities and treatments."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podura.annotations.findings import Findings, RefusedProblemsError
from podura.annotations.kinds import DONE, KINDS, misfit, treatments
from podura.annotations.problems import Problem
from podura.errors import UserErrors

LIBRARY = Path(__file__).parents[2] / "scripts" / "podura"


def test_every_kind_has_a_sentence_and_may_refuse():
    for name, kind in KINDS.items():
        assert name == kind.name
        assert kind.default == kind.treatments[0]
        assert len(set(kind.treatments)) == len(kind.treatments) > 1
        assert set(kind.treatments) <= set(DONE)
        assert "refuse" in kind.treatments
        assert 10 < len(kind.meaning) < 160
        assert not kind.meaning.endswith(".")


def test_a_fault_that_makes_results_wrong_stops_and_cannot_be_kept():
    stopping = {name for name, kind in KINDS.items() if kind.default == "refuse"}
    assert stopping == {"same_file_two_slides", "wrong_size", "annotated_twice", "unknown_name"}
    for name in stopping:
        assert set(KINDS[name].treatments) == {"refuse", "drop"}


def test_every_kind_named_in_the_library_is_in_the_catalogue_and_the_other_way_round():
    named = set()
    for path in [*LIBRARY.rglob("*.py")]:
        if path.name == "kinds.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
    # How an image is cut off is for the reader of images to tell.
    assert set(KINDS) - named <= {"truncated_image"}
    with pytest.raises(ValueError, match="no kind strange"):
        Problem("strange", "a fault")


@given(
    st.dictionaries(
        st.sampled_from([*KINDS, "tiny_bxo", "x"]), st.sampled_from([*DONE, "delete"]), max_size=4
    )
)
def test_a_choice_is_taken_as_it_is_or_refused(chosen):
    faults = [misfit(kind, treatment) for kind, treatment in chosen.items()]
    fits = {kind: kind in KINDS and treatment in KINDS[kind].treatments for kind, treatment in chosen.items()}
    assert [fault is None for fault in faults] == list(fits.values())
    if not all(fits.values()):
        with pytest.raises(UserErrors) as error:
            treatments(chosen)
        assert len(error.value.messages) == sum(not fit for fit in fits.values())
        return
    assert treatments(chosen) == {name: chosen.get(name, kind.default) for name, kind in KINDS.items()}


def test_all_refused_kinds_are_told_at_once_with_their_numbers():
    findings = Findings({"zero_area": "refuse"})
    findings.stop_if_refused("a.json")
    assert findings.drops(Problem("zero_area", "no area", "b.png", "box 1", "0 0 0 0"))
    assert findings.add(Problem("no_boxes", "empty", "a.png")) == "keep"
    assert findings.drops(Problem("unknown_name", "what is a mite?", value="mite"))
    with pytest.raises(RefusedProblemsError) as error:
        findings.stop_if_refused("a.json")
    assert error.value.messages == (
        "a.json: image 'b.png', box 1: no area",
        "a.json: what is a mite?",
        "The run stops for these kinds of faults: zero_area (1), unknown_name (1). Mend them, or choose "
        "another treatment: dataset.problems: {zero_area: drop, unknown_name: drop}.",
    )
    assert list(error.value.problems["treatment"]) == ["refused", "kept", "refused"]
    assert list(error.value.problems["image"].fillna("")) == ["", "a.png", "b.png"]
