"""What a table is: named, typed columns, and how it is written and read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from podura.errors import UserError, UserErrors
from podura.tables.files import whole_file

Kind = Literal["string", "integer", "number", "boolean"]

_DTYPES: Mapping[Kind, str] = {
    "string": "string",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
}
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# A spreadsheet runs a cell that begins with one of these as a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column:
    """One column: its name, type, unit ("" where it has none) and meaning."""

    name: str
    kind: Kind
    description: str
    unit: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """A named table: what it holds and its columns in order."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def frame(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
        """Rows as a frame with exactly this table's columns and types.

        Raises ValueError for a missing or unknown column: that is a fault of ours, not of a user.
        """
        frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        if frame.empty and not len(frame.columns):
            frame = pd.DataFrame({name: pd.Series(dtype="object") for name in self.names})
        unknown = [name for name in frame.columns if name not in self.names]
        missing = [c.name for c in self.columns if c.name not in frame.columns and not c.optional]
        if unknown or missing:
            raise ValueError(f"table {self.name}: unknown {unknown}, missing {missing}")
        for column in self.columns:
            if column.name not in frame.columns:
                frame[column.name] = None
            frame[column.name] = frame[column.name].astype(_DTYPES[column.kind])  # type: ignore[call-overload]
        return frame[self.names].reset_index(drop=True)

    def write_csv(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, path: Path | str) -> None:
        """Write as CSV; text that a spreadsheet would run as a formula gets a leading apostrophe."""
        frame = self.frame(rows)
        for column in self.columns:
            if column.kind == "string":
                frame[column.name] = frame[column.name].map(_harmless, na_action="ignore")
        with whole_file(path) as temporary:
            frame.to_csv(temporary, index=False, lineterminator="\n")

    def read_csv(self, path: Path | str) -> pd.DataFrame:
        """Read what ``write_csv`` wrote."""
        raw = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
        for column in self.columns:
            if column.name not in raw.columns:
                continue
            values = raw[column.name]
            if column.kind == "string":
                raw[column.name] = values.map(_as_given, na_action="ignore")
            elif column.kind == "boolean":
                raw[column.name] = values.map({"True": True, "False": False}, na_action="ignore").astype(
                    "boolean"
                )
            else:
                raw[column.name] = pd.to_numeric(values)
        return self.frame(raw[[n for n in self.names if n in raw.columns]])

    def write_parquet(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, path: Path | str) -> None:
        with whole_file(path) as temporary:
            self.frame(rows).to_parquet(temporary, index=False)

    def read_parquet(self, path: Path | str) -> pd.DataFrame:
        return self.frame(pd.read_parquet(path))

    def read_user_tsv(self, path: Path | str) -> pd.DataFrame:
        """Read a tab-separated table that a person wrote, all cells as text, strictly.

        Returns the declared columns (absent optional ones empty) plus ``row``, the line in the file.
        Raises UserErrors that name file, row and column.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"{path}: there is no such file. Give the path of a tab-separated table ({self.description})."
            )
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}: byte {error.start} is not UTF-8. Save the table as 'UTF-8 text, tab-separated'."
            ) from None
        numbered = list(_rows(text, path))
        if not numbered:
            raise UserError(
                f"{path}: the table is empty. Its first line names the columns: {', '.join(self.names)}."
            )
        header_row, header = (
            numbered[0][0],
            [cell.strip() for cell in numbered[0][1]],
        )
        if len(header) == 1 and any(mark in header[0] for mark in ",;|"):
            raise UserError(
                f"{path}, row {header_row}: the columns are not separated by tabs. "
                "Save the table as tab-separated text (.tsv), not with commas, semicolons or bars."
            )
        problems = [
            f"{path}, row {header_row}: there is no column '{name}'. Columns are: {', '.join(self.names)}."
            for name in header
            if name not in self.names
        ]
        problems += [
            f"{path}, row {header_row}: the column '{c.name}' is missing ({c.description})."
            for c in self.columns
            if not c.optional and c.name not in header
        ]
        problems += [
            f"{path}, row {header_row}: the column '{name}' stands there twice."
            for name in sorted({n for n in header if header.count(n) > 1})
        ]
        rows: list[dict[str, Any]] = []
        for number, cells in numbered[1:]:
            if len(cells) > len(header) and any(c.strip() for c in cells[len(header) :]):
                problems.append(
                    f"{path}, row {number}: {len(cells)} cells, but the header has {len(header)} columns."
                )
                continue
            row: dict[str, Any] = dict.fromkeys(self.names, "")
            row.update(zip(header, (cell.strip() for cell in cells), strict=False))
            row["row"] = number
            problems += [
                f"{path}, row {number}, column '{c.name}': the cell is empty. Write {c.description}."
                for c in self.columns
                if not c.optional and c.name in header and not row[c.name]
            ]
            rows.append(row)
        if problems:
            raise UserErrors(problems)
        return pd.DataFrame(rows, columns=[*self.names, "row"])


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line (from 1) and the cells of each row that is neither blank nor a comment.

    Each line is read by itself: a quotation mark that is not closed would swallow the rows below it.
    """
    faults = []
    for number, line in enumerate(_LINE_BREAK.split(text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            (cells,) = csv.reader([line], delimiter="\t", strict=True)
        except csv.Error:
            faults.append(
                f"{path}, row {number}: a cell begins with a quotation mark that does not enclose it, or "
                "goes over several lines. Write each row in one line, and no quotation marks."
            )
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells
    if faults:
        raise UserErrors(faults[:20])


def _harmless(text: str) -> str:
    # A guarded text is guarded again, so that reading gives back exactly what was written.
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_STARTS) else text


def _as_given(text: str) -> str:
    guarded = text[:1] == "'" and text.lstrip("'").startswith(_FORMULA_STARTS)
    return text[1:] if guarded else text
