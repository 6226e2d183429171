"""What the page says of images that show the same."""

from __future__ import annotations

from typing import Any

import pandas as pd

from podura.report.results import Results
from podura.report.wording import count, plural


def leakage_verdict(leakage: pd.DataFrame | None) -> str:
    """Whether images of different parts show the same (tables.LEAKAGE), in words.

    None where it was not looked for.
    """
    if leakage is None:
        return (
            "The images were not compared with each other (dataset.leakage.check is false), so parts may "
            "share images, and nobody would know."
        )
    leaks = int((leakage["severity"] == "leak").sum())
    within = len(leakage) - leaks
    if leaks:
        verb = "show" if leaks != 1 else "shows"
        return (
            f"{plural(leaks, 'pair')} of images in different parts {verb} the same. What a detector has "
            "seen in training it finds more easily in test, so results flatter every detector."
        )
    found = f" Within parts {plural(within, 'pair does', 'pairs do')}, which is harmless." if within else ""
    return f"All images were compared with each other: none of one part shows what another part shows.{found}"


def leakage_rows(results: Results) -> list[dict[str, Any]]:
    """Pairs of images that show the same by severity and kind, leaks first, with an example of each."""
    if results.leakage is None:
        return []
    return [
        {
            "kind": str(kind).replace("_", " "),
            "severity": str(severity),
            "number": count(len(pairs)),
            "example": _pair_words(pairs.iloc[0].to_dict()),
        }
        for (severity, kind), pairs in results.leakage.groupby(["severity", "kind"], sort=False)
    ]


def _pair_words(pair: dict[str, Any]) -> str:
    return f"{pair['image_1']} and {pair['image_2']}: {pair['message']}"
