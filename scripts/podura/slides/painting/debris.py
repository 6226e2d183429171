"""Paint what else lies on a slide: soil, plant and fungus, dust, bubbles, scratches."""

from __future__ import annotations

import numpy as np

from podura.slides.painting.conditions import Conditions
from podura.slides.painting.layers import DensityMap, line_patch
from podura.slides.painting.patches import (
    Canvas,
    Layer,
    absorbance,
    blur,
    depth,
    rim,
    shrink,
    smooth_noise,
    tinted,
)
from podura.slides.painting.preparation import FINE_UM
from podura.slides.painting.shapes import Points, bent_axis, blob, turn
from podura.slides.painting.texture import Warp

#: Enough for a dirty plate, and a bound on time.
_MOST_PARTICLES = 4000
#: Up to this area an image counts as one field.
_FIELD_MM2 = 100.0


def add_debris(
    density: DensityMap, conditions: Conditions, um_per_pixel: float, rng: np.random.Generator
) -> None:
    """Add debris, bubbles and scratches to the density of an image."""
    height, width = density.height, density.width
    area_mm2 = height * width * (um_per_pixel / 1000) ** 2
    number = rng.poisson(conditions.debris * area_mm2)
    for _ in range(min(number, _MOST_PARTICLES)):
        if rng.random() > conditions.organic:
            _particle(density, um_per_pixel, rng)
        elif rng.random() < 0.6:
            _hypha(density, um_per_pixel, rng)
        else:
            _fibre(density, um_per_pixel, rng)
    # Bubbles and scratches are counted by fields of a microscope; a plate holds many of them.
    fields = max(1.0, area_mm2 / _FIELD_MM2)
    for _ in range(rng.poisson(conditions.bubbles * fields)):
        _bubble(density, um_per_pixel, rng)
    for _ in range(rng.poisson(conditions.scratches * fields)):
        _scratch(density, rng)


def _scatter(density: DensityMap, patch: Layer, um_per_pixel: float, rng: np.random.Generator) -> None:
    if um_per_pixel <= FINE_UM:
        patch = _fine(patch, 1 / um_per_pixel, rng)
    height, width = density.height, density.width
    left = int(rng.integers(-patch.shape[1] // 2, width - patch.shape[1] // 2 + 1))
    top = int(rng.integers(-patch.shape[0] // 2, height - patch.shape[0] // 2 + 1))
    density.add(patch, left, top)


def _fine(patch: Layer, um: float, rng: np.random.Generator) -> Layer:
    """Uneven, a little bent, and most of it above or below the plane of focus."""
    sigma = um * min(float(rng.lognormal(np.log(2.0), 0.7)), 10.0)
    margin = int(np.ceil(2 * sigma + 8 * um))
    patch = np.pad(patch, ((margin, margin), (margin, margin), (0, 0)))
    shape = (patch.shape[0], patch.shape[1])
    uneven = 1 + 0.20 * smooth_noise(rng, shape, 40 * um) + 0.12 * smooth_noise(rng, shape, 7 * um)
    patch = patch * np.clip(uneven, 0.1, 2)[:, :, None]
    return blur(Warp(rng, shape, 60 * um)(patch), sigma)


def _particle(density: DensityMap, um_per_pixel: float, rng: np.random.Generator) -> None:
    """A crumb of humus, brown to black, or a mineral grain, glassy with a dark edge."""
    radius = max(float(rng.lognormal(np.log(14), 0.7)) / um_per_pixel, 0.6) * 2
    outline = blob(rng, min(radius, 90 / um_per_pixel * 2), 0.45)
    canvas = Canvas(outline, margin=4, step=2)
    cover = canvas.fill([outline])
    thick, distance = depth(cover)
    if rng.random() < 0.7:
        colour = absorbance((0.30, 0.20, 0.12)) * np.float32(rng.uniform(0.3, 1.3))
        layer = tinted(cover * np.clip(0.7 + 0.2 * canvas.noise(rng, 4), 0.2, 1.2), colour)
    else:
        edge = rim(cover, distance, 1.6)
        layer = tinted(0.7 * edge + 0.05 * thick - 0.03 * cover, (1.0, 1.0, 1.0))
    _scatter(density, shrink(blur(layer, rng.uniform(0.8, 2.0)), 2), um_per_pixel, rng)


def _hypha(density: DensityMap, um_per_pixel: float, rng: np.random.Generator) -> None:
    """A thread of a fungus, sometimes branched."""
    length = np.clip(rng.lognormal(np.log(500), 0.7), 100, 3000) / um_per_pixel * 2
    axis = bent_axis(length, rng.normal(0, 0.9), rng.normal(0, 0.5))
    lines: list[Points] = [axis.points]
    for _ in range(rng.poisson(0.8)):
        place = rng.integers(10, 110)
        branch = bent_axis(length * rng.uniform(0.1, 0.5), rng.normal(0, 0.5), 0.2).points
        side = rng.choice((-1.0, 1.0)) * rng.uniform(0.4, 0.9)
        way = np.arctan2(axis.tangents[place, 1], axis.tangents[place, 0])
        lines.append(axis.points[place] + turn(branch - branch[0], way + side))
    angle = rng.uniform(0, 2 * np.pi)
    lines = [turn(line, angle) for line in lines]
    canvas = Canvas(np.concatenate(lines), margin=5, step=2)
    thickness = max(5 / um_per_pixel * 2, 0.7)
    brown = rng.random() < 0.5
    colour = (0.30, 0.42, 0.60) if brown else (0.24, 0.24, 0.25)
    layer = tinted(canvas.lines(lines, thickness) * np.float32(rng.uniform(0.5, 1.6)), colour)
    _scatter(density, shrink(blur(layer, rng.uniform(0.5, 1.6)), 2), um_per_pixel, rng)


def _fibre(density: DensityMap, um_per_pixel: float, rng: np.random.Generator) -> None:
    """A plant fibre: two parallel walls, cross walls, brownish or colourless."""
    length = np.clip(rng.lognormal(np.log(260), 0.8), 60, 2000) / um_per_pixel * 2
    half = rng.uniform(5, 28) / um_per_pixel * 2 / 2
    axis = bent_axis(length, rng.normal(0, 0.5), rng.normal(0, 0.15))
    points = turn(axis.points, rng.uniform(0, 2 * np.pi))
    middle = np.gradient(points, axis=0)
    normal = np.stack([-middle[:, 1], middle[:, 0]], axis=1)
    normal = normal / np.linalg.norm(normal, axis=1)[:, None]
    sides = [points + half * normal, points - half * normal]
    walls = [np.stack([sides[0][i], sides[1][i]]) for i in range(4, len(points), 17)]
    outline = np.concatenate([sides[0], sides[1][::-1]])
    canvas = Canvas(outline, margin=4, step=2)
    colour = absorbance((0.72, 0.56, 0.34)) * np.float32(rng.uniform(0.2, 1.2))
    layer = tinted(canvas.fill([outline]), 0.5 * colour)
    layer += tinted(canvas.lines([*sides, *walls], 1.0), (0.40, 0.42, 0.46))
    _scatter(density, shrink(blur(layer, rng.uniform(0.5, 1.6)), 2), um_per_pixel, rng)


def _bubble(density: DensityMap, um_per_pixel: float, rng: np.random.Generator) -> None:
    """An air bubble in the medium: total reflection makes a broad black ring with a bright centre."""
    radius = float(np.clip(rng.lognormal(np.log(55), 0.7), 15, 400)) / um_per_pixel * 2
    canvas = Canvas(np.array([[-radius, -radius], [radius, radius]]), margin=4, step=2)
    cover = canvas.discs([(np.zeros(2), radius)])
    _, distance = depth(cover)
    share = distance / max(radius, 1.0)
    ring = cover * np.exp(-np.square(share / 0.20)) * 1.7 - 0.05 * cover * (share > 0.45)
    inner = cover * np.exp(-np.square((share - 0.42) / 0.05)) * 0.25
    _scatter(density, shrink(blur(tinted(ring + inner, (1, 1, 0.97)), 1.0), 2), um_per_pixel, rng)


def _scratch(density: DensityMap, rng: np.random.Generator) -> None:
    """A scratch in the cover slip: long, straight and faint, dark or bright."""
    height, width = density.height, density.width
    start = rng.uniform(0, 1, 2) * (width, height)
    end = start + turn(np.array([rng.uniform(0.1, 0.7) * width, 0.0]), rng.uniform(0, 2 * np.pi))
    strength = rng.uniform(0.03, 0.12) * (1 if rng.random() < 0.6 else -0.5)
    line = line_patch(start, end, (height, width))
    if line is not None:
        cover, left, top = line
        density.add((cover * np.float32(strength))[:, :, None] * np.ones(3, np.float32), left, top)
