"""What an import found: the faults in their order, and what is to be done about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from podura import tables
from podura.annotations.kinds import DONE, KINDS, Treatment, treatments
from podura.annotations.problems import Problem
from podura.errors import UserErrors

_SHOWN_OF_A_KIND = 10


class RefusedProblemsError(UserErrors):
    """Faults that stop the run; ``problems`` is the table of all that was found (tables.PROBLEMS)."""

    def __init__(self, messages: Sequence[str], problems: pd.DataFrame) -> None:
        super().__init__(messages)
        self.problems = problems


class Findings:
    """Collects the faults of one import; ``chosen`` holds the treatments that differ from the default.

    Raises UserErrors for a kind or treatment that does not exist.
    """

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        self.treatments: Mapping[str, Treatment] = treatments(chosen or {})
        self._problems: list[Problem] = []

    def add(self, problem: Problem) -> Treatment:
        """Note a fault; returns what is to be done about it.

        With ``refuse`` the import goes on as if what is faulty were dropped, so that everything that
        stops the run is told at once.
        """
        self._problems.append(problem)
        return self.treatments[problem.kind]

    def add_all(self, problems: Iterable[Problem]) -> None:
        self._problems += problems

    def drops(self, problem: Problem) -> bool:
        """Note a fault; whether what is faulty is left out from here on."""
        return self.add(problem) in ("drop", "refuse")

    def frame(self) -> pd.DataFrame:
        """The table ``problems``, by image; faults of one image in the order in which they were found."""
        found = sorted(self._problems, key=lambda problem: problem.image or "")
        columns = {
            "image": [problem.image for problem in found],
            "row": [problem.row for problem in found],
            "kind": [problem.kind for problem in found],
            "severity": [problem.severity for problem in found],
            "treatment": [DONE[self.treatments[problem.kind]] for problem in found],
            "value": [problem.value for problem in found],
            "message": [problem.message for problem in found],
        }
        return tables.PROBLEMS.frame(pd.DataFrame(columns, dtype="object"))

    def stop_if_refused(self, source: str) -> None:
        """Raise RefusedProblemsError if a fault is to be refused; ``source`` names the annotations."""
        counts = Counter(p.kind for p in self._problems if self.treatments[p.kind] == "refuse")
        if not counts:
            return
        messages = []
        for kind in (kind for kind in KINDS if counts[kind]):
            of_kind = [problem for problem in self._problems if problem.kind == kind]
            messages += [f"{source}: {_placed(problem)}" for problem in of_kind[:_SHOWN_OF_A_KIND]]
            if counts[kind] > _SHOWN_OF_A_KIND:
                messages.append(f"… and {counts[kind] - _SHOWN_OF_A_KIND} more of the kind {kind}.")
        told = ", ".join(f"{kind} ({counts[kind]})" for kind in KINDS if counts[kind])
        instead = ", ".join(f"{kind}: {_instead(kind)}" for kind in KINDS if counts[kind])
        messages.append(
            f"The run stops for these kinds of faults: {told}. Mend them, or choose another treatment: "
            f"dataset.problems: {{{instead}}}."
        )
        raise RefusedProblemsError(messages, self.frame())


def _placed(problem: Problem) -> str:
    """A fault with its image and place in words."""
    image = f"image '{problem.image}', " if problem.image else ""
    place = f"{image}{problem.row or ''}".removesuffix(", ")
    return f"{place}: {problem.message}" if place else problem.message


def _instead(kind: str) -> Treatment:
    return next(treatment for treatment in KINDS[kind].treatments if treatment != "refuse")
