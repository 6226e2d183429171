"""All that is told of one model's faults: the tables of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from podura.evaluation.confusion import confusion_rows
from podura.evaluation.errors import error_rows, of_all_seeds
from podura.evaluation.examples import example_rows
from podura.evaluation.reliability import reliability_rows
from podura.evaluation.runs import Run
from podura.evaluation.subsets import by_edge, by_size
from podura.tables import DIAGNOSES


def diagnose(model: str, runs: Sequence[Run], *, confidence: float) -> dict[str, pd.DataFrame]:
    """The tables of ``podura.tables.DIAGNOSES`` for one model, by the names of their files."""
    errors = [row for run in runs for row in error_rows(run)]
    rows: dict[str, list[dict[str, Any]]] = {
        "by_size": [row for run in runs for row in by_size(run)],
        "by_edge": [row for run in runs for row in by_edge(run)],
        "errors": [*errors, *of_all_seeds(errors)],
        "confusion": [row for run in runs for row in confusion_rows(run)],
        "reliability": reliability_rows(runs, confidence),
        "examples": example_rows(runs),
    }
    return {
        name: table.frame([{"model": model, **row} for row in rows[name]])
        for name, table in DIAGNOSES.items()
    }
