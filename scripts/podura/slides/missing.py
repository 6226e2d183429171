"""Image files that are not there, and what may have been meant."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection
from pathlib import Path


def file_names(folder: Path) -> set[str]:
    """The names of the files in a folder; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except OSError:
        return set()


def near_miss(name: str, there: Collection[str]) -> str | None:
    """Why a file is not found, in words, where other letters, accents or slashes are the reason."""
    if "\\" in name:
        return "write / instead of \\"
    like = [other for other in there if _loosely(other) == _loosely(name)]
    return f"there is '{min(like)}'" if like else None


def _loosely(name: str) -> str:
    # Computers differ in how they spell an accent in a file name.
    return unicodedata.normalize("NFC", name).casefold()
