"""What every reader of annotations returns: boxes as the file gives them, nothing judged yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from podura.annotations.problems import Problem


@dataclass(frozen=True)
class RawBox:
    """One box as annotated, in pixels; a coordinate that is no number is NaN.

    ``flags`` may hold "crowd", "difficult", "truncated" and "ignore". ``where`` is the place in the
    annotation file, ``given`` the coordinates as written there. ``corners`` is False where the format
    gives width and height instead of a second corner.
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


@dataclass(frozen=True)
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


def number(value: object) -> float:
    """A coordinate as a float; NaN for anything that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")
