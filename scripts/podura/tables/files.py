"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Asked once, while one thread runs: it can be read only by setting it, for the whole process.
_UMASK = os.umask(0)
os.umask(_UMASK)


_UNFINISHED = "unfinished-"
_LEFTOVER = re.compile(rf"\..+\.{_UNFINISHED}[a-z0-9_]{{8}}(\..*)?")


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes the name ``path`` only if no error occurs.

    A process that is killed leaves the temporary file behind: see ``remove_leftovers``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:40]}.{_UNFINISHED}", suffix=path.suffix
    )
    temporary = Path(name)
    try:
        _lock(handle)
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path | str) -> list[Path]:
    """Remove what killed processes left of unfinished files below a folder; returns the paths.

    A writer holds a lock on its file, which ends with it, on whatever node it runs: files at work are left
    alone, and so are all where the file system has no locks.
    """
    removed = []
    for place, _, names in os.walk(folder):
        for name in filter(_LEFTOVER.fullmatch, names):
            path = Path(place, name)
            try:
                with path.open("rb+") as handle:
                    if not _lock(handle.fileno()):
                        continue
                    path.unlink()
            except OSError:
                # Finished or removed in this moment, or not ours.
                continue
            removed.append(path)
    return removed


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
