"""Other animals at high magnification: grainy cuticle, hairs, legs that shine through, uneven focus."""

from __future__ import annotations

import numpy as np

from podura.slides.painting.fine import focused, thin_edge
from podura.slides.painting.patches import Canvas, Layer, Patch, absorbance, blur, depth, tinted
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.shapes import Points, across, turn
from podura.slides.painting.texture import Warp, hair, hair_layer

_CUTICLE = (0.90, 0.98, 1.12)
#: Points of the outline of a joint (``shapes.capsule``): seven around its end, seven around its start.
_CAPSULE = 14


def paint_fine_other(
    body: list[Points],
    limbs: list[Points],
    *,
    lines: list[Points],
    discs: list[tuple[Points, float]],
    colour: tuple[float, float, float],
    strength: float,
    um: float,
    preparation: Preparation,
    rng: np.random.Generator,
) -> Patch:
    """Paint outlines that have been turned; ``um`` is the number of pixels of a µm."""
    canvas = Canvas(np.concatenate([*body, *limbs]), margin=60 * um + 4, step=1)
    trunk = np.clip((blur(canvas.fill(body), 3 * um) - 0.5) * max(6 * um, 1.0) + 0.5, 0, 1)
    appendages = canvas.fill(limbs)
    thick, distance = depth(trunk)
    limb_thick, limb_distance = depth(appendages)
    thick = blur(thick, 4 * um)
    size = float(np.sqrt(1.0 + np.count_nonzero(trunk > 0.5)))
    uneven = np.clip(1 + 0.30 * canvas.noise(rng, 30 * um) + 0.15 * canvas.noise(rng, 8 * um), 0.25, 1.7)
    edges = thin_edge(trunk, distance, um)
    edges += 0.9 * thin_edge(appendages, limb_distance, 0.8 * um) * (1 - 0.6 * trunk)
    folds = blur(canvas.lines(lines, max(3 * um, 1.0)), 1.6 * um) * np.maximum(trunk, appendages)
    density = tinted(preparation.contrast * uneven * (0.60 * edges + 0.38 * folds), _CUTICLE)
    coarse = np.clip(1 + 0.22 * canvas.noise(rng, 55 * um) + 0.18 * canvas.noise(rng, 17 * um), 0.2, 2)
    grains = np.clip(
        1 + 0.14 * canvas.noise(rng, max(3 * um, 1.1)) + 0.12 * canvas.noise(rng, 7 * um), 0.2, 2
    )
    pigment = absorbance(colour) * np.float32(strength)
    amount = (0.75 * thick + 0.25) * trunk * coarse + 0.5 * limb_thick * appendages * (1 - 0.5 * trunk)
    density += tinted(amount * grains, pigment)
    tissue = np.asarray((0.08, 0.09, 0.12), np.float32) + np.asarray(preparation.stain, np.float32)
    density += tinted((thick * trunk + 0.6 * limb_thick * appendages) * coarse, tissue)
    density += tinted(0.85 * blur(canvas.discs(discs), 1.5 * um) * trunk, (1.8, 1.75, 1.6))
    hairs = [line for limb in limbs if len(limb) == _CAPSULE for line in _hairs_of_joint(limb, um, rng)]
    hairs += _hairs_of_body(canvas, trunk, um, rng)
    density += tinted(0.40 * hair_layer(canvas, hairs, 1.6 * um), _CUTICLE)
    mask = np.maximum(trunk, appendages)
    near, far = (np.clip(blur(mask, sigma * um) - mask, 0, None) for sigma in (4, 11))
    density -= tinted(preparation.contrast * (0.16 * near + 0.06 * far), (1.0, 1.0, 1.0))
    warp = Warp(rng, canvas.shape, 0.45 * size)
    return Patch(focused(warp(density), canvas, um, preparation, rng), warp(mask) > 0.35)


def _hairs_of_joint(outline: Points, um: float, rng: np.random.Generator) -> list[Points]:
    end, start = outline[: _CAPSULE // 2].mean(axis=0), outline[_CAPSULE // 2 :].mean(axis=0)
    way = end - start
    length = max(float(np.linalg.norm(way)), 1e-6)
    way = way / length
    half = float(np.linalg.norm(outline[0] - outline[_CAPSULE // 2 - 1])) / 2
    found = []
    for place in np.arange(0.15, 1.0, max(22 * um / length, 0.12)):
        for sign in (-1.0, 1.0):
            if rng.random() < 0.25:
                continue
            root = start + place * length * way + sign * 0.9 * half * across(way)
            lean = turn(sign * across(way), -sign * rng.normal(0.7, 0.25))
            found.append(hair(root, lean, rng.uniform(9, 24) * um, -0.15 * sign))
    return found


def _hairs_of_body(canvas: Canvas, trunk: Layer, um: float, rng: np.random.Generator) -> list[Points]:
    inside = np.argwhere(trunk > 0.5)
    if len(inside) == 0:
        return []
    middle = inside.mean(axis=0)
    number = int(np.clip(len(inside) * 0.0006 / um**2, 12, 70))
    found = []
    for row, column in inside[rng.integers(0, len(inside), number)]:
        out = np.array([column - middle[1], row - middle[0]], np.float64)
        far = float(np.linalg.norm(out))
        root = np.array([column, row], np.float64) + canvas.origin
        found.append(
            hair(root, turn(out / max(far, 1e-6), rng.normal(0, 0.5)), rng.uniform(10, 30) * um, 0.15)
        )
    return found
