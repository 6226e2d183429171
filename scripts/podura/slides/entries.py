"""What a study knows of one image before anything is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImageEntry:
    """One image of a study, as its table of images gives it.

    ``image`` is the name used in every table (the path as written in images.tsv), ``path`` where the
    file lies, ``part`` a fixed part of the split or None. ``um_per_pixel`` is in micrometres.
    """

    image: str
    path: Path
    slide: str
    sample: str | None = None
    site: str | None = None
    um_per_pixel: float | None = None
    part: str | None = None
