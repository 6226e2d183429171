"""What a release has found in the images of a survey, image by image, kept from one run to the next.

Ten images added to a survey of a thousand cost ten detections: an image is known by its content, whatever it
is called and wherever it lies.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from podura.tables import whole_file

log = logging.getLogger(__name__)


class Store:
    """A file of JSON lines: the first says which detector it belongs to, each other one is an image.

    ``identity`` names all that decides what is found (release, terms, code). A store of another detector is
    begun anew. A line that a kill cut off is dropped, with all after it. Only the places of the lines are
    held in memory.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}
        head = _line({"identity": identity})
        end = self._index(head)
        if not end:
            with whole_file(path) as temporary:
                temporary.write_bytes(head)
            end = len(head)
        self._file = path.open("r+b")
        self._file.truncate(end)
        self._end = end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What was found in the image of this content; None where it is not known."""
        if key not in self._places:
            return None
        start, length = self._places[key]
        self._file.seek(start)
        found: Mapping[str, Any] = json.loads(self._file.read(length))["found"]
        return found

    def add(self, key: str, found: Mapping[str, Any]) -> None:
        """Keep what was found in an image; it is there once this returns."""
        line = _line({"key": key, "found": found})
        self._file.seek(self._end)
        self._file.write(line)
        self._file.flush()
        self._places[key] = (self._end, len(line))
        self._end += len(line)

    def keep_only(self, keys: set[str]) -> None:
        """Drop the images that are no longer in the survey, once they are more than those that are."""
        gone = [key for key in self._places if key not in keys]
        if len(gone) <= len(keys):
            return
        self._file.seek(0)
        head = self._file.readline()
        kept: dict[str, tuple[int, int]] = {}
        with whole_file(self.path) as temporary, temporary.open("wb") as target:
            target.write(head)
            for key, (start, length) in self._places.items():
                if key in keys:
                    self._file.seek(start)
                    kept[key] = (target.tell(), length)
                    target.write(self._file.read(length))
        self._file.close()
        self._file, self._places = self.path.open("r+b"), kept
        self._end = self._file.seek(0, os.SEEK_END)

    def _index(self, head: bytes) -> int:
        """Note where each whole line lies; returns where they end, 0 for the store of another detector."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            if file.readline() != head:
                return 0
            end = len(head)
            for line in file:
                try:
                    key = json.loads(line)["key"] if line.endswith(b"\n") else None
                except (ValueError, KeyError, TypeError):
                    key = None
                if key is None:
                    log.warning("%s: the line of an image was cut off; it is done again.", self.path)
                    break
                self._places[key] = (end, len(line))
                end += len(line)
            return end


def _line(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n".encode()
