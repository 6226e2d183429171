"""Reading a plain CSV: one row a box, in columns that the config names.

Rules:

* ``columns`` tells which column of the file is which of ours: ``image``, ``species``, and the box as
  ``x_min, y_min, x_max, y_max``, or ``x_min, y_min, width, height``, or ``x_centre, y_centre, width,
  height``. Which of the three is told by the columns that are named. A column that is not named is
  looked for under our name for it.
* Optional: ``image_width`` and ``image_height`` (pixels), and the flags ``crowd``, ``difficult``,
  ``ignore``, ``occluded``, ``truncated`` (1, true or yes).
* ``units``: "pixels", or "fraction" for shares of the image's width and height, which come from the image.
* A row with an image and neither a species nor a box is an image without animals.
* The separator is found by the first line: a comma, else a semicolon, tab or bar, which is told. Decimal
  commas are read and told. Where every comma could as well separate thousands (1,234) the file is refused,
  as it is where a row has more or fewer columns than the first line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from podura.annotations.csv_header import CsvHeader, KeyColumns, read_header
from podura.annotations.documents import as_given, read_text, refuse
from podura.annotations.problems import Box, Problem
from podura.annotations.raw import AnnotatedImage, RawAnnotations, RawBox, SizeOf, flags_of, number, positive
from podura.annotations.shapes import NO_BOX, snapped
from podura.errors import UserError

_NUMBER_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")

UNITS = ("pixels", "fraction")


@dataclass
class _Numbers:
    """Reads numbers of a file and counts those with a decimal comma."""

    commas: int = 0
    first: str = ""
    certain: bool = False

    def read(self, text: str) -> float:
        if "," not in text:
            return number(text)
        if not _NUMBER_WITH_COMMA.fullmatch(text):
            return number("nan")
        self.commas += 1
        self.first = self.first or text
        self.certain = self.certain or not _THOUSANDS.fullmatch(text)
        return number(text.replace(",", "."))


@dataclass
class _Image:
    where: str
    width: float | None = None
    height: float | None = None
    boxes: list[RawBox] = field(default_factory=list)


def read_csv(
    path: Path | str,
    size_of: SizeOf,
    columns: Mapping[str, str] | None = None,
    units: str = "pixels",
) -> RawAnnotations:
    """Read a CSV of boxes. Raises UserErrors that name file, line and column."""
    read, problems = read_csv_apart(path, size_of, columns, units, KeyColumns())
    return RawAnnotations(str(path), read.get((), ()), problems)


def read_csv_apart(
    path: Path | str,
    size_of: SizeOf,
    columns: Mapping[str, str] | None,
    units: str,
    keys: KeyColumns,
) -> tuple[dict[tuple[str, ...], tuple[AnnotatedImage, ...]], tuple[Problem, ...]]:
    """Read a CSV in which several annotated the same images, and what is to be told of the file.

    The images of each are apart by their cells in the columns ``keys.names``, in the order of the file; a
    cell of an optional column that is empty or absent is "". Raises UserErrors as ``read_csv`` does.
    """
    path = Path(path)
    if units not in UNITS:
        raise UserError(
            f"{keys.config_key.removesuffix('columns')}units is '{units}'. Write one of: {', '.join(UNITS)}."
        )
    text = read_text(path, "a CSV of boxes")
    header = read_header(text, path, columns or {}, keys)
    numbers, faults = _Numbers(), list[str]()
    apart: dict[tuple[str, ...], dict[str, _Image]] = {}
    for line, cells in _rows(text, header, path, faults):
        key = tuple(cells.get(column, "") for column in keys.names)
        lacking = [column for column in keys.needed if not cells[column]]
        faults += [
            f"{path}, line {line}: the column '{header.columns[column]}' is empty. Name the {column}."
            for column in lacking
        ]
        if lacking:
            continue
        images = apart.setdefault(key, {})
        name = cells["image"]
        if not name:
            faults.append(
                f"{path}, line {line}: the column '{header.columns['image']}' is empty. Name the image."
            )
            continue
        image = images.setdefault(name, _Image(f"line {line}"))
        _note_size(image, name, cells, f"{path}, line {line}", numbers, faults)
        given = [cells[column] for column in header.box]
        if not cells["species"] and not any(given):
            continue
        box = _box(header.style, [numbers.read(cell) for cell in given])
        if units == "fraction":
            size = (image.width, image.height) if image.width and image.height else size_of((name,))
            box = NO_BOX if size is None else _scaled(box, *size)
        image.boxes.append(
            RawBox(
                cells["species"],
                *box,
                where=f"line {line}",
                given=as_given(" ".join(cell or "?" for cell in given)),
                flags=flags_of(cells),
                corners=header.style == "corners",
            )
        )
    if numbers.commas and not numbers.certain:
        faults.append(
            f"{path}: numbers such as '{numbers.first}' have a comma before three digits, which may be a "
            "decimal comma or separate thousands. Write them with a decimal point and without thousands."
        )
    refuse(faults)
    read = {
        key: tuple(
            AnnotatedImage((name,), image.where, image.width, image.height, tuple(image.boxes))
            for name, image in images.items()
        )
        for key, images in apart.items()
    }
    return read, tuple(_told(header, numbers))


def _rows(
    text: str, header: CsvHeader, path: Path, faults: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The line (from 1, of its end) and the cells by our names of each row that is not blank."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=header.separator, strict=True)
    try:
        for _ in range(header.rows):
            next(reader)
        for row in reader:
            if len(row) > header.width and not any(cell.strip() for cell in row[header.width :]):
                row = row[: header.width]  # spreadsheets write empty columns
            if len(row) != header.width:
                if any(cell.strip() for cell in row):
                    faults.append(
                        f"{path}, line {reader.line_num}: it has {len(row)} columns, the first line "
                        f"{header.width}. Put texts and numbers that hold the separator in quotes."
                    )
                continue
            cells = {ours: row[place].strip() for ours, place in header.places.items()}
            if any(cells.values()):
                yield reader.line_num, cells
    except csv.Error as error:
        faults.append(f"{path}, line {reader.line_num}: this is no sound CSV ({error}). Save it again.")


def _note_size(
    image: _Image, name: str, cells: Mapping[str, str], where: str, numbers: _Numbers, faults: list[str]
) -> None:
    size = (
        positive(numbers.read(cells.get("image_width", ""))),
        positive(numbers.read(cells.get("image_height", ""))),
    )
    if None in size:
        return
    if image.width is None:
        image.width, image.height = size
    elif size != (image.width, image.height):
        faults.append(
            f"{where}: the image '{name}' is {size[0]:g} × {size[1]:g} pixels here and {image.width:g} × "
            f"{image.height:g} at {image.where}. Correct one of them."
        )


def _corners(x_min: float, y_min: float, x_max: float, y_max: float) -> Box:
    return x_min, y_min, x_max, y_max


def _extent(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def _centre(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


_STYLES: Mapping[str, Callable[[float, float, float, float], Box]] = {
    "corners": _corners,
    "extent": _extent,
    "centre": _centre,
}


def _box(style: str, values: list[float]) -> Box:
    return _STYLES[style](*values)


def _scaled(box: Box, width: float, height: float) -> Box:
    return snapped((box[0] * width, box[1] * height, box[2] * width, box[3] * height), width, height)


def _told(header: CsvHeader, numbers: _Numbers) -> Iterator[Problem]:
    if header.separator != ",":
        yield Problem(
            "other_separator",
            "the columns are not separated by commas; the separator was found by the first line",
            row="line 1",
            value="tab" if header.separator == "\t" else header.separator,
        )
    if numbers.commas:
        yield Problem(
            "decimal_comma",
            f"{numbers.commas} numbers have a decimal comma, such as {numbers.first}; it was read as a point",
            value=str(numbers.commas),
        )
