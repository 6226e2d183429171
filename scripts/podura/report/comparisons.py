"""Which detector is better than which, as the page tells it: from the tables of comparisons and ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from podura.report.parts import is_number
from podura.report.results import Results, ordered_models
from podura.report.wording import MISSING, chance

#: With more detectors than this, sentences and pairs are folded away.
FEW_DETECTORS = 5


def undecided_groups(comparisons: pd.DataFrame, ranked: Sequence[str]) -> list[tuple[str, ...]]:
    """The largest runs of neighbours in the ranking of which no pair is decided, for a diagram's bars.

    ranked: models, best first. Like the bars of a critical-difference diagram (Demšar 2006), with the joint
    intervals of resampled slides in place of a rank test over data sets.
    """
    decided = {
        frozenset((row.model, row.other)) for row in comparisons.itertuples() if row.verdict == "better"
    }
    groups: list[tuple[str, ...]] = []
    for start in range(len(ranked)):
        end = start + 1
        while end < len(ranked) and not any(
            frozenset((one, ranked[end])) in decided for one in ranked[start:end]
        ):
            end += 1
        group = tuple(ranked[start:end])
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups


def ranked_models(models_table: pd.DataFrame) -> list[str]:
    """The detectors that have a score, best first."""
    detectors = ordered_models(models_table, "detector")
    return [str(model) for model in detectors.loc[detectors["map50_95"].notna(), "model"]]


def winner_sentences(results: Results) -> list[str]:
    """A sentence for the detector ranked first against each other one, in the order of the ranking."""
    pairs = scored_pairs(results)
    ranked = ranked_models(results.models_table)
    if not ranked or pairs.empty:
        return []
    of_first = pairs[pairs["model"] == ranked[0]].set_index("other")["statement"]
    return [str(of_first[other]) for other in ranked[1:] if other in of_first.index]


def pair_rows(results: Results) -> list[dict[str, Any]]:
    """One row a pair, as in the table of comparisons."""
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    return [
        {
            "label": labels.get(row["model"], row["model"]),
            "other": labels.get(row["other"], row["other"]),
            "difference": signed(row["difference"]),
            "interval": signed_interval(row["difference_low"], row["difference_high"]),
            "joint": signed_interval(row["joint_low"], row["joint_high"]),
            "chance": chance(row["chance_better"]),
            "decided": row["verdict"] == "better",
        }
        for row in scored_pairs(results).to_dict("records")
    ]


def scored_pairs(results: Results) -> pd.DataFrame:
    """The pairs of which both have a score; none where nothing was compared."""
    if results.comparisons is None:
        return pd.DataFrame(columns=["model", "other", "statement"])
    return results.comparisons[results.comparisons["difference"].notna()]


def signed(value: Any) -> str:
    """A difference to three digits, with a minus that is as wide as the plus: ``+0.012``, ``−0.004``."""
    if not is_number(value):
        return MISSING
    text = f"{float(value):+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def signed_interval(low: Any, high: Any) -> str:
    return f"{signed(low)} to {signed(high)}" if is_number(low) and is_number(high) else MISSING
