"""The species table, and the species of a study."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from podura.configuration.sources import Origins
from podura.configuration.structure import Schema, allowed, cell_check
from podura.configuration.study import Species
from podura.configuration.wording import choice, shown, suggestion
from podura.errors import UserErrors
from podura.tables import SPECIES


def read_species(path: Path, schema: Schema) -> tuple[Species, ...]:
    """The species of a species table, in its order.

    Raises UserErrors for everything that is wrong in the table: codes that cannot name files, and
    codes, names or aliases that two species share (capital letters do not count).
    """
    faults: list[str] = []
    species: list[Species] = []
    first_use: dict[str, tuple[str, int]] = {}
    fits = cell_check(schema["properties"]["code"])
    for row in SPECIES.read_user_tsv(path).to_dict("records"):
        one = Species(
            code=row["code"],
            name=row["name"],
            authority=row["authority"],
            family=row["family"],
            aliases=tuple(alias.strip() for alias in row["aliases"].split("|") if alias.strip()),
        )
        species.append(one)
        number = row["row"]
        if not fits(one.code):
            faults.append(
                f"{path}, row {number}, column 'code': {shown(one.code)} does not fit. "
                f"Write {allowed(schema['properties']['code'])}."
            )
        own = {folded(name): name for name in (one.code, one.name, *one.aliases)}
        for key, name in own.items():
            if key in first_use:
                code, first = first_use[key]
                faults.append(
                    f"{path}, row {number}: the name {shown(name)} of {one.code} is already a code, "
                    f"name or alias of {code} (row {first}). Each name may mean one species only: "
                    "remove it from one of the two rows."
                )
            else:
                first_use[key] = (one.code, number)
    if not species:
        faults.append(f"{path}: the table holds no species. Write one row a species.")
    if faults:
        raise UserErrors(faults)
    return tuple(species)


def included_species(
    table: Sequence[Species], codes: Sequence[str] | None, path: Path, origins: Origins
) -> tuple[Species, ...]:
    """The species with these codes in the order of the codes, or all where ``codes`` is None.

    Raises UserErrors for codes that the table at ``path`` does not hold.
    """
    if codes is None:
        return tuple(table)
    by_code = {species.code: species for species in table}
    faults = [
        f"{origins.where(('species', 'include', place))}: {shown(code)} is not a code of {path}."
        f"{suggestion(code, by_code)} Write codes of that table ({choice(by_code)}), or null for "
        "all of them."
        for place, code in enumerate(codes)
        if code not in by_code
    ]
    if faults:
        raise UserErrors(faults)
    return tuple(by_code[code] for code in codes)


def check_other_names(names: Sequence[str], table: Sequence[Species], path: Path, origins: Origins) -> None:
    """Raise UserErrors for names that are to mean no species but do mean one of the table."""
    meaning = {
        folded(name): species.code
        for species in table
        for name in (species.code, species.name, *species.aliases)
    }
    faults = [
        f"{origins.where(('species', 'other', place))}: {shown(name)} is a code, name or alias of "
        f"{meaning[folded(name)]} in {path}. Remove it here: species of the table that are not "
        "included count as other animals anyway."
        for place, name in enumerate(names)
        if folded(name) in meaning
    ]
    if faults:
        raise UserErrors(faults)


def folded(name: str) -> str:
    """A name as annotations are compared with it: without case, underscores as spaces, NFC."""
    text = unicodedata.normalize("NFC", name).casefold().replace("_", " ")
    return unicodedata.normalize("NFC", " ".join(text.split()))
