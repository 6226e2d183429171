"""The names of the image of a Label Studio task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from podura.slides.formats import NAMED_SUFFIXES

# Label Studio puts eight characters of a UUID before the name of an uploaded file.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def image_names(task: Mapping[str, Any], image_key: str | None) -> tuple[str, ...]:
    """The names under which the image of a task may be known, the surest first.

    ``image_key`` is the key of ``data`` that holds it; None: the only one that names an image file.
    Raises ValueError with the reason where there is none or several.
    """
    data = task["data"]
    texts = {str(key): value.strip() for key, value in data.items() if isinstance(value, str)}
    if image_key is not None:
        names = _names(texts.get(image_key, ""))
        if not names:
            raise ValueError(
                f"'{image_key}' of 'data' names no file. Write one of the keys of 'data' as "
                f"annotations.image_key: {', '.join(map(str, data)) or 'it has none'}."
            )
        return names
    named = {key: _names(text) for key, text in texts.items()}
    images = {key: names for key, names in named.items() if names and _is_image(names[0])}
    if len(images) > 1:
        raise ValueError(
            f"several keys of 'data' name an image: {', '.join(images)}. Write the right one as "
            "annotations.image_key."
        )
    if images:
        return next(iter(images.values()))
    upload = task.get("file_upload")
    if isinstance(upload, str) and (names := _names(upload.strip())):
        return names
    raise ValueError(
        "no key of 'data' names an image file. Write the key that holds it as annotations.image_key."
    )


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in NAMED_SUFFIXES


def _names(text: str) -> tuple[str, ...]:
    """The path of an address, an upload or a file, decoded, and without the upload's prefix."""
    if text.startswith("data:"):
        return ()
    path = text.replace("\\", "/")
    if path.startswith("/data/") or _ADDRESS.match(path):
        parts = urlsplit(path)
        local = parse_qs(parts.query).get("d", [""])[0] if "local-files" in parts.path else ""
        paths = [local or unquote(parts.path)]
    else:
        paths = [path, unquote(path)]
    names: list[str] = []
    for whole in (PurePosixPath(path.lstrip("/")) for path in paths):
        if whole.is_relative_to("data/upload"):
            whole = PurePosixPath(whole.name)
        original = _UPLOADED.sub("", whole.name, count=1) if _UPLOADED.match(whole.name) else whole.name
        names += [str(whole), str(whole.with_name(original))] if whole.name else []
    return tuple(dict.fromkeys(names))
