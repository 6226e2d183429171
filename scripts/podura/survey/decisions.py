"""All decisions on a survey as one table: which of several counts, and where people disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from podura import tables
from podura.annotations.overlaps import close_pairs
from podura.annotations.problems import Box
from podura.survey.deciding import Decision, DecisionFile, Trouble
from podura.tables import BOX_COLUMNS

#: A box that a person drew over one of the machine's, or over another person's, means the same animal.
SAME_ANIMAL_IOU = 0.5

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Added:
    """A box that a person drew: the number of its animal, and the files that hold it."""

    number: int
    box: Box
    reviewer: str
    sources: set[str]


def collect_decisions(
    files: Sequence[DecisionFile], detections: pd.DataFrame, images: pd.DataFrame, queue: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All decisions in the order of their time, as tables.REVIEW_DECISIONS, and tables.REVIEW_PROBLEMS.

    The latest decision on a detection, an added animal or an image counts; earlier ones stay and are marked
    as superseded. The same decision in two files (an earlier and a later save) is one. Where two people
    decided differently, that is told. An animal that was added where the machine has a box with which it
    overlaps by ``SAME_ANIMAL_IOU`` was not missed: it is a decision on that detection.
    """
    seen: dict[tuple[object, ...], tuple[Decision, set[str]]] = {}
    for file in files:
        for one in file.decisions:
            same = (one.action, one.image, one.detection, one.species, one.box, one.reviewer, one.decided_at)
            seen.setdefault(same, (one, set()))[1].add(file.source)
    in_time = sorted(seen.values(), key=lambda pair: pair[0].decided_at)
    given, sources = [one for one, _ in in_time], [files for _, files in in_time]
    ordered = _on_detections(given, detections)
    keys = _keys(ordered, sources)
    redrawn = _redrawn(given, ordered, sources)
    latest = {key: place for place, key in enumerate(keys) if place not in redrawn}
    troubles = [one for file in files for one in file.troubles] + _conflicts(ordered, keys, redrawn)
    return _frame(ordered, keys, latest, images, queue), tables.REVIEW_PROBLEMS.frame(
        pd.DataFrame(
            [(one.source, one.kind, one.image, one.detection, one.message) for one in troubles],
            columns=tables.REVIEW_PROBLEMS.names,
            dtype="object",
        )
    )


def _on_detections(decisions: list[Decision], detections: pd.DataFrame) -> list[Decision]:
    """Added animals that the machine has a box for become decisions on that detection, one to one."""
    added: dict[str, list[int]] = {}
    for place, one in enumerate(decisions):
        if one.action == "add" and one.box is not None:
            added.setdefault(one.image, []).append(place)
    changed = list(decisions)
    known = detections[detections["image"].isin(added)]
    for image, rows in known.groupby("image", sort=False):
        places = added[str(image)]
        boxes = _boxes(rows)
        drawn = [box for place in places if (box := decisions[place].box) is not None]
        pairs = [
            (overlap, first, second - len(boxes))
            for first, second, overlap in close_pairs([*boxes, *drawn], SAME_ANIMAL_IOU)
            if first < len(boxes) <= second
        ]
        names, species = rows["detection"].tolist(), rows["species"].tolist()
        used: set[int] = set()
        # Of one person's animals each takes another detection; two people may mean the same one.
        taken: set[tuple[str, int]] = set()
        for _, machine, mine in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            one = decisions[places[mine]]
            if mine in used or (one.reviewer, machine) in taken:
                continue
            used.add(mine)
            taken.add((one.reviewer, machine))
            action = "accept" if species[machine] == one.species else "species"
            changed[places[mine]] = replace(one, action=action, detection=names[machine])
    return changed


def _redrawn(given: Sequence[Decision], ordered: Sequence[Decision], sources: Sequence[set[str]]) -> set[int]:
    """Rejections of boxes on whose place the same person drew a box, in the same file: the animal is there.

    Whoever draws a better box and then rejects the machine's must not lose the animal.
    """
    drawn: dict[tuple[str, str], set[str]] = {}
    for before, one, held_in in zip(given, ordered, sources, strict=True):
        if before.action == "add" and one.detection is not None:
            drawn.setdefault((one.detection, one.reviewer), set()).update(held_in)
    return {
        place
        for place, one in enumerate(ordered)
        if one.action == "reject"
        and one.detection is not None
        and drawn.get((one.detection, one.reviewer), set()) & sources[place]
    }


def _boxes(rows: pd.DataFrame) -> list[Box]:
    return [(a, b, c, d) for a, b, c, d in rows[list(BOX_COLUMNS)].to_numpy(dtype="float64").tolist()]


def _keys(decisions: Sequence[Decision], sources: Sequence[set[str]]) -> list[Key]:
    """What each decision is about: a detection, an image, or an added animal by its first box.

    sources: the files that hold each decision.
    """
    keys: list[Key] = []
    first: dict[str, list[_Added]] = {}
    for place, one in enumerate(decisions):
        if one.detection is not None:
            keys.append(("detection", one.detection, 0))
        elif one.box is None:
            keys.append(("image", one.image, 0))
        else:
            keys.append(
                ("added", one.image, _animal(first.setdefault(one.image, []), one, place, sources[place]))
            )
    return keys


def _animal(known: list[_Added], one: Decision, place: int, sources: set[str]) -> int:
    """The number of the added animal that a box shows: another person's or an earlier one, else a new one.

    Boxes of one person in one file are different animals.
    """
    assert one.box is not None
    boxes = [other.box for other in known]
    near = [
        (overlap, known[a].number)
        for a, b, overlap in close_pairs([*boxes, one.box], SAME_ANIMAL_IOU)
        if b == len(boxes) and not (known[a].reviewer == one.reviewer and known[a].sources & sources)
    ]
    number = max(near)[1] if near else place
    known.append(_Added(number, one.box, one.reviewer, sources))
    return number


def _conflicts(decisions: Sequence[Decision], keys: Sequence[Key], left_out: set[int]) -> list[Trouble]:
    last: dict[Key, Decision] = {}
    troubles = []
    for place, (one, key) in enumerate(zip(decisions, keys, strict=True)):
        if place in left_out:
            continue
        before = last.get(key)
        last[key] = one
        if before is None or before.reviewer == one.reviewer or _answer(before) == _answer(one):
            continue
        troubles.append(
            Trouble(
                one.source,
                "conflict",
                one.image,
                one.detection,
                f"{_said(before)}, {_said(one)}; the later decision counts",
            )
        )
    return troubles


def _answer(one: Decision) -> tuple[str, str | None]:
    return ("animal" if one.species else one.action, one.species)


def _said(one: Decision) -> str:
    words = {"reject": "no animal of the list", "unsure": "unsure", "image_done": "image searched"}
    when = f" on {one.decided_at[:10]}" if one.decided_at else ""
    return f"{one.reviewer} said {one.species or words[one.action]}{when}"


def _frame(
    decisions: Sequence[Decision],
    keys: Sequence[Key],
    latest: Mapping[Key, int],
    images: pd.DataFrame,
    queue: pd.DataFrame,
) -> pd.DataFrame:
    sample = dict(zip(images["image"], images["sample"], strict=True))
    at_random = queue[queue["probability"].notna()]
    detections = set(at_random.loc[at_random["kind"].eq("detection"), "detection"])
    searched = set(at_random.loc[at_random["kind"].eq("image"), "image"])
    rows = []
    for place, (one, key) in enumerate(zip(decisions, keys, strict=True)):
        drawn = one.detection in detections if one.detection is not None else one.image in searched
        rows.append(
            {
                "detection": one.detection,
                "image": one.image,
                "sample": sample.get(one.image),
                "action": one.action,
                "species": one.species,
                **dict(zip(BOX_COLUMNS, one.box or (None,) * 4, strict=True)),
                "reviewer": one.reviewer,
                "decided_at": one.decided_at or None,
                "drawn": "random" if drawn else "targeted",
                "superseded": latest[key] != place,
                "source": one.source,
            }
        )
    return tables.REVIEW_DECISIONS.frame(
        pd.DataFrame(rows, columns=tables.REVIEW_DECISIONS.names, dtype="object")
    )
