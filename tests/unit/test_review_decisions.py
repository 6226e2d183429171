"""Decisions come back from the page, from Label Studio and from CVAT, and become one table."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import review_data
from podura.configuration.surveys import ReviewSettings
from podura.errors import UserError
from podura.survey.decision_files import OWN_FORMAT, read_decision_file
from podura.survey.decisions import collect_decisions
from podura.survey.exports.annotations import as_text, cvat, label_studio, machine_boxes
from podura.survey.queue import review_queue
from podura.survey.tasks import REVIEW_TAG, shown_detections
from podura.tables import BOX_COLUMNS, REVIEW_DECISIONS

IMAGES = review_data.survey_images()
DETECTIONS = review_data.survey_detections(IMAGES)
QUEUE = review_queue(DETECTIONS, IMAGES, ReviewSettings(20, 10, 4), seed=2)
SURVEYED = review_data.surveyed(DETECTIONS, IMAGES)
SHOWN = shown_detections(DETECTIONS, QUEUE)
IMAGE = "north/field 0.jpg"
HERE = SHOWN[SHOWN["image"] == IMAGE]
SPECIES = review_data.SPECIES_FACTS


def entry(place: int = 0, action: str = "accept", **more: Any) -> dict[str, Any]:
    row = DETECTIONS.iloc[place]
    made = {
        "action": action, "image": row["image"], "detection": row["detection"], "species": None, "box": None,
        "reviewer": "Anna", "decided_at": "2026-05-04T10:00:00Z",
    }  # fmt: skip
    return {**made, **more}


def write(path: Path, *entries: Any, **head: Any) -> Path:
    document = {"format": OWN_FORMAT, "version": 1, "survey": "spring", "decisions": list(entries), **head}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def collected(*paths: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = [read_decision_file(path, SURVEYED) for path in paths]
    return collect_decisions(files, DETECTIONS, IMAGES, QUEUE)


def other(species: str) -> str:
    return "LEP-LAN" if species != "LEP-LAN" else "CER-DEN"


def test_the_latest_decision_counts_and_a_conflict_is_told(tmp_path: Path) -> None:
    machine = DETECTIONS["species"].iloc[0]
    anna = write(tmp_path / "anna.json", entry(), entry(1, "reject"))
    bert = write(
        tmp_path / "bert.json",
        entry(0, "species", species=other(machine), reviewer="Bert", decided_at="2026-05-03T09:00:00+02:00"),
        entry(1, "reject", reviewer="Bert", decided_at="2026-06-01T00:00:00Z"),
    )
    decisions, problems = collected(anna, bert)
    first = decisions[decisions["detection"] == DETECTIONS["detection"].iloc[0]]
    assert first["reviewer"].tolist() == ["Bert", "Anna"]
    assert first["decided_at"].tolist() == ["2026-05-03T07:00:00Z", "2026-05-04T10:00:00Z"]
    assert first["superseded"].tolist() == [True, False]
    assert first["species"].tolist() == [other(machine), machine]
    second = decisions[decisions["detection"] == DETECTIONS["detection"].iloc[1]]
    assert second["superseded"].tolist() == [True, False]
    assert problems["kind"].tolist() == ["conflict"], "two people who agree are no conflict"
    assert f"Bert said {other(machine)}" in problems["message"].item()
    pd.testing.assert_frame_equal(
        *(collected(*order)[0].drop(columns="source") for order in ((anna, bert), (bert, anna)))
    )


def test_an_earlier_and_a_later_save_of_the_same_work_are_one(tmp_path: Path) -> None:
    early = write(tmp_path / "early.json", entry(), entry(1, "reject"))
    late = write(tmp_path / "late.json", entry(), entry(1, "reject"), entry(2, "unsure"))
    decisions, problems = collected(early, late)
    assert len(decisions) == 3
    assert not decisions["superseded"].any()
    assert problems.empty


def test_drawn_follows_the_queue(tmp_path: Path) -> None:
    reasons = QUEUE.set_index("detection")["reason"]
    entries = [entry(place) for place in range(len(DETECTIONS))]
    done = [
        {"action": "image_done", "image": image, "reviewer": "Anna", "decided_at": "2026-05-04T10:00:00Z"}
        for image in IMAGES["image"]
    ]
    decisions, _ = collected(write(tmp_path / "a.json", *entries, *done))
    random = decisions[decisions["drawn"] == "random"]
    assert set(random["detection"].dropna()) == set(reasons[reasons == "random"].index)
    assert set(random.loc[random["action"] == "image_done", "image"]) == set(
        QUEUE.loc[QUEUE["kind"] == "image", "image"]
    )
    assert decisions["sample"].notna().all()


def test_choosing_the_machines_species_is_accepting(tmp_path: Path) -> None:
    machine = DETECTIONS["species"].iloc[0]
    name = next(one.name for one in review_data.SPECIES if one.code == machine)
    decisions, _ = collected(write(tmp_path / "a.json", entry(0, "species", species=name)))
    assert decisions[["action", "species"]].values.tolist() == [["accept", machine]]


def added(box: list[float], species: str = "ISO-MIN", image: str = IMAGE, **more: Any) -> dict[str, Any]:
    return {
        "action": "add", "image": image, "species": species, "box": box, "reviewer": "Anna",
        "decided_at": "2026-05-04T10:00:00Z", **more,
    }  # fmt: skip


def test_an_animal_added_where_the_machine_has_a_box_is_a_decision_on_that_box(tmp_path: Path) -> None:
    row = DETECTIONS.iloc[0]
    box = [row[name] + 2 for name in BOX_COLUMNS]
    decisions, _ = collected(
        write(tmp_path / "a.json", added(box, other(row["species"]), row["image"]), added([1, 1, 9, 9]))
    )
    assert decisions["action"].tolist() == ["species", "add"]
    assert decisions["detection"].tolist() == [row["detection"], pd.NA]
    assert decisions["species"].tolist() == [other(row["species"]), "ISO-MIN"]


def test_the_same_added_animal_of_two_people_is_one_and_two_of_one_person_are_two(tmp_path: Path) -> None:
    one = write(tmp_path / "a.json", added([1, 1, 21, 21]), added([5, 1, 25, 21], "CER-DEN"))
    two = write(
        tmp_path / "b.json",
        added([1, 2, 21, 21], "CER-DEN", reviewer="Bert", decided_at="2026-07-01T00:00:00Z"),
    )
    decisions, problems = collected(one, two)
    assert decisions.loc[~decisions["superseded"], "reviewer"].tolist() == ["Anna", "Bert"]
    assert decisions["superseded"].sum() == 1
    assert len(problems) == 1
    assert "Anna said ISO-MIN" in problems["message"].item()


def test_two_animals_of_one_person_stay_two_where_an_earlier_save_is_named_as_well(tmp_path: Path) -> None:
    first, second = added([1, 1, 21, 21]), added([5, 1, 25, 21], decided_at="2026-07-01T00:00:00Z")
    later = write(tmp_path / "b.json", first, second)
    for files in ([later], [write(tmp_path / "a.json", first), later]):
        decisions, problems = collected(*files)
        assert not decisions["superseded"].any()
        assert len(decisions) == 2
        assert problems.empty


def test_a_box_drawn_anew_in_a_later_save_takes_the_place_of_the_first(tmp_path: Path) -> None:
    one = write(tmp_path / "a.json", added([1, 1, 21, 21]))
    two = write(tmp_path / "b.json", added([1, 2, 21, 21], decided_at="2026-07-01T00:00:00Z"))
    decisions, _ = collected(one, two)
    assert decisions["superseded"].tolist() == [True, False]


@pytest.mark.parametrize("rejected_first", [True, False])
def test_an_animal_whose_box_is_drawn_better_is_not_lost_with_the_machines_box(
    tmp_path: Path, rejected_first: bool
) -> None:
    machine = DETECTIONS.iloc[0]
    box = [machine[name] + 1 for name in BOX_COLUMNS]
    drawn = added(box, "ISO-MIN", image=machine["image"])
    hours = ("09", "11") if rejected_first else ("11", "09")
    reject = entry(0, "reject", decided_at=f"2026-05-04T{hours[0]}:00:00Z")
    drawn["decided_at"] = f"2026-05-04T{hours[1]}:00:00Z"
    decisions, problems = collected(write(tmp_path / "a.json", reject, drawn))
    held = decisions[~decisions["superseded"]]
    assert held["detection"].tolist() == [machine["detection"]]
    assert held["species"].tolist() == ["ISO-MIN"]
    assert problems.empty
    bert = entry(0, "reject", reviewer="Bert", decided_at="2026-08-01T00:00:00Z")
    other_file = write(tmp_path / "b.json", bert)
    decisions, problems = collected(tmp_path / "a.json", other_file)
    assert decisions.loc[~decisions["superseded"], "action"].tolist() == ["reject"], "another person's counts"
    assert problems["kind"].tolist() == ["conflict"]


def test_the_file_of_another_survey_is_refused(tmp_path: Path) -> None:
    """Images of two surveys often have the same names, and what is added or searched would count."""
    path = write(tmp_path / "a.json", added([1, 1, 21, 21]))
    assert len(read_decision_file(path, SURVEYED, "spring").decisions) == 1
    with pytest.raises(UserError, match="of the survey \"spring\", not of 'autumn'") as refused:
        read_decision_file(path, SURVEYED, "autumn")
    assert str(path) in str(refused.value)


def test_what_does_not_exist_any_more_is_reported_and_not_used(tmp_path: Path) -> None:
    decisions, problems = collected(
        write(
            tmp_path / "a.json",
            entry(detection="0" * 16),
            entry(image="south/field 3.jpg"),
            entry(image="../../etc/passwd"),
            entry(action="species", species="Homo sapiens"),
            added([500, 500, 500, 600]),
            added([-50, -50, -1, -1]),
            entry(3),
        )
    )
    assert len(decisions) == 1
    assert problems["kind"].tolist() == ["gone", "gone", "no_image", "unknown_species", "bad_box", "bad_box"]
    assert "lies on 'north/field 0.jpg'" in problems["message"].iloc[1]
    assert problems["source"].eq(str(tmp_path / "a.json")).all()


DONE = {"action": "image_done", "image": IMAGE, "reviewer": "Anna", "decided_at": "2026-05-04T10:00:00Z"}


def test_an_image_searched_beside_the_boxes_of_another_detector_is_not_searched(tmp_path: Path) -> None:
    """What those boxes showed was accepted then, and may be missed now: it would count for nothing."""
    key = {"key": "study/spring/0123"}
    file = write(tmp_path / "a.json", entry(0), added([500, 500, 540, 540]), DONE, **key)
    for pipeline, searched in (("0123", True), ("4567", False), (None, True)):
        read = read_decision_file(file, SURVEYED, "spring", pipeline)
        assert ("image_done" in {one.action for one in read.decisions}) == searched
        assert [one.kind for one in read.troubles] == ([] if searched else ["gone"])
        assert len(read.decisions) == 2 + searched, "what was decided on boxes that are there still counts"


def test_an_image_some_of_whose_boxes_are_gone_is_not_searched(tmp_path: Path) -> None:
    other_image = {**DONE, "image": "south/field 0.jpg"}
    file = write(tmp_path / "a.json", entry(0), entry(detection="0" * 16), DONE, other_image)
    decisions, problems = collected(file)
    assert decisions.loc[decisions["action"] == "image_done", "image"].tolist() == ["south/field 0.jpg"]
    assert problems["kind"].tolist() == ["gone", "gone"]
    assert "searched beside boxes" in problems["message"].iloc[1]


def test_a_label_studio_task_of_another_detector_searches_nothing(tmp_path: Path) -> None:
    tasks = submitted(label_studio_tasks(), IMAGE, lambda results: results)
    mine = next(one for one in tasks if one.get("annotations"))
    mine["data"]["detections"][0] = "0" * 16
    path = tmp_path / "project.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    decisions, problems = collected(path)
    assert "image_done" not in set(decisions["action"])
    assert {"gone"} < set(problems["kind"])


def test_a_box_beyond_the_image_is_cut(tmp_path: Path) -> None:
    decisions, _ = collected(write(tmp_path / "a.json", added([-5, 650, 30, 800])))
    assert decisions.loc[0, list(BOX_COLUMNS)].tolist() == [0, 650, 30, 700]


HOSTILE: list[tuple[Any, str]] = [
    ("", "not JSON"),
    ("[" * 100_000, "JSON cannot be read"),
    ("PK\x03\x04", "ZIP"),
    ('{"format": "x"}', "'format' is"),
    ('{"format": "podura review decisions", "version": 2, "decisions": []}', "version 2"),
    ('{"format": "podura review decisions", "version": 1}', "'decisions' is missing"),
    (entry(action="delete"), "'action' is \"delete\""),
    (entry(action=["accept"]), "'action' is"),
    (entry(reviewer=""), "'reviewer' is"),
    (entry(reviewer="A" * 101), "'reviewer' is"),
    (entry(reviewer="Anna\x00\u202e"), "'reviewer' is"),
    (entry(decided_at="yesterday"), "ISO 8601"),
    (entry(decided_at="9999-12-31T23:59:59-23:59"), "ISO 8601"),
    (entry(decided_at=7), "'decided_at' is 7"),
    (entry(image=None), "'image' is null"),
    (entry(detection={"$where": "1"}), "'detection' is"),
    (added([1, 2, 3]), "'box' is"),  # type: ignore[list-item]
    ("7", "no list of tasks"),
    ('[{"data": {"image": "a.jpg"}, "annotations": []}]', "lists no 'detections'"),
    ("<html/>", "not <annotations>"),
    ('<!DOCTYPE x [<!ENTITY a "b">]><annotations/>', "document type"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE)
def test_hostile_and_damaged_files_are_refused_with_words(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "foreign.json"
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        write(path, entry(1), content)
    with pytest.raises(UserError) as refused:
        read_decision_file(path, SURVEYED)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    if not isinstance(content, str):
        assert "decision 2" in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"surveys\.<name>\.decisions"):
        read_decision_file(tmp_path / "none.json", SURVEYED)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(entry())), json_values)
def test_any_value_anywhere_is_read_reported_or_refused(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "any.json"
    path.write_text(
        json.dumps({"format": OWN_FORMAT, "version": 1, "decisions": [entry(**{key: value})]}),
        encoding="utf-8",
    )
    try:
        decisions, problems = collected(path)
    except UserError as error:
        told = str(error)
    else:
        told = str(path)
        assert len(decisions) + len(problems) == 1
        REVIEW_DECISIONS.write_csv(decisions, tmp_path / "decisions.csv")
    assert str(path) in told


def test_a_table_of_decisions_survives_writing(tmp_path: Path) -> None:
    decisions, _ = collected(write(tmp_path / "a.json", entry(reviewer="=HYPERLINK(1)"), added([1, 1, 9, 9])))
    REVIEW_DECISIONS.write_csv(decisions, tmp_path / "decisions.csv")
    assert ",'=HYPERLINK(1)," in (tmp_path / "decisions.csv").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(REVIEW_DECISIONS.read_csv(tmp_path / "decisions.csv"), decisions)


# --- Label Studio and CVAT -------------------------------------------------------------------------------


def label_studio_tasks() -> list[dict[str, Any]]:
    return json.loads(as_text(label_studio(machine_boxes(SHOWN), IMAGES, predictions="podura")))


def submitted(tasks: list[dict[str, Any]], image: str, change: Any, **more: Any) -> list[dict[str, Any]]:
    """What Label Studio exports once a person has submitted a task that began with the prediction."""
    tasks = copy.deepcopy(tasks)
    place = IMAGES["image"].tolist().index(image)
    results = copy.deepcopy(tasks[place]["predictions"][0]["result"])
    annotation = {
        "id": 5, "completed_by": {"id": 3, "email": "bert@example.org"}, "result": change(results),
        "was_cancelled": False, "updated_at": "2026-05-05T08:00:00.123456Z", **more,
    }  # fmt: skip
    tasks[place]["annotations"].append(annotation)
    return tasks


def expect_changes(decisions: pd.DataFrame, reviewer: str) -> None:
    """One box kept, one renamed, one deleted, one unsure, one drawn, and the image searched."""
    names = HERE["detection"].tolist()
    by_id = decisions[decisions["detection"].notna()].set_index("detection")
    species = HERE["species"].tolist()
    assert by_id.loc[names[0], ["action", "species"]].tolist() == ["accept", species[0]]
    assert by_id.loc[names[1], ["action", "species"]].tolist() == ["species", other(species[1])]
    assert by_id.loc[names[2], "action"] == "reject"
    assert by_id.loc[names[3], "action"] == "unsure"
    assert (by_id.loc[names[4:], "action"] == "accept").all()
    drawn = decisions[decisions["action"] == "add"]
    assert drawn["species"].tolist() == ["LEP-LAN"]
    assert drawn[list(BOX_COLUMNS)].iloc[0].tolist() == pytest.approx([9, 14, 18, 28], abs=0.01)
    assert (decisions["action"] == "image_done").sum() == 1
    assert set(decisions["reviewer"]) == {reviewer}
    assert set(decisions["image"]) == {IMAGE}
    assert len(decisions) == len(names) + 2


def test_label_studio_comes_back_as_it_was_reviewed(tmp_path: Path) -> None:
    def change(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        results[1]["value"]["rectanglelabels"] = [other(HERE["species"].iloc[1])]
        results[3]["value"]["rectanglelabels"] = ["unsure"]
        drawn = copy.deepcopy(results[0])
        drawn["id"] = "Zq3xT"
        drawn["value"] = {
            "x": 1, "y": 2, "width": 1, "height": 2, "rotation": 0, "rectanglelabels": ["LEP-LAN"]
        }  # fmt: skip
        return [*results[:2], *results[3:], drawn]

    assert len(HERE) >= 5
    path = tmp_path / "project.json"
    path.write_text(json.dumps(submitted(label_studio_tasks(), IMAGE, change)), encoding="utf-8")
    decisions, problems = collected(path)
    expect_changes(decisions, "bert@example.org")
    assert set(decisions["decided_at"]) == {"2026-05-05T08:00:00Z"}
    assert set(problems["kind"]) == {"not_finished"}
    assert len(problems) == len(IMAGES) - 1


def test_label_studio_takes_the_last_of_each_person_and_no_cancelled_one(tmp_path: Path) -> None:
    tasks = submitted(label_studio_tasks(), IMAGE, lambda results: [], updated_at="2026-05-06T00:00:00Z")
    tasks = submitted(tasks, IMAGE, lambda results: results, updated_at="2026-05-07T00:00:00Z")
    tasks = submitted(tasks, IMAGE, lambda results: [], was_cancelled=True, updated_at="2026-05-08T00:00:00Z")
    path = tmp_path / "project.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    decisions, problems = collected(path)
    assert set(decisions["action"]) == {"accept", "image_done"}
    assert "conflict" not in set(problems["kind"])


def test_a_box_that_was_deleted_and_drawn_anew_in_label_studio_is_still_an_animal(tmp_path: Path) -> None:
    def change(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        drawn = copy.deepcopy(results[0])
        drawn["id"] = "Zq3xT"
        drawn["value"]["rectanglelabels"] = ["LEP-LAN"]
        return [*results[1:], drawn]

    path = tmp_path / "project.json"
    path.write_text(json.dumps(submitted(label_studio_tasks(), IMAGE, change)), encoding="utf-8")
    decisions, problems = collected(path)
    held = decisions[~decisions["superseded"]].set_index("detection")
    assert held.at[HERE["detection"].iloc[0], "species"] == "LEP-LAN"
    assert "add" not in set(decisions["action"])
    assert "conflict" not in set(problems["kind"])


def test_a_box_that_was_moved_keeps_its_new_place(tmp_path: Path) -> None:
    def change(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        results[0]["value"]["x"] += 1
        return results

    path = tmp_path / "project.json"
    path.write_text(json.dumps(submitted(label_studio_tasks(), IMAGE, change)), encoding="utf-8")
    decisions, _ = collected(path)
    moved = decisions[decisions["x_min"].notna()]
    assert moved["detection"].tolist() == HERE["detection"].tolist()[:1]
    assert moved["x_min"].item() == pytest.approx(HERE["x_min"].iloc[0] + 9, abs=0.01)


def cvat_document(state: str = "done", change: bool = True) -> ElementTree.Element:
    root = ElementTree.fromstring(cvat(machine_boxes(SHOWN), IMAGES, SPECIES, name="spring", review=True))
    task = root.find("meta/task")
    assert task is not None
    owner = ElementTree.SubElement(ElementTree.SubElement(task, "owner"), "username")
    owner.text = "carla"
    ElementTree.SubElement(task, "updated").text = "2026-05-05 08:00:00.123456+00:00"
    image = next(one for one in root.findall("image") if one.get("name") == IMAGE)
    tag = next(one for one in image.findall("tag") if one.get("label") == REVIEW_TAG)
    next(one for one in tag.findall("attribute") if one.get("name") == "state").text = state
    boxes = image.findall("box")
    if change:
        boxes[1].set("label", other(HERE["species"].iloc[1]))
        boxes[3].set("label", "unsure")
        image.remove(boxes[2])
        ElementTree.SubElement(image, "box", label="LEP-LAN", xtl="9", ytl="14", xbr="18", ybr="28")
    return root


def test_cvat_comes_back_as_it_was_reviewed(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_bytes(ElementTree.tostring(cvat_document()))
    decisions, problems = collected(path)
    expect_changes(decisions, "carla")
    assert set(problems["kind"]) == {"not_finished"}
    assert len(problems) == len(IMAGES) - 1


@pytest.mark.parametrize("state", ["open", ""])
def test_a_cvat_image_that_is_not_done_says_nothing(tmp_path: Path, state: str) -> None:
    path = tmp_path / "annotations.xml"
    path.write_bytes(ElementTree.tostring(cvat_document(state)))
    decisions, problems = collected(path)
    assert decisions.empty
    assert len(problems) == len(IMAGES)


def test_names_that_xml_and_addresses_cannot_hold_survive_or_are_escaped(tmp_path: Path) -> None:
    images = IMAGES.copy()
    name = "ä & <b>\"#?%20'\x01.jpg"
    images.loc[images["image"] == IMAGE, "image"] = name
    detections = DETECTIONS.copy()
    detections.loc[detections["image"] == IMAGE, "image"] = name
    boxes = machine_boxes(detections)
    root = ElementTree.fromstring(cvat(boxes, images, SPECIES, name="</name>", review=True))
    assert root.find("image").get("name") == name.replace("\x01", "")
    tasks = label_studio(boxes, images, predictions="podura")
    tasks[0]["annotations"] = [{"result": tasks[0]["predictions"][0]["result"], "completed_by": 4}]
    path = tmp_path / "project.json"
    path.write_text(as_text(tasks), encoding="utf-8")
    read = read_decision_file(path, review_data.surveyed(detections, images))
    assert {one.image for one in read.decisions} == {name}
    assert {one.reviewer for one in read.decisions} == {"Label Studio user 4"}
