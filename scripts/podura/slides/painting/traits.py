"""The traits of species from which specimens are painted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podura.errors import UserError, UserErrors
from podura.tables import Column, Table

#: Head, three segments of the thorax, six of the abdomen.
SEGMENTS = 10
BODY_FORMS = ("Poduromorpha", "Entomobryomorpha")
PATTERNS = ("none", "uniform", "mottled", "dotted", "patches")
COVERS = ("hairs", "scales")

SPRINGTAIL_TRAITS = Table(
    "springtail_traits",
    "one row a species: the traits from which specimens are painted",
    (
        Column("code", "string", "species code, as in species.tsv"),
        Column("name", "string", "scientific name"),
        Column("body_form", "string", "Poduromorpha or Entomobryomorpha"),
        Column("length_mm_min", "number", "body length of the smallest animals painted", "mm"),
        Column("length_mm_max", "number", "body length of the largest animals painted", "mm"),
        Column("width_to_length", "number", "greatest width of the body, in body lengths"),
        Column("segment_lengths", "string", "ten relative lengths, head to abdomen VI; 0 if fused"),
        Column("segment_widths", "string", "ten widths in % of the greatest; 0 if fused"),
        Column("segment_constriction", "number", "depth of the notch between segments, in widths"),
        Column("mesothorax_hump", "number", "height of the hump of thorax II, in widths"),
        Column("antenna_to_head", "number", "length of the antenna, in head lengths"),
        Column("leg_to_body", "number", "length of a leg, in body lengths"),
        Column("furca_to_body", "number", "length of the furca, in body lengths; 0 if absent"),
        Column("anal_spine_um", "number", "length of the two anal spines; 0 if absent", "µm"),
        Column("ocelli_per_side", "number", "number of ocelli on each side, 0 to 8"),
        Column("pigment_colour", "string", "colour of light let through, as #rrggbb"),
        Column("pigment_min", "number", "optical density of the palest animals, relative"),
        Column("pigment_max", "number", "optical density of the darkest animals, relative"),
        Column("pigment_pattern", "string", "none, uniform, mottled, dotted or patches"),
        Column("cover", "string", "hairs or scales"),
        Column("longest_hair_um", "number", "length of the longest hairs", "µm"),
        Column("lateral_share", "number", "share of specimens that lie on their side, 0 to 1"),
        Column("source", "string", "literature"),
    ),
)

_RANGES = {
    "length_mm_min": (0.1, 10.0),
    "length_mm_max": (0.1, 10.0),
    "width_to_length": (0.05, 0.8),
    "segment_constriction": (0.0, 0.5),
    "mesothorax_hump": (0.0, 1.0),
    "antenna_to_head": (0.2, 8.0),
    "leg_to_body": (0.05, 1.0),
    "furca_to_body": (0.0, 1.0),
    "anal_spine_um": (0.0, 200.0),
    "ocelli_per_side": (0.0, 8.0),
    "pigment_min": (0.0, 2.0),
    "pigment_max": (0.0, 2.0),
    "longest_hair_um": (0.0, 500.0),
    "lateral_share": (0.0, 1.0),
}
_CHOICES = {"body_form": BODY_FORMS, "pigment_pattern": PATTERNS, "cover": COVERS}


@dataclass(frozen=True)
class SpeciesTraits:
    """Traits of one species; meaning and units of the fields as in ``SPRINGTAIL_TRAITS``."""

    code: str
    name: str
    body_form: str
    length_mm_min: float
    length_mm_max: float
    width_to_length: float
    segment_lengths: tuple[float, ...]
    segment_widths: tuple[float, ...]
    segment_constriction: float
    mesothorax_hump: float
    antenna_to_head: float
    leg_to_body: float
    furca_to_body: float
    anal_spine_um: float
    ocelli_per_side: int
    pigment_colour: tuple[float, float, float]
    pigment_min: float
    pigment_max: float
    pigment_pattern: str
    cover: str
    longest_hair_um: float
    lateral_share: float
    source: str


def load_traits(path: Path | str) -> dict[str, SpeciesTraits]:
    """Read a table of traits; keys are species codes.

    Raises UserErrors that name file, row and column for every cell that cannot be painted.
    """
    frame = SPRINGTAIL_TRAITS.read_user_tsv(path)
    if frame.empty:
        raise UserError(f"{path}: the table has no species. Add one row a species.")
    problems: list[str] = []
    traits: dict[str, SpeciesTraits] = {}
    for row in frame.to_dict("records"):
        before = len(problems)
        place = f"{path}, row {row['row']}"
        values = _read_row(row, place, problems)
        if values["code"] in traits:
            problems.append(
                f"{place}, column 'code': '{values['code']}' stands there twice. Write one row a species."
            )
        if len(problems) == before:
            traits[values["code"]] = SpeciesTraits(**values)
    if problems:
        raise UserErrors(problems)
    return traits


def _read_row(row: dict[Any, Any], place: str, problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: row[name] for name in SPRINGTAIL_TRAITS.names}
    for name, (low, high) in _RANGES.items():
        values[name] = _number(row[name], low, high, f"{place}, column '{name}'", problems)
    for name, choices in _CHOICES.items():
        if row[name] not in choices:
            problems.append(
                f"{place}, column '{name}': '{row[name]}' is unknown. Write {' or '.join(choices)}."
            )
    for name in ("segment_lengths", "segment_widths"):
        values[name] = _ten_numbers(row[name], f"{place}, column '{name}'", problems)
    lengths, widths = values["segment_lengths"], values["segment_widths"]
    if [v > 0 for v in lengths] != [v > 0 for v in widths]:
        problems.append(
            f"{place}, column 'segment_widths': a segment has a width but no length, or a length but "
            "no width. Write 0 in both columns for a fused segment."
        )
    values["pigment_colour"] = _colour(row["pigment_colour"], place, problems)
    for low_name, high_name in (
        ("length_mm_min", "length_mm_max"),
        ("pigment_min", "pigment_max"),
    ):
        if values[low_name] > values[high_name]:
            problems.append(
                f"{place}, column '{low_name}': {row[low_name]} is more than '{high_name}' "
                f"({row[high_name]}). Write a value of at most {row[high_name]}."
            )
    ocelli = values["ocelli_per_side"]
    if not math.isnan(ocelli):
        if ocelli != int(ocelli):
            problems.append(
                f"{place}, column 'ocelli_per_side': {row['ocelli_per_side']} is no whole number."
            )
        values["ocelli_per_side"] = int(ocelli)
    return values


def _number(text: str, low: float, high: float, place: str, problems: list[str]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        problems.append(f"{place}: '{text}' is no number from {low:g} to {high:g}. Write one.")
        return math.nan
    return value


def _ten_numbers(text: str, place: str, problems: list[str]) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split())
    except ValueError:
        values = ()
    right = len(values) == SEGMENTS and all(0 <= v <= 100 for v in values)
    if not right or not all(values[:1]) or sum(v > 0 for v in values[1:]) < 3:
        problems.append(
            f"{place}: '{text}' is wrong. Write ten numbers from 0 to 100 with blanks between them, "
            "for the head, thorax I-III and abdomen I-VI; 0 only for a fused segment of the body."
        )
    return values


def _colour(text: str, place: str, problems: list[str]) -> tuple[float, float, float]:
    digits = text.removeprefix("#")
    try:
        if not text.startswith("#") or len(digits) != 6:
            raise ValueError
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        problems.append(f"{place}, column 'pigment_colour': '{text}' is no colour. Write it as #rrggbb.")
        return (1.0, 1.0, 1.0)
    return (red, green, blue)
