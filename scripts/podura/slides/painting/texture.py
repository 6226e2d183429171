"""Textures of living things at high magnification: grains, streaks along a body, hairs, soft outlines."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.spatial import cKDTree

from podura.slides.painting.patches import Canvas, Layer, smooth_noise
from podura.slides.painting.shapes import Axis, Points, across

#: Places on a body are computed at every n-th pixel; between them they change smoothly.
_STRIDE = 4
#: A hair is drawn in pieces, each fainter than the one before.
_TAPER = (1.0, 0.8, 0.55)


class BodyFrame:
    """Where a pixel lies on a body: ``t`` along its axis (0 to 1), ``u`` across it (-1 to 1 inside)."""

    def __init__(self, canvas: Canvas, axis: Axis, upper: Points, lower: Points) -> None:
        steps = len(axis.points)
        self.length = float(np.linalg.norm(np.diff(axis.points, axis=0), axis=1).sum())
        self.width = float((upper + lower).max())
        height, width = canvas.shape
        x = np.arange(0, width + _STRIDE, _STRIDE, dtype=np.float64)
        y = np.arange(0, height + _STRIDE, _STRIDE, dtype=np.float64)
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) + canvas.origin
        _, nearest = cKDTree(axis.points).query(grid)
        away = grid - axis.points[nearest]
        along = (away * axis.tangents[nearest]).sum(axis=1)
        aside = (away * axis.normals[nearest]).sum(axis=1)
        half = np.where(aside >= 0, upper[nearest], lower[nearest])
        half = np.maximum(half, 0.15 * self.width)
        shape = (len(y), len(x))
        self.t = self._fine((nearest / (steps - 1) + along / self.length).reshape(shape), canvas.shape)
        self.u = self._fine((aside / half).reshape(shape), canvas.shape)

    def _fine(self, values: Points, shape: tuple[int, int]) -> Layer:
        large = (values.shape[1] * _STRIDE, values.shape[0] * _STRIDE)
        # cv2.resize takes a value to stand for the middle of its block; ours stand for the corner.
        move = np.array([[_STRIDE, 0, 0], [0, _STRIDE, 0]], np.float64)
        fine = cv2.warpAffine(
            values.astype(np.float32), move, large, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(fine, np.float32)[: shape[0], : shape[1]]

    def noise(
        self, rng: np.random.Generator, along: float, aside: float, *, symmetric: bool = False
    ) -> Layer:
        """Noise of unit variance in grains ``along`` by ``aside`` pixels; alike on both sides if wished."""
        rows, columns = int(self.length / along) + 8, int(self.width / aside) + 8
        texture = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(1.25)
        u = np.abs(self.u) if symmetric else self.u
        x = (u * (0.5 * self.width / aside) + columns / 2).astype(np.float32)
        y = (self.t * (self.length / along) + 3).astype(np.float32)
        return np.asarray(cv2.remap(texture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


class Warp:
    """A slight, smooth distortion: nothing in a mounted animal is quite straight."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int], size: float) -> None:
        height, width = shape
        x = np.arange(width, dtype=np.float32)[None, :]
        y = np.arange(height, dtype=np.float32)[:, None]
        shifts = []
        for _ in range(2):
            shift = 0.035 * size * smooth_noise(rng, shape, 0.8 * size)
            shift += 0.012 * size * smooth_noise(rng, shape, 0.22 * size)
            shifts.append(shift)
        self.x = (x + shifts[0]).astype(np.float32)
        self.y = (y + shifts[1]).astype(np.float32)

    def __call__(self, layer: Layer) -> Layer:
        """The layer, of shape (height, width) or (height, width, 3), distorted."""
        warped = cv2.remap(layer, self.x, self.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped, np.float32)


def hair(root: Points, way: Points, length: float, bend: float) -> Points:
    """The middle line of a hair that bends sideways by ``bend`` of its length; way is a unit vector."""
    s = np.linspace(0, 1, 3 * len(_TAPER) + 1)[:, None]
    return root + length * (s * way + bend * s**2 * across(way))


def hair_layer(canvas: Canvas, hairs: Sequence[Points], thickness: float) -> Layer:
    """Coverage of hairs that taper to their tips; ``thickness`` is that of the root in pixels."""
    layer = np.zeros(canvas.shape, np.float32)
    for number in reversed(range(len(_TAPER))):
        pieces = [line[3 * number : 3 * number + 4] for line in hairs]
        if pieces:
            layer = np.maximum(layer, canvas.lines(pieces, _TAPER[number] * thickness))
    return layer


def horn(base: Points, way: Points, length: float, width: float, bend: float) -> Points:
    """Outline of a curved horn, such as a claw or a spine; way is a unit vector."""
    s = np.linspace(0, 1, 14)[:, None]
    middle = base + length * (s * way + bend * s**2 * across(way))
    along = np.gradient(middle, axis=0)
    normal = across(along / np.linalg.norm(along, axis=1)[:, None])
    half = 0.5 * width * (1 - s) ** 0.75
    return np.concatenate([middle + half * normal, (middle - half * normal)[::-1]])


def barrel(start: Points, end: Points, widths: tuple[float, float], bulge: float) -> Points:
    """Outline of a joint of a limb: round ends, sides that bulge by a share of the width."""
    way = end - start
    length = max(float(np.linalg.norm(way)), 1e-6)
    way = way / length
    s = np.linspace(0, 1, 15)
    width = widths[0] + (widths[1] - widths[0]) * s
    half = width / 2 * (1 + bulge * np.sin(np.pi * s) ** 0.8)
    # Rounded off over a short way, so that joints are notched.
    half = half * np.minimum(1, (0.55 + np.minimum(s, 1 - s) * length / max(0.4 * width.max(), 1e-6)))
    middle = start + s[:, None] * length * way
    side = half[:, None] * across(way)
    cap = 0.18 * widths[1] * way
    return np.concatenate([middle + side, [end + cap], (middle - side)[::-1]])
