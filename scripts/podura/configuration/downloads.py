"""Files of the data set from elsewhere: the key ``dataset.downloads``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from podura.configuration.wording import shown, suggestion
from podura.errors import UserErrors

_KEYS = ("url", "sha256", "unpack", "most_gb")
_SCHEMES = ("https://", "http://", "zenodo://record/")


@dataclass(frozen=True)
class Download:
    """A file at ``url`` with the digest ``sha256``, which gets the name ``path`` or is unpacked there."""

    path: Path
    url: str
    sha256: str
    unpack: bool
    most_gb: float


def downloads(config: Mapping[str, Any]) -> dict[str, Download]:
    """What a configuration brings from elsewhere, by a name that is part of file names.

    Raises UserErrors for everything that is wrong in ``dataset.downloads``.
    """
    given = (config.get("dataset") or {}).get("downloads") or {}
    faults, found = [], {}
    for path, entry in given.items():
        key = f"dataset.downloads, {shown(str(path))}"
        wrong = list(_faults(str(path), entry))
        faults += [f"{key}: {fault}" for fault in wrong]
        if not wrong:
            name = hashlib.sha256(str(path).encode()).hexdigest()[:8]
            stem = re.sub(r"[^A-Za-z0-9-]+", "_", PurePosixPath(str(path)).name)[:40]
            found[f"{stem}-{name}"] = Download(
                Path(path),
                entry["url"],
                str(entry["sha256"]).lower(),
                entry.get("unpack", False),
                float(entry.get("most_gb", 100)),
            )
    if faults:
        raise UserErrors(faults)
    return found


def _faults(path: str, entry: Any) -> list[str]:
    pure = PurePosixPath(path)
    faults = []
    if pure.is_absolute() or ".." in pure.parts or not pure.name:
        faults.append(
            "the path leads out of the folder that you run in. Write one below it, such as data/soil."
        )
    if not isinstance(entry, Mapping):
        return [*faults, f"{shown(entry)} is no mapping. Write {{url: ..., sha256: ...}}."]
    for key in entry:
        if key not in _KEYS:
            faults.append(
                f"there is no key {shown(key)}.{suggestion(str(key), _KEYS)} The keys: {', '.join(_KEYS)}."
            )
    url, digest = entry.get("url"), entry.get("sha256")
    if not isinstance(url, str) or not url.startswith(_SCHEMES):
        faults.append(
            f"the url {shown(url)} is none that can be read. Write https://..., or zenodo://record/...."
        )
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        faults.append(
            f"the sha256 {shown(digest)} is none. Write its 64 digits, in quotes: sha256sum tells them."
        )
    if not isinstance(entry.get("unpack", False), bool):
        faults.append("unpack is true or false.")
    most = entry.get("most_gb", 100)
    if isinstance(most, bool) or not isinstance(most, int | float) or most <= 0:
        faults.append(f"most_gb {shown(most)} is no size. Write a number above 0.")
    return faults
