"""Digests of files: what they hold, never when they were written.

Snakemake takes a touched file for a changed one. Fingerprints of the files that a user gives go into rules
as parameters: they follow content, so that touching retrains nothing. A study of many images has hundreds
of gigabytes; what was read once is remembered, by path, size and time of change, and not read again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from podura.tables import write_text

_BLOCK = 1 << 20
#: Files beyond this size are read in evenly spread blocks: a slide scan may have many gigabytes.
_WHOLE_FILE = 64 << 20
# A file may be written twice within a tick of its clock (2 s on FAT), at one size.
_SETTLED_SECONDS = 5


def file_digest(path: Path | str) -> str:
    """SHA-256 of a whole file, as 64 hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_digest(path: Path | str) -> str:
    """Digest of what a file holds, whatever its name; of one beyond 64 MiB as ``fingerprint`` reads it."""
    status = Path(path).stat()
    return _content(str(Path(path).absolute()), status.st_size, status.st_mtime_ns).hex()


def fingerprint(paths: Iterable[Path | str], *, memory: Path | None = None) -> str:
    """Digest of the names and contents of files; times do not count.

    Of a file larger than 64 MiB its size and 64 evenly spread blocks of 1 MiB are read. A folder stands
    for all files below it. A file that is not there counts with its name alone. ``memory`` is a file in
    which to remember the digests of files from one run to the next; losing it costs time only.
    """
    total = hashlib.sha256()
    known = _Memory(memory)
    for path in paths:
        for file in _files(Path(path)):
            total.update(f"{file.name}\0".encode())
            try:
                stat = file.stat()
            except FileNotFoundError:
                continue
            total.update(known.content(file, stat.st_size, stat.st_mtime_ns))
    known.save()
    return total.hexdigest()[:16]


def file_digests(paths: Iterable[Path], *, memory: Path | None = None) -> dict[Path, tuple[int, str] | None]:
    """Size in bytes and SHA-256 of each file, whole; None for one that is not there.

    ``memory`` is as in ``fingerprint``, and a file of its own.
    """
    known = _Memory(memory, _whole)
    found: dict[Path, tuple[int, str] | None] = {}
    for path in paths:
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            found[path] = None
            continue
        found[path] = stat.st_size, known.content(path, stat.st_size, stat.st_mtime_ns).hex()
    known.save()
    return found


def _whole(path: str, _size: int, _modified: int) -> bytes:
    return bytes.fromhex(file_digest(path))


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


class _Memory:
    """Digests of files by absolute path, each with the size and time of change that it belongs to."""

    def __init__(self, path: Path | None, digest: Callable[[str, int, int], bytes] | None = None) -> None:
        self._digest = digest or _content
        self._path = path
        self._known = _remembered(path) if path is not None else {}
        self._changed = False

    def content(self, file: Path, size: int, modified: int) -> bytes:
        place = str(file.absolute())
        if (found := self._known.get(place)) is not None and found[:2] == [size, modified]:
            return bytes.fromhex(found[2])
        digest = self._digest(place, size, modified)
        if self._path is not None and time.time_ns() - modified > _SETTLED_SECONDS * 1e9:
            self._known[place] = [size, modified, digest.hex()]
            self._changed = True
        return digest

    def save(self) -> None:
        if self._path is None or not self._changed:
            return
        try:
            write_text(json.dumps(self._known), self._path)
        except OSError:
            # A folder that cannot be written to: the files are read again next time.
            return


def _remembered(path: Path) -> dict[str, list]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {k: v for k, v in known.items() if isinstance(v, list) and len(v) == 3}
        if isinstance(known, dict)
        else {}
    )


@functools.cache
def _content(path: str, size: int, _modified: int) -> bytes:
    digest = hashlib.sha256(f"{size}\0".encode())
    with Path(path).open("rb") as handle:
        if size <= _WHOLE_FILE:
            while block := handle.read(_BLOCK):
                digest.update(block)
        else:
            for index in range(64):
                handle.seek((size - _BLOCK) * index // 63)
                digest.update(handle.read(_BLOCK))
    return digest.digest()
