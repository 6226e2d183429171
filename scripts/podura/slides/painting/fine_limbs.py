"""Limbs at high magnification: jointed antennae, claws, the spring with its mucro, and their hairs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from podura.slides.painting.plan import Piece, Plan
from podura.slides.painting.shapes import Points, across, turn
from podura.slides.painting.texture import barrel, hair, horn


@dataclass
class FineLimbs:
    """Outlines and lines of the limbs, in pixels of the plan's frame."""

    near: list[Points] = field(default_factory=list)  # joints of one limb of each pair
    far: list[Points] = field(default_factory=list)  # those of the other, which shine through the first
    hard: list[Points] = field(default_factory=list)  # claws, mucrones and spines: thick cuticle
    rings: list[Points] = field(default_factory=list)  # folds across dentes and antennae
    cores: list[Points] = field(default_factory=list)  # muscles and nerves within
    hairs: list[Points] = field(default_factory=list)


def fine_limbs(plan: Plan, um: float, rng: np.random.Generator) -> FineLimbs:
    """Limbs of a plan that has been turned; ``um`` is the number of pixels of a µm."""
    limbs = FineLimbs()
    stout = plan.traits.body_form == "Poduromorpha"
    number = 0
    for piece in plan.pieces:
        number += piece.number == 0
        soft = limbs.near if number % 2 else limbs.far
        if piece.kind == "leg" and piece.last:
            _claw(limbs, soft, piece, rng)
        elif piece.kind == "furca" and piece.last:
            _mucro(limbs, soft, piece, stout, rng)
        else:
            _joint(limbs, soft, piece, um, rng)
    for line in plan.spines:
        way = line[1] - line[0]
        length = float(np.linalg.norm(way))
        limbs.hard.append(horn(line[0], way / length, length, 0.5 * length, rng.normal(0.12, 0.05)))
    return limbs


def _joint(limbs: FineLimbs, soft: list[Points], piece: Piece, um: float, rng: np.random.Generator) -> None:
    start, end = piece.line
    way = end - start
    length = max(float(np.linalg.norm(way)), 1e-6)
    way = way / length
    widest = max(piece.widths)
    bulge = {"antenna": 0.16, "leg": 0.08, "manubrium": 0.06, "furca": 0.0}[piece.kind]
    tip = piece.kind == "antenna" and piece.last
    widths = (piece.widths[0], max(piece.widths[1], 0.55 * piece.widths[0])) if tip else piece.widths
    soft.append(barrel(start, end, widths, bulge + (0.12 if tip else 0)))
    limbs.cores.append(np.stack([start + 0.05 * length * way, end - 0.12 * length * way]))
    side = across(way)
    if piece.kind == "furca":
        # The dentes are folded across on their upper side.
        for place in np.arange(0.06, 0.98, max(5 * um / length, 0.04)):
            width = piece.widths[0] + (piece.widths[1] - piece.widths[0]) * place
            middle = start + place * length * way
            limbs.rings.append(np.stack([middle - 0.1 * width * side, middle + 0.46 * width * side]))
    size = float(np.clip(0.55 * widest, 7 * um, 20 * um))
    whorl = piece.kind == "antenna"
    for place in np.arange(0.12, 0.97, max((9 if whorl else 13) * um / length, 0.06)):
        width = piece.widths[0] + (piece.widths[1] - piece.widths[0]) * place
        for sign in (-1.0, 1.0):
            if rng.random() < 0.15:
                continue
            root = start + (place + rng.normal(0, 0.015)) * length * way + sign * 0.47 * width * side
            lean = -sign * rng.normal(0.85 if whorl else 0.95, 0.15)
            limbs.hairs.append(
                hair(root, turn(sign * side, lean * 0.8), size * rng.uniform(0.6, 1.25), -0.15 * sign)
            )
        # Some stand towards the viewer.
        if rng.random() < 0.6:
            root = start + place * length * way + rng.uniform(-0.3, 0.3) * width * side
            limbs.hairs.append(hair(root, turn(way, rng.normal(0, 0.3)), 0.5 * size, 0.1))


def _claw(limbs: FineLimbs, soft: list[Points], piece: Piece, rng: np.random.Generator) -> None:
    """Unguis, unguiculus, and a tenent hair above them."""
    start, end = piece.line
    length = max(float(np.linalg.norm(end - start)), 1e-6)
    way = (end - start) / length
    inner = -1.0 if rng.random() < 0.5 else 1.0
    width = piece.widths[0]
    soft.append(barrel(start - 0.15 * length * way, start + 0.22 * length * way, (width, 0.7 * width), 0))
    root = start + 0.12 * length * way
    limbs.hard.append(horn(root, turn(way, -0.15 * inner), 0.90 * length, 0.46 * width, 0.30 * inner))
    below = root + inner * 0.22 * width * across(way)
    limbs.hard.append(horn(below, turn(way, 0.30 * inner), 0.45 * length, 0.20 * width, 0.16 * inner))
    above = start - inner * 0.30 * width * across(way)
    limbs.hairs.append(hair(above, turn(way, -0.25 * inner), 0.95 * length, 0.15 * inner))


def _mucro(limbs: FineLimbs, soft: list[Points], piece: Piece, stout: bool, rng: np.random.Generator) -> None:
    """A boat-shaped mucro, or a sickle with a second tooth."""
    start, end = piece.line
    length = max(float(np.linalg.norm(end - start)), 1e-6)
    way = (end - start) / length
    width = piece.widths[0]
    bend = 0.25 if rng.random() < 0.5 else -0.25
    sign = float(np.sign(bend))
    limbs.hard.append(horn(start, way, 1.05 * length, 0.9 * width, bend))
    if stout:
        soft.append(barrel(start, start + 0.7 * length * way, (0.9 * width, 0.6 * width), 0.1))
        return
    tooth = start + 0.5 * length * way
    limbs.hard.append(horn(tooth, turn(way, 1.0 * sign), 0.45 * length, 0.5 * width, bend))
