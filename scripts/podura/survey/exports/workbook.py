"""Tables as one Excel workbook, in which every column is explained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from podura.tables import Table, whole_file

#: Rows of a sheet and characters of a cell that Excel takes.
MOST_ROWS, MOST_CHARACTERS = 1_048_576, 32_767
_COLUMNS_SHEET = "columns"
_WIDEST = 40


def write_workbook(sheets: Mapping[str, tuple[Table, pd.DataFrame]], path: Path | str) -> None:
    """A sheet a table, and a last one that says what each column means.

    Texts stay texts, whatever they begin with: no formula, no link. A missing value is an empty cell. What
    does not fit on a sheet goes on a further one. Same tables, same bytes.
    """
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "constant_memory": True,
    }
    with whole_file(path) as temporary, xlsxwriter.Workbook(str(temporary), options) as book:
        # Nothing of the clock.
        book.set_properties({"created": datetime(2000, 1, 1), "author": "Podura"})
        head = book.add_format({"bold": True, "bottom": 1})
        for name, (table, rows) in sheets.items():
            frame = table.frame(rows)
            parts = max(1, -(-len(frame) // (MOST_ROWS - 1)))
            for part in range(parts):
                sheet = book.add_worksheet(name if part == 0 else f"{name} {part + 1}")
                start = part * (MOST_ROWS - 1)
                _fill(sheet, frame.iloc[start : start + MOST_ROWS - 1], head)
        _explain(book.add_worksheet(_COLUMNS_SHEET), sheets, head)


def _fill(sheet: Any, frame: pd.DataFrame, head: Any) -> None:
    for place, name in enumerate(frame.columns):
        longest = max([len(name), *(len(str(one)) for one in frame[name].dropna().head(200))])
        sheet.set_column(place, place, min(_WIDEST, longest + 2))
        sheet.write_string(0, place, name, head)
    sheet.freeze_panes(1, 0)
    for number, values in enumerate(frame.astype("object").itertuples(index=False, name=None), start=1):
        for place, value in enumerate(values):
            _cell(sheet, number, place, value)


def _cell(sheet: Any, row: int, column: int, value: Any) -> None:
    if pd.isna(value):
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    else:
        text = str(value)
        sheet.write_string(
            row, column, text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
        )


def _explain(sheet: Any, sheets: Mapping[str, tuple[Table, pd.DataFrame]], head: Any) -> None:
    for place, (name, width) in enumerate((("sheet", 14), ("column", 22), ("unit", 8), ("meaning", 100))):
        sheet.set_column(place, place, width)
        sheet.write_string(0, place, name, head)
    row = 1
    for name, (table, _) in sheets.items():
        for column in table.columns:
            for place, text in enumerate((name, column.name, column.unit, column.description)):
                sheet.write_string(row, place, text)
            row += 1
