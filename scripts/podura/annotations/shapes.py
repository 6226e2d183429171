"""The tight box of shapes that annotators draw, in pixels; x to the right, y down.

A shape with a coordinate that is missing or no finite number has ``NO_BOX``, which the checks of boxes
tell of; nothing here raises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from podura.annotations.problems import Box, Problem
from podura.annotations.raw import number

NO_BOX: Box = (math.nan,) * 4
_FEWEST_POINTS = 3
# Shares of an image are written with five or six decimals.
_ROUNDING = 1e-5


def points_box(points: Sequence[tuple[float, float]]) -> Box:
    """The tight box of points; ``NO_BOX`` for none."""
    if not points or not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
        return NO_BOX
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def polygon_box(points: Sequence[tuple[float, float]]) -> Box:
    """The tight box of a polygon; ``NO_BOX`` for fewer than three points."""
    return points_box(points) if len(points) >= _FEWEST_POINTS else NO_BOX


def rotated_box(box: Box, degrees: float, pivot: tuple[float, float]) -> Box:
    """The tight box of a rectangle turned clockwise (as seen, with y down) around a pivot."""
    if not degrees:
        return box
    if not all(math.isfinite(value) for value in (*box, degrees, *pivot)):
        return NO_BOX
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x_min, y_min, x_max, y_max = box
    away = [(x - pivot[0], y - pivot[1]) for x in (x_min, x_max) for y in (y_min, y_max)]
    return points_box([(pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine) for x, y in away])


def ellipse_box(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Box:
    """The tight box of an ellipse turned around its centre.

    A negative radius gives a box of negative extent, which the checks of boxes tell of.
    """
    (x, y), (a, b) = centre, radii
    if not all(math.isfinite(value) for value in (x, y, a, b, degrees)):
        return NO_BOX
    if degrees and a >= 0 and b >= 0:
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        a, b = math.hypot(a * cosine, b * sine), math.hypot(a * sine, b * cosine)
    return x - a, y - b, x + a, y + b


def snapped(box: Box, width: float, height: float) -> Box:
    """A box made from rounded shares: a side beyond the image by no more than rounding lies on its edge."""

    def snap(value: float, side: float) -> float:
        slack = side * _ROUNDING
        return min(max(value, 0.0), float(side)) if -slack <= value <= side + slack else value

    return snap(box[0], width), snap(box[1], height), snap(box[2], width), snap(box[3], height)


def pairs(points: object) -> list[tuple[float, float]]:
    """Points given as a list of [x, y]; a point that is none becomes NaN, no list at all gives none."""
    if not isinstance(points, list | tuple):
        return []
    return [
        (number(point[0]), number(point[1]))
        if isinstance(point, list | tuple) and len(point) == 2
        else (math.nan, math.nan)
        for point in points
    ]


def flat_pairs(values: Sequence[object]) -> list[tuple[float, float]]:
    """Points given as x1, y1, x2, y2, …; a NaN at the end where a number is missing."""
    numbers = [number(value) for value in values]
    if len(numbers) % 2:
        numbers.append(math.nan)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def without_area(shape: str, name: str, where: str) -> Problem:
    """A point or line, from which no box of an animal follows."""
    return Problem(
        "shape_without_area",
        f"a {shape} of '{name}' has no area, so no box follows from it; draw a box or an outline",
        row=where,
        value=shape,
    )


def unknown_shape(shape: str, name: str, where: str) -> Problem:
    """A kind of shape that the reader does not know."""
    return Problem(
        "unknown_shape",
        f"the shape of '{name}' is of a kind that is not read; draw a box or an outline",
        row=where,
        value=shape,
    )
