"""Plane shapes that bodies are made of. Points are float arrays of shape (n, 2), x then y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_CAP = np.linspace(-np.pi / 2, np.pi / 2, 7)


def turn(vectors: Points, angle: float) -> Points:
    """Vectors turned by ``angle`` radians, from x towards y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return vectors @ np.array([[cosine, sine], [-sine, cosine]])


def across(vectors: Points) -> Points:
    """Vectors turned by a quarter turn."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)


def capsule(start: Points, end: Points, start_width: float, end_width: float) -> Points:
    """Outline of a piece of a limb: two round ends joined by straight sides."""
    along = end - start
    angle = np.arctan2(along[1], along[0])

    def cap(centre: Points, radius: float, direction: float) -> Points:
        angles = _CAP + direction
        return centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)

    return np.concatenate([cap(end, end_width / 2, angle), cap(start, start_width / 2, angle + np.pi)])


def ellipse(centre: Points, length: float, width: float, forward: Points, taper: float = 0.0) -> Points:
    """Outline of an ellipse whose length lies along ``forward``; ``taper`` narrows its front."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = length / 2 * np.cos(angles)
    y = width / 2 * np.sin(angles) * (1 - taper * np.cos(angles))
    return centre + np.outer(x, forward) + np.outer(y, across(forward))


def blob(rng: np.random.Generator, radius: float, roughness: float, corners: int = 24) -> Points:
    """Outline of an irregular lump around the origin."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radii = np.ones(corners)
    for wave in (2, 3, 4, 6):
        radii += roughness / wave * np.cos(wave * angles + rng.uniform(0, 2 * np.pi)) * rng.normal()
    radii += roughness * 0.25 * rng.normal(size=corners)
    radii = radius * np.clip(radii, 0.35, 1.9)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


@dataclass(frozen=True)
class Axis:
    """The middle line of a body, from the front (t = 0) to the end (t = 1)."""

    points: Points
    tangents: Points

    @property
    def normals(self) -> Points:
        return across(self.tangents)

    @property
    def t(self) -> Points:
        return np.linspace(0, 1, len(self.points))

    def frame(self, t: float) -> tuple[Points, Points, Points]:
        """Point, unit tangent (to the end) and unit normal at ``t``."""
        step = round(float(np.clip(t, 0, 1)) * (len(self.points) - 1))
        return self.points[step], self.tangents[step], self.normals[step]


def bent_axis(length: float, bend: float, sway: float, steps: int = 120) -> Axis:
    """An axis that turns by ``bend`` radians in all and sways by ``sway`` radians to and fro."""
    t = np.linspace(0, 1, steps)
    angles = bend * (t - 0.5) + sway * np.sin(2 * np.pi * t)
    tangents = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.cumsum(tangents, axis=0) * length / (steps - 1)
    return Axis(points - points.mean(axis=0), tangents)
