"""The first line of a plain CSV: its separator, and where our columns stand (rules in ``csv_table``)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from podura.errors import UserError, UserErrors

#: The columns of a box, for each way to give it.
STYLES: Mapping[str, tuple[str, str, str, str]] = {
    "corners": ("x_min", "y_min", "x_max", "y_max"),
    "extent": ("x_min", "y_min", "width", "height"),
    "centre": ("x_centre", "y_centre", "width", "height"),
}
NEEDED = ("image", "species")
OPTIONAL = ("image_width", "image_height", "crowd", "difficult", "ignore", "occluded", "truncated")

_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class CsvHeader:
    """``columns``: the file's name of each of ours that it has, ``places`` their places in a row.

    ``rows`` is the number of rows to the end of the header, ``width`` that of its columns.
    """

    separator: str
    style: str
    columns: Mapping[str, str]
    places: Mapping[str, int]
    rows: int
    width: int

    @property
    def box(self) -> tuple[str, str, str, str]:
        """Our names of the columns of the box."""
        return STYLES[self.style]


@dataclass(frozen=True)
class KeyColumns:
    """Columns that a kind of file has beside those of boxes, and the key of the config that names columns."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    config_key: str = "annotations.columns"

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)


def read_header(
    text: str, path: Path, given: Mapping[str, str], keys: KeyColumns = KeyColumns()
) -> CsvHeader:
    """Find separator and columns; ``given`` maps names of ours to those of the file.

    Raises UserErrors for names of ours that do not exist, and for columns that are missing or twofold.
    """
    known = {*NEEDED, *OPTIONAL, *keys.names, *(column for style in STYLES.values() for column in style)}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UserError(
            f"{keys.config_key}: {', '.join(unknown)} is none of our columns. Write some of: "
            f"{', '.join(sorted(known))}."
        )
    lines = text.split("\n", 2)
    # Spreadsheets understand a line before the header that tells the separator.
    told = lines[0].strip().lower().startswith("sep=")
    first = (lines[1] if told and len(lines) > 1 else lines[0]).rstrip("\r")
    headers = [_header(first, separator, given, 2 if told else 1, keys) for separator in _SEPARATORS]
    sound = [header for header in headers if isinstance(header, CsvHeader)]
    if not sound:
        # The separator that comes nearest tells best what is wrong.
        nearest = min((header for header in headers if isinstance(header, _Unfit)), key=lambda h: h.rank)
        raise UserErrors([f"{path}, line {2 if told else 1}: {fault}" for fault in nearest.faults])
    return sound[0]


@dataclass(frozen=True)
class _Unfit:
    faults: list[str]
    rank: tuple[int, int]


def _header(
    first: str, separator: str, given: Mapping[str, str], rows: int, keys: KeyColumns
) -> CsvHeader | _Unfit:
    try:
        cells = next(csv.reader(StringIO(first), delimiter=separator, strict=True), [])
    except csv.Error as error:
        return _Unfit([f"the first line is no sound CSV ({error}). Save the file again."], (99, 0))
    header = [cell.strip() for cell in cells]
    while header and not header[-1]:
        header.pop()
    optional = (*OPTIONAL, *keys.optional)
    wanted = {name: given.get(name, name) for name in (*NEEDED, *keys.needed, *optional)}
    style = _style(given, header)
    wanted |= {name: given.get(name, name) for name in STYLES[style]}
    missing = [
        column
        for name, column in wanted.items()
        if column not in header and (name not in optional or name in given)
    ]
    twice = [column for column in wanted.values() if header.count(column) > 1]
    if missing or twice:
        shown = ", ".join(header)[:300]
        faults = [
            f"the column '{column}' is missing. The file has: {shown}. Name its columns under "
            f"{keys.config_key}."
            for column in missing
        ]
        faults += [f"the column '{column}' stands there twice. Keep one of them." for column in twice]
        return _Unfit(faults, (len(missing), -len(header)))
    columns = {name: column for name, column in wanted.items() if column in header}
    places = {name: header.index(column) for name, column in columns.items()}
    return CsvHeader(separator, style, columns, places, rows, len(header))


def _style(given: Mapping[str, str], header: list[str]) -> str:
    """The way in which boxes are given: the one of which most columns are named, else found."""
    return max(
        STYLES,
        key=lambda style: (
            sum(name in given for name in STYLES[style]),
            sum(given.get(name, name) in header for name in STYLES[style]),
        ),
    )
