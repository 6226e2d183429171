"""Reading the files that annotations come in: JSON, XML and text of any origin, without trust.

Whatever is wrong with a file is a UserError that names the file and, where known, its line.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from podura.annotations.problems import Problem
from podura.errors import UserError, UserErrors

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_SHOWN_FAULTS = 20
_SHOWN_CHARACTERS = 160
_SHOWN_ITEMS = 20


def refuse(faults: Sequence[str]) -> None:
    """Raise UserErrors with the first faults and the number of the others, if there are any."""
    more = len(faults) - _SHOWN_FAULTS
    if faults:
        raise UserErrors([*faults[:_SHOWN_FAULTS], *([f"… and {more} more."] if more > 0 else [])])


def as_given(value: Any) -> str:
    """A value as it stands in the annotations, shortened: masks and polygons can be very long."""
    if isinstance(value, list) and len(value) > _SHOWN_ITEMS:
        return as_given(value[:_SHOWN_ITEMS]).removesuffix("]") + ", …"
    text = value if isinstance(value, str) else _ENCODER.encode(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def read_bytes(path: Path, wanted: str) -> bytes:
    """The bytes of a file; ``wanted`` says which file to give, such as "a COCO JSON file"."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: the file cannot be read ({error.strerror}). Give the path of {wanted}."
        ) from None


def read_text(path: Path, wanted: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark."""
    try:
        return read_bytes(path, wanted).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None


def read_json(path: Path, wanted: str) -> Any:
    """The content of a JSON file. NaN and Infinity are read, so that they are told where they stand."""
    text = read_text(path, wanted)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}). "
            "Export the file again."
        ) from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{path}: the JSON cannot be read ({error}).") from None


def read_xml(path: Path, wanted: str) -> ElementTree.Element:
    """The root of an XML file. A document type or entities are refused: none is ever expanded."""
    *_, root = xml_elements(path, wanted, depth=0)
    return root


def xml_elements(path: Path, wanted: str, *, depth: int) -> Iterator[ElementTree.Element]:
    """The elements at a depth below the root (0: the root itself), each forgotten after its use.

    The root comes first where ``depth`` is above 0, then without its children. Refuses a document type
    or entities, as ``read_xml``.
    """
    raw = read_bytes(path, wanted)
    # Without its zero bytes UTF-16 reads like ASCII here, whatever encoding the document claims.
    if any(mark in raw.replace(b"\0", b"") for mark in (b"<!DOCTYPE", b"<!ENTITY")):
        raise UserError(
            f"{path}: the file declares a document type or entities, which are not read for safety. "
            "Remove the <!DOCTYPE …> line."
        )
    try:
        above: list[ElementTree.Element] = []
        for event, element in ElementTree.iterparse(BytesIO(raw), events=("start", "end")):
            if event == "start":
                above.append(element)
                if depth and len(above) == 1:
                    yield element
                continue
            above.pop()
            if len(above) == depth:
                yield element
                if above:
                    above[-1].clear()
    except ElementTree.ParseError as error:
        line, column = error.position
        raise UserError(
            f"{path}, line {line}, column {column + 1}: this is not well-formed XML ({error.msg}). "
            "Export the file again."
        ) from None
    except (LookupError, ValueError) as error:
        raise UserError(f"{path}, line 1: the encoding cannot be read ({error}).") from None


def files_below(folder: Path, suffix: str) -> list[Path]:
    """The files with a suffix (lower case, with its dot) in a folder and the folders below, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() == suffix and path.is_file())


def disagreeing_name(own: str, told: str, what: str) -> list[Problem]:
    """A warning where a file of annotations names another image than its own name does.

    ``own`` is the path of the file of annotations, ``told`` the image named in it, ``what`` the key or
    tag that names it.
    """
    image, stem = PurePosixPath(told.replace("\\", "/")), PurePosixPath(own).stem
    if not told or stem in (image.stem, image.name):
        return []
    return [
        Problem(
            "filename_differs",
            f"{what} names another image than the file's own name, which is followed where it fits an image",
            row=own,
            value=told,
        )
    ]
