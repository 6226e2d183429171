"""The places where the truth itself may be wrong, as rows of the report."""

from __future__ import annotations

from typing import Any

from podura.report.parts import is_number
from podura.report.results import Results, full_names, name_parts

#: The rows of each kind that the page shows; the table has all.
SHOWN = 8


def suspect_rows(results: Results) -> list[dict[str, Any]]:
    """The first places of each kind, with what is there in words and names as (text, italic) parts."""
    table = results.diagnosis["suspects"]
    names = full_names(results.species_list)
    shown = table.groupby("kind", sort=False, group_keys=False).head(SHOWN)
    return [
        {
            "image": row["image"],
            "place": f"{row['x_min']:.0f}, {row['y_min']:.0f} to {row['x_max']:.0f}, {row['y_max']:.0f}",
            "kind": "no annotation" if row["kind"] == "unlabelled" else "annotated, found by no run",
            "species": name_parts(names.get(row["species"], row["species"])),
            "found": name_parts(names.get(row["found_species"], row["found_species"]))
            if isinstance(row["found_species"], str)
            else None,
            "runs": f"{row['n_runs']} of {row['of_runs']}",
            "score": f"{row['score']:.2f}" if is_number(row["score"]) else "–",
        }
        for row in shown.to_dict("records")
    ]
