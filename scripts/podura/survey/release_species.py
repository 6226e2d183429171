"""The species of a release, as its table names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from podura.annotations.names import SpeciesEntry
from podura.tables import SPECIES


def release_species(path: Path) -> list[Mapping[str, str]]:
    """Code, name, authority, family and aliases of each species, from ``species.tsv`` of a release."""
    return SPECIES.read_user_tsv(path)[SPECIES.names].astype(str).to_dict("records")


def species_entries(species: Sequence[Mapping[str, str]]) -> list[SpeciesEntry]:
    """The species as annotations name them: by code, scientific name or alias."""
    return [
        SpeciesEntry(
            one["code"],
            one["name"],
            tuple(name.strip() for name in one["aliases"].split("|") if name.strip()),
        )
        for one in species
    ]
