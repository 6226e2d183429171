"""What a long detection has done so far, image by image, so that a killed one continues where it was."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podura.tables import write_text

log = logging.getLogger(__name__)


class Journal:
    """A file of JSON lines: the first says which detection it belongs to, each other one is an image.

    ``identity`` names all that decides the detections (weights, terms, code); images count with their path,
    size and time of change. A journal of another detection is begun anew, a line cut off by a kill is
    dropped.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self._done: dict[str, Mapping[str, Any]] = {}
        lines = _lines(path)
        if lines and lines[0] == {"identity": identity}:
            self._done = {line["key"]: line["found"] for line in lines[1:]}
            log.info("Continuing after %d images.", len(self._done))
        # Written anew, so that nothing follows a line that was cut off.
        known = [{"key": key, "found": found} for key, found in self._done.items()]
        write_text("".join(_line(one) for one in [{"identity": identity}, *known]), path)
        self._handle = path.open("a", encoding="utf-8")

    @property
    def continued(self) -> bool:
        """Whether an earlier process did a part of this detection."""
        return bool(self._done)

    def get(self, image: str, path: Path) -> Mapping[str, Any] | None:
        """What was found in an image; None where it was not done, or has changed since."""
        return self._done.get(_key(image, path))

    def add(self, image: str, path: Path, found: Mapping[str, Any]) -> None:
        """Note what was found in an image. An image that could not be read is tried again next time."""
        if found.get("failed") is None:
            self._handle.write(_line({"key": _key(image, path), "found": found}))
            self._handle.flush()

    def remove(self) -> None:
        """Remove the file: the detection is through."""
        self._handle.close()
        self.path.unlink(missing_ok=True)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"


def _lines(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.split("\n")[:-1]:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def _key(image: str, path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f"{image} unreadable"
    text = f"{image}\0{path}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()
