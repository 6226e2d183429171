"""Entries of the models table that fuse the detections of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podura.configuration.sources import Origins
from podura.configuration.study import EnsembleSpecification
from podura.configuration.wording import choice, shown, suggestion


def is_ensemble(entry: Any) -> bool:
    """Whether an entry means to be an ensemble, sound or not."""
    return isinstance(entry, Mapping) and (entry.get("adapter") == "ensemble" or "members" in entry)


def ensemble_specification(name: str, entry: Mapping[str, Any]) -> EnsembleSpecification:
    """The ensemble of a sound entry with its defaults filled in."""
    return EnsembleSpecification(
        name=name,
        label=entry["label"],
        adapter=entry["adapter"],
        members=tuple(entry["members"]),
        seeds=entry["seeds"],
        iou=float(entry["iou"]),
    )


def ensemble_faults(
    ensemble: EnsembleSpecification,
    entries: Mapping[Any, Any],
    names: Sequence[str],
    n_seeds: int | None,
    origins: Origins,
) -> Iterator[str]:
    """What is wrong with a sound ensemble among the other ``entries`` and in a study.

    ``names`` are those of ``models.include``; ``n_seeds`` is the number of seeds, None where it is not known.
    """
    for place, member in enumerate(ensemble.members):
        where = origins.where((ensemble.name, "members", place))
        known = [str(name) for name, entry in entries.items() if not is_ensemble(entry)]
        if member not in entries:
            yield (
                f"{where}: {shown(member)} is no model of this table.{suggestion(member, known)} "
                f"Write names of models: {choice(known)}."
            )
        elif member not in known:
            yield (
                f"{where}: {shown(member)} is an ensemble itself. Write the models that it fuses in its "
                "place."
            )
        elif member not in names:
            yield (
                f"{where}: {shown(member)} is not in the study, and an ensemble is compared with what it "
                f"fuses. Write {member} into models.include too, or leave it out here."
            )
    if ensemble.seeds == "each" and len(ensemble.members) == 1:
        yield (
            f"{origins.where((ensemble.name, 'seeds'))}: with one member and a run of each seed there is "
            "nothing to fuse. Write all, or a second member."
        )
    if ensemble.seeds == "all" and n_seeds == 1 and len(ensemble.members) == 1:
        yield (
            f"{origins.where((ensemble.name, 'members'))}: one member and one seed leave nothing to fuse. "
            "Write a second member, or more than one number into seeds."
        )
