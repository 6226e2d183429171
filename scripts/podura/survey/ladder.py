"""What a detection is called: its species where that is sure, else its genus or the group, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.evaluation.matching import overlaps
from podura.survey.checked import active
from podura.tables import BOX_COLUMNS

Floats = NDArray[np.float64]

#: Species that make up less than this share of the animals behind detections like it are not considered.
_LEAST_SHARE = 0.05
#: A conflicting detection has at least this share of the other's score.
_LIKE_SCORE = 0.5
#: What people decided where they saw an animal of the list in the box.
_CONFIRMED = ("accept", "species")


@dataclass(frozen=True)
class Ladder:
    """``genus_of``: the genus of each species code. ``overlap``: IoU from which two detections conflict.

    group: name of what has no sure species or genus, None to leave each detection its species.
    """

    genus_of: Mapping[str, str]
    genus: bool = True
    group: str | None = "Collembola, undetermined"
    overlap: float = 0.5

    def shared_genus(self, species: Sequence[str]) -> str | None:
        """The genus of all of them, where it has several species of the list."""
        genera = {self.genus_of.get(code, "") for code in species}
        genus = genera.pop() if len(genera) == 1 else ""
        several = sum(other == genus for other in self.genus_of.values()) > 1
        return genus if self.genus and genus and several else None


def genera(names: Mapping[str, str]) -> dict[str, str]:
    """The genus of each species code: the first word of its scientific name, where that has two."""
    return {code: name.split()[0] if len(name.split()) > 1 else "" for code, name in names.items()}


def mistaken_for(evidence: pd.DataFrame | None) -> dict[str, set[str]]:
    """Of each detected species those whose animals its detections on annotated slides mostly are."""
    if evidence is None or not len(evidence):
        return {}
    known = evidence[evidence["truth_species"].notna()]
    result: dict[str, set[str]] = {}
    for species, truths in known.groupby("species")["truth_species"]:
        shares = truths.value_counts(normalize=True)
        result[str(species)] = {str(code) for code in shares.index[shares >= _LEAST_SHARE]}
    return result


def named(
    detections: pd.DataFrame,
    decisions: pd.DataFrame,
    ladder: Ladder,
    *,
    counted_from: Mapping[str, float],
    evidence: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """All detections, and animals that people added, with what they are called.

    detections: machine/detections. decisions: as in the review's table. counted_from: the score from which
    each species counts. Adds the columns taxon, taxon_rank, taxon_reason, decision, decided_species,
    reviewer, decided_at, same_animal_as (the detection that stands for the animal of a weaker one) and
    final_species: the decided one, else that of an accepted detection that has no conflict. What a person
    decided on a box settles a conflict with it.
    """
    found = detections.reset_index(drop=True)
    held = active(decisions)
    confusions = mistaken_for(evidence)
    decided = held[held["detection"].notna()].drop_duplicates("detection", keep="last").set_index("detection")
    there = decided.reindex(found["detection"].to_numpy(dtype=object))
    pairs = on_one_place(found, ladder.overlap, counted_from, there["action"].to_numpy(dtype=object))
    rivals = conflicts(found, pairs)
    confirmed = there["action"].isin(_CONFIRMED).to_numpy(dtype=bool)
    settled = {one for one, other in pairs if confirmed[other] and not confirmed[one]}
    rows = []
    columns = [
        found[name].to_numpy(dtype=object) for name in ("species", "score", "accepted", "threshold_status")
    ]
    columns += [there[name].to_numpy(dtype=object) for name in ("action", "species")]
    for place, (species, score, accepted, status, action, other) in enumerate(zip(*columns, strict=True)):
        final = None
        if isinstance(action, str):
            chosen = species if action == "accept" else other
            chosen = chosen if action in ("accept", "species") and isinstance(chosen, str) else None
            taxon, rank, reason = _of_decision(action, chosen, ladder)
            final = chosen
        elif place in settled:
            chosen, taxon, rank = None, None, None
            reason = "a person identified the animal there by another detection"
        else:
            chosen = None
            taxon, rank, reason = _of_machine(
                species,
                float(score),
                bool(accepted) if not pd.isna(accepted) else False,
                str(status),
                rivals.get(place, set()),
                confusions.get(species, {species}),
                ladder,
                float(counted_from.get(species, 0.0)),
            )
            final = species if rank == "species" and bool(accepted) else None
        rows.append((taxon, rank, reason, action if isinstance(action, str) else None, chosen, final))
    told = pd.DataFrame(
        rows,
        columns=["taxon", "taxon_rank", "taxon_reason", "decision", "decided_species", "final_species"],
        dtype=object,
    )
    told[["reviewer", "decided_at"]] = there[["reviewer", "decided_at"]].to_numpy(dtype=object)
    told["same_animal_as"] = _standing_for(found, pairs, told["taxon"].notna().to_numpy(), confirmed)
    return pd.concat([pd.concat([found, told], axis=1), _added(held)], ignore_index=True)


def _of_decision(action: str, species: str | None, ladder: Ladder) -> tuple[str | None, str | None, str]:
    if species is not None:
        return species, "species", "a person identified it"
    if action == "unsure":
        return ladder.group, "group" if ladder.group else None, "a person was not sure"
    return None, None, "a person rejected it"


def _of_machine(
    species: str,
    score: float,
    accepted: bool,
    status: str,
    rivals: set[str],
    confusions: set[str],
    ladder: Ladder,
    counted_from: float,
) -> tuple[str | None, str | None, str]:
    """Taxon, rank and reason of a detection that nobody has decided on."""
    if score < counted_from and not accepted:
        return (
            None,
            None,
            f"score below {counted_from:.2f}, from which {species} is counted: likely no animal",
        )
    if accepted and not rivals:
        return species, "species", "score at or above the certified threshold"
    if rivals:
        reason = f"another detection there says {', '.join(sorted(rivals))}"
    elif status == "certified":
        reason = "score below the certified threshold"
    else:
        reason = f"{species} has no certified threshold"
    if ladder.group is None:
        return species, "species", f"{reason}; named all the same, as the ladder is switched off"
    genus = ladder.shared_genus([species, *(rivals or confusions)])
    if genus:
        return f"{genus} sp.", "genus", f"{reason}; all it may be are {genus}"
    return ladder.group, "group", reason


def conflicts(detections: pd.DataFrame, pairs: Sequence[tuple[int, int]]) -> dict[int, set[str]]:
    """Row of each detection to the other species with a like score on its place. pairs: ``on_one_place``."""
    score = detections["score"].to_numpy(dtype=np.float64)
    species = detections["species"].to_numpy(dtype=object)
    result: dict[int, set[str]] = {}
    for a, b in pairs:
        if score[b] >= _LIKE_SCORE * score[a]:
            result.setdefault(a, set()).add(str(species[b]))
    return result


def on_one_place(
    detections: pd.DataFrame,
    overlap: float,
    counted_from: Mapping[str, float],
    actions: NDArray[np.object_],
) -> list[tuple[int, int]]:
    """Pairs of rows, in both orders, of different species on one place; of counted or confirmed ones.

    actions: what people decided on each row, None where nobody did.
    """
    score = detections["score"].to_numpy(dtype=np.float64)
    least = detections["species"].map(counted_from).fillna(0.0).to_numpy(dtype=np.float64)
    kept = np.flatnonzero(((score >= least) | np.isin(actions, _CONFIRMED)) & (actions != "reject"))
    boxes = detections[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
    species = detections["species"].to_numpy(dtype=object)
    result: list[tuple[int, int]] = []
    for rows in detections.iloc[kept].groupby("image", sort=False).indices.values():
        if len(rows) < 2:
            continue
        of_image = kept[rows]
        one, other = _overlapping(boxes[of_image], overlap)
        pairs = zip(of_image[one].tolist(), of_image[other].tolist(), strict=True)
        result += [(a, b) for a, b in pairs if species[a] != species[b]]
    return result


def _standing_for(
    detections: pd.DataFrame,
    pairs: Sequence[tuple[int, int]],
    named: NDArray[np.bool_],
    confirmed: NDArray[np.bool_],
) -> list[str | None]:
    """For each detection the better one that stands for its animal: an animal has one box.

    By falling score each detection that has none stands for those on its place; people's come first.
    """
    names = detections["detection"].tolist()
    score = detections["score"].to_numpy(dtype=np.float64)
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, []).append(other)
    result: list[str | None] = [None] * len(detections)
    for place in sorted(partners, key=lambda row: (not confirmed[row], -score[row], str(names[row]))):
        if result[place] is None and named[place]:
            for other in partners[place]:
                if named[other] and not confirmed[other] and result[other] is None:
                    result[other] = str(names[place])
    return result


def _overlapping(boxes: Floats, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of boxes, in both orders, whose IoU is above ``least``."""
    # The helper holds all pairs at once; an image of thousands is taken strip by strip.
    every: list[NDArray[np.intp]] = []
    plain = np.zeros(len(boxes), dtype=bool)
    for start in range(0, len(boxes), 500):
        shared = overlaps(boxes[start : start + 500], boxes, plain)
        one, other = np.nonzero(shared > least)
        every.append(np.stack([one + start, other]))
    pairs = np.concatenate(every, axis=1)
    pairs = pairs[:, pairs[0] != pairs[1]]
    return pairs[0], pairs[1]


def _added(held: pd.DataFrame) -> pd.DataFrame:
    """Animals that people added, the machine's columns empty."""
    added = held[held["action"] == "add"]
    columns = ["image", "sample", *BOX_COLUMNS, "reviewer", "decided_at"]
    return added[columns].assign(
        taxon=added["species"],
        taxon_rank="species",
        taxon_reason="a person added it",
        decision="add",
        decided_species=added["species"],
        final_species=added["species"],
    )
