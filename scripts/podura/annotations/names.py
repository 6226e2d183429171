"""From the class names of annotations to species codes."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from podura.errors import UserError, UserErrors


@dataclass(frozen=True)
class SpeciesEntry:
    """One row of the species table: code, scientific name, and other names found in annotations."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A name as it is compared: without case, underscores as spaces, single spaces, NFC."""
    text = unicodedata.normalize("NFC", name).casefold().replace("_", " ")
    return unicodedata.normalize("NFC", " ".join(text.split()))


class SpeciesNames:
    """Resolves class names of annotations: a code, a scientific name or an alias, of any case.

    ``species`` are those of the study, ``left_out`` those of the species table that the study does not
    include, ``other`` names of animals known to be of no interest. Raises UserErrors where one name
    could mean two things, and UserError for a study without species.
    """

    def __init__(
        self,
        species: Sequence[SpeciesEntry],
        left_out: Sequence[SpeciesEntry] = (),
        other: Sequence[str] = (),
    ) -> None:
        if not species:
            raise UserError("The study includes no species. List some under species.include.")
        self._code: dict[str, str | None] = {}
        self._spelling: dict[str, str] = {}
        owner: dict[str, str] = {}
        faults: list[str] = []
        meanings: list[tuple[str, str | None, str, bool]] = [
            (name, entry.code, f"species {entry.code}", entry in species)
            for entry in (*species, *left_out)
            for name in (entry.code, entry.name, *entry.aliases)
        ]
        meanings += [(name, None, "the list species.other", False) for name in other]
        for name, code, who, wanted in meanings:
            key = plain_name(name)
            if not key:
                continue
            if owner.setdefault(key, who) != who:
                faults.append(
                    f"The name '{name}' stands for {owner[key]} and for {who}. "
                    "Remove it from one of them (column aliases of the species table, or "
                    "species.other in the config)."
                )
            self._code.setdefault(key, code if wanted else None)
            self._spelling.setdefault(key, name)
        codes = [entry.code for entry in (*species, *left_out)]
        faults += [
            f"The species code '{code}' stands twice in the species table. Give each species its own."
            for code in sorted({c for c in codes if codes.count(c) > 1})
        ]
        if faults:
            raise UserErrors(faults)

    def knows(self, name: str) -> bool:
        """Whether the name is known at all, wanted or not."""
        return plain_name(name) in self._code

    def code(self, name: str) -> str | None:
        """The code of a species of the study; None for a name that is of no interest or unknown."""
        return self._code.get(plain_name(name))

    def unknown_name_messages(self, counts: Mapping[str, int]) -> list[str]:
        """For each unknown name how often it stands there and what may have been meant."""
        messages = []
        for name in sorted(counts):
            near = difflib.get_close_matches(plain_name(name), self._spelling, n=1, cutoff=0.6)
            hint = f" The nearest known name is '{self._spelling[near[0]]}'." if near else ""
            messages.append(
                f"The annotations hold {counts[name]} × the name '{name}', which is unknown.{hint} Add "
                "it to the aliases of a species in the species table, or to species.other in the "
                "config if it is of no interest."
            )
        return messages
