"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Asked once, while one thread runs: it can be read only by setting it, for the whole process.
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes the name ``path`` only if no error occurs."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; it takes that name, and the place of what has it, at the end.

    Where an error occurs ``path`` stays as it was.
    """
    path = Path(path)
    # A fixed name, so that a killed job leaves nothing behind once it is run again.
    temporary = path.parent / f".{path.name}.unfinished"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(text: str, path: Path | str) -> None:
    """Write UTF-8 text whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: Path | str) -> None:
    """Write strict JSON (no NaN), keys in the given order, one key a line."""
    write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", path)


def write_json_records(document: Mapping[str, Any], path: Path | str) -> None:
    """Write a JSON object whose lists are long, one item of a list a line, whole or not at all.

    Strict JSON (no NaN), keys in the given order. Quicker than ``write_json`` by far for a million items,
    which are never held as text all at once.
    """
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        before = "{\n"
        for key, value in document.items():
            handle.write(f"{before}{encode(key)}: ")
            before = ",\n"
            if isinstance(value, list) and value:
                handle.write("[\n")
                handle.writelines(f"{encode(item)},\n" for item in value[:-1])
                handle.write(f"{encode(value[-1])}\n]")
            else:
                handle.write(encode(value))
        handle.write("\n}\n" if document else "{}\n")


def read_json(path: Path | str) -> Any:
    with Path(path).open(encoding="utf-8") as handle:
        return json.load(handle)
