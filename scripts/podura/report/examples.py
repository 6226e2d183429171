"""The galleries of errors: which pictures a page holds, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from podura.report.faults import KINDS
from podura.report.html import picture_source
from podura.report.parts import is_number
from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.wording import count, fraction, plural

#: Of so many detectors, the best-ranked, and of so many errors of a kind the page itself holds pictures.
SHOWN_MODELS, SHOWN_OF_KIND = 3, 8
#: The most that the pictures of a page may weigh, in bytes; in the page they take a third more.
MOST_BYTES = 5_000_000

Words = list[tuple[str, bool]]


def shown_in_page(crops: pd.DataFrame, models_table: pd.DataFrame) -> pd.DataFrame:
    """The rows of tables.CROPS whose pictures a page should hold, the most telling first.

    The first of every kind of the best-ranked detector come first, so that a limit on bytes takes from
    all kinds alike.
    """
    ranked = [str(model) for model in ordered_models(models_table, "detector")["model"]][:SHOWN_MODELS]
    place = {model: number for number, model in enumerate(ranked)}
    kinds = {kind: number for number, kind in enumerate(KINDS)}
    chosen = crops[crops["model"].isin(ranked) & crops["file"].notna() & (crops["rank"] <= SHOWN_OF_KIND)]
    keys = pd.DataFrame(
        {"place": chosen["model"].map(place), "rank": chosen["rank"], "kind": chosen["kind"].map(kinds)}
    )
    return chosen.loc[keys.sort_values(["place", "rank", "kind"]).index]


def within_budget(crops: pd.DataFrame, models_table: pd.DataFrame, folder: Path) -> dict[str, bytes]:
    """The pictures that a page should hold, by the names of their files in ``folder``: at most MOST_BYTES."""
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for name in shown_in_page(crops, models_table)["file"]:
        picture = (folder / str(name)).read_bytes()
        left -= len(picture)
        if left < 0:
            break
        found[str(name)] = picture
    return found


def galleries(results: Results, folder: str | None = None) -> list[dict[str, Any]]:
    """One gallery a detector, by rank: its kinds of errors with their pictures.

    folder: where the pictures lie beside the page; None for a page that holds them (``results.crops``),
    and shows those that it holds.
    """
    table = results.crops_table
    if folder is None:
        table = table[table["file"].isin(list(results.crops))]
    names = full_names(results.species_list)
    found = []
    for model in ordered_models(results.models_table, "detector").to_dict("records"):
        of_model = table[(table["model"] == model["model"]) & table["file"].notna()]
        kinds = []
        for kind, (label, _) in KINDS.items():
            rows = of_model[of_model["kind"] == kind].sort_values("rank").to_dict("records")
            if rows:
                total = _number(results, str(model["model"]), kind)
                kinds.append(
                    {
                        "kind": kind,
                        "label": label.capitalize(),
                        "shown": f"{count(len(rows))} of {total}" if total else count(len(rows)),
                        "items": [_item(row, names, results.crops, folder) for row in rows],
                    }
                )
        if kinds:
            codes = species_codes(results.species_list, of_model)
            found.append(
                {
                    "model": model["model"],
                    "label": model["label"],
                    "kinds": kinds,
                    "species": [(c, names.get(c, c)) for c in codes if (of_model["species"] == c).any()],
                    "runs": plural(int(of_model["of_runs"].iloc[0]), "run"),
                }
            )
    return found


def _number(results: Results, model: str, kind: str) -> str:
    """How many errors of a kind all runs of a model make at the thresholds; "" where it is not told."""
    errors = results.diagnosis["errors"]
    of_kind = errors[
        (errors["model"] == model)
        & errors["seed"].isna()
        & (errors["level"] == "threshold")
        & (errors["kind"] == kind)
    ]
    return count(of_kind["n"].sum()) if len(of_kind) else ""


def _item(
    row: Mapping[str, Any], names: Mapping[str, str], crops: Mapping[str, bytes], folder: str | None
) -> dict[str, Any]:
    words = _words(row, names)
    runs = f"{count(row['n_runs'])} of {plural(int(row['of_runs']), 'run')}"
    source = picture_source(crops[row["file"]]) if folder is None else f"{folder}/{row['file']}"
    return {
        "code": row["species"],
        "words": words,
        "alt": "".join(text for text, _ in words),
        "where": f"{row['image']}, {runs}",
        "source": source,
        "width": int(row["width"]),
        "height": int(row["height"]),
    }


def _words(row: Mapping[str, Any], names: Mapping[str, str]) -> Words:
    """What happened there, with names of species in italics."""
    score = fraction(row["score"])
    found: Words = [*_name(row["species"], names), (f" ({score})", False)]
    true = _name(row["true_species"], names)
    kind = row["kind"]
    if kind == "missed":
        said: Words = [*_name(row["species"], names), (" missed", False)]
        if is_number(row["score"]) and row["found_species"] == row["species"]:
            return [*said, (f"; seen there with a score of {score}", False)]
        if is_number(row["score"]):
            return [
                *said,
                ("; seen there as ", False),
                *_name(row["found_species"], names),
                (f" ({score})", False),
            ]
        return [*said, ("; no detection there", False)]
    if kind in ("wrong_species", "both"):
        return [*found, (", in truth ", False), *true]
    if kind == "poor_box":
        return [*found, (": the box fits poorly", False)]
    if kind == "duplicate":
        return [*found, (": a second box", False)]
    return [*found, (": nothing is annotated here", False)]


def _name(code: Any, names: Mapping[str, str]) -> Words:
    return [] if code is None or pd.isna(code) else name_parts(names.get(str(code), str(code)))
