"""What every reader of annotations returns: boxes as the file gives them, nothing judged yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from podura.annotations.problems import Problem


@dataclass(frozen=True, slots=True)
class RawBox:
    """One box as annotated, in pixels; a coordinate that is no number is NaN.

    ``flags`` may hold "crowd", "difficult", "truncated", "occluded" and "ignore". ``where`` is the place
    in the annotation file, ``given`` the coordinates as written there. ``corners`` is False where the
    format gives width and height instead of a second corner. ``key`` is what a tool calls the shape, where
    a review needs it: the id of a region of Label Studio, the attribute "detection" of CVAT.
    """

    name: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float
    where: str
    given: str
    flags: frozenset[str] = frozenset()
    corners: bool = True
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """The annotations of one image.

    ``file_names`` are the names under which the image may be known, the surest first. ``width`` and
    ``height`` are None where the file does not tell them.
    """

    file_names: tuple[str, ...]
    where: str
    width: float | None
    height: float | None
    boxes: tuple[RawBox, ...]


@dataclass(frozen=True)
class RawAnnotations:
    """All that a reader found: the annotated images, and faults that only the reader can see."""

    source: str
    images: tuple[AnnotatedImage, ...]
    problems: tuple[Problem, ...] = field(default=())


#: Width and height in pixels of the image known by these names (``AnnotatedImage.file_names``), or None
#: where no image or no readable one is known by them.
SizeOf = Callable[[tuple[str, ...]], tuple[int, int] | None]

_FLAGS = {
    "crowd": "crowd",
    "iscrowd": "crowd",
    "difficult": "difficult",
    "ignore": "ignore",
    "occluded": "occluded",
    "truncated": "truncated",
}
_NO_FLAGS: frozenset[str] = frozenset()


def number(value: object) -> float:
    """A coordinate as a float; NaN for anything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    if isinstance(value, str) and "_" in value:
        return float("nan")  # Python would read 1_0 as ten
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")


def is_set(value: object) -> bool:
    """Whether a mark is set: true, yes, or a number from 1 on."""
    if isinstance(value, int | float):
        return value >= 1
    return number(value) >= 1 or str(value).strip().lower() in ("true", "yes")


def is_flag(key: object) -> bool:
    """Whether a key is one of those that tools use for marks such as "difficult"."""
    return _flag(str(key)) is not None


@lru_cache(maxsize=1000)
def _flag(key: str) -> str | None:
    return _FLAGS.get(key.strip().lower())


def flags_of(marks: Mapping[str, object]) -> frozenset[str]:
    """The flags of a box among the marks set for it; other marks are no business of ours."""
    found = [flag for key, v in marks.items() if (flag := _flag(key)) is not None and is_set(v)]
    return frozenset(found) if found else _NO_FLAGS


def positive(value: object) -> float | None:
    """A side of an image in pixels; None where it is not told (some tools then write 0)."""
    size = number(value)
    return size if 0 < size < float("inf") else None
