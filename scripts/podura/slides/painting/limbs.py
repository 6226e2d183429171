"""Antennae, legs, furca and anal spines of a springtail."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from podura.slides.painting.plan import Piece, Plan
from podura.slides.painting.shapes import Points, across, capsule, turn

#: Relative lengths of antennal segments I to IV.
_ANTENNA = {"Poduromorpha": (0.17, 0.22, 0.25, 0.36), "Entomobryomorpha": (0.15, 0.24, 0.24, 0.37)}
#: Manubrium, dens, mucro.
_FURCA = {"Poduromorpha": (0.42, 0.40, 0.18), "Entomobryomorpha": (0.40, 0.54, 0.06)}


def add_antennae(plan: Plan, rng: np.random.Generator) -> None:
    """Two antennae of four segments each."""
    traits = plan.traits
    stout = traits.body_form == "Poduromorpha"
    parts = _ANTENNA[traits.body_form]
    length = traits.antenna_to_head * plan.head_length
    width = plan.head_width * (0.24 if stout else 0.15)
    widths = np.array([1.0, 0.98, 0.92, 0.85, 0.5] if stout else [1.0, 0.9, 0.78, 0.7, 0.38]) * width
    forward, side = plan.head_forward, across(plan.head_forward)
    for sign in (-1.0, 1.0):
        if plan.lateral:
            # Both antennae start at the brow, the far one a little behind the near one.
            base = plan.head_centre + plan.head_length * (0.26 + 0.05 * sign) * forward
            base = base + 0.16 * plan.head_width * -side
            angle = -rng.normal(0.45, 0.35) - 0.12 * sign
        else:
            base = plan.head_centre + 0.36 * plan.head_length * forward
            base = base + sign * 0.22 * plan.head_width * side
            angle = sign * abs(rng.normal(0.5, 0.28))
        curl = rng.normal(0, 0.22) + (0 if plan.lateral else sign * 0.08)
        angles = angle + curl * np.arange(4)
        _chain(plan, "antenna", base, [turn(forward, a) for a in angles], np.array(parts) * length, widths)


def add_legs(plan: Plan, rng: np.random.Generator) -> None:
    """Six legs, a pair on each segment of the thorax."""
    traits = plan.traits
    length = traits.leg_to_body * plan.length
    stout = traits.body_form == "Poduromorpha"
    width = length * (0.30 if stout else 0.19)
    widths = width * np.array([1.25, 1.0, 0.72, 0.42, 0.12])
    parts = np.array([0.20, 0.32, 0.38, 0.10]) * length
    starts = (0.0, *plan.boundaries)
    for pair, (low, high) in enumerate(pairwise(starts[:4])):
        point, tangent, normal = plan.axis.frame((low + high) / 2 + 0.01)
        for sign in (-1.0, 1.0):
            reach = np.deg2rad((58, 88, 122)[pair] + rng.normal(0, 11))
            knee = np.deg2rad((-28, 22, 24)[pair] + rng.normal(0, 16))
            if plan.lateral:
                out = -normal
                base = point + out * plan.width * 0.30 + tangent * sign * 0.012 * plan.length
                reach += np.deg2rad(6 * sign)
            else:
                out = sign * normal
                base = point + out * plan.width * 0.30
            turns = (reach, reach - 0.3 * knee, reach + knee, reach + 1.3 * knee)
            directions = [-tangent * np.cos(a) + out * np.sin(a) for a in turns]
            plan.coxae.append((base + out * 0.08 * plan.width, width))
            _chain(plan, "leg", base, directions, parts, widths)


def add_furca(plan: Plan, rng: np.random.Generator) -> None:
    """The spring: a manubrium and two dentes, each with a mucro; spread behind or folded below."""
    traits = plan.traits
    if traits.furca_to_body == 0:
        return
    stout = traits.body_form == "Poduromorpha"
    length = traits.furca_to_body * plan.length
    manubrium, dens, mucro = np.array(_FURCA[traits.body_form]) * length
    width = length * (0.42 if stout else 0.17)
    # The furca hangs on the hind margin of abdomen IV, the seventh segment of the trunk.
    point, tangent, normal = plan.axis.frame(plan.boundaries[6] - 0.02)
    folded = rng.random() < (0.35 if stout else 0.25)
    direction = -tangent if folded else tangent
    if plan.lateral:
        base = point - normal * plan.width * 0.33
        swing = rng.uniform(-0.02, 0.12) if folded else rng.uniform(0.25, 1.15)
        direction = direction * np.cos(swing) - normal * np.sin(swing)
        spread = abs(rng.normal(0.08, 0.05))
    else:
        base = point + normal * rng.normal(0, 0.03) * plan.width
        direction = turn(direction, rng.normal(0, 0.12))
        spread = abs(rng.normal(0.20, 0.10))
    fork = base + manubrium * direction
    plan.limbs.append(capsule(base, fork, width, 0.8 * width))
    plan.pieces.append(Piece("manubrium", 0, True, np.stack([base, fork]), (width, 0.8 * width)))
    for sign in (-1.0, 1.0):
        root_of_dens = fork + sign * 0.22 * width * across(direction)
        way = turn(direction, sign * spread)
        bow = turn(way, -sign * spread * 0.6)
        widths = width * np.array([0.46, 0.36, 0.22, 0.07])
        _chain(plan, "furca", root_of_dens, [way, bow, bow], [0.5 * dens, 0.5 * dens, mucro], widths)


def add_anal_spines(plan: Plan, pixels_per_um: float) -> None:
    """Two spines on papillae at the end of abdomen VI, pointing back and up."""
    size = plan.traits.anal_spine_um * pixels_per_um
    if size == 0:
        return
    point, tangent, normal = plan.axis.frame(1.0)
    for sign in (-1.0, 1.0):
        if plan.lateral:
            base = point + normal * (0.10 + 0.03 * sign) * plan.width - tangent * 0.06 * plan.width
            way = turn(tangent, 0.7)
        else:
            base = point + sign * normal * 0.11 * plan.width - tangent * 0.05 * plan.width
            way = turn(tangent, sign * 0.22)
        middle = base + 0.45 * size * way
        plan.limbs.append(capsule(base, middle, 0.75 * size, 0.5 * size))
        plan.spines.append(np.stack([base, base + 1.35 * size * way]))
        plan.limbs.append(capsule(middle, base + 1.35 * size * way, 0.42 * size, 0.06 * size))


def _chain(
    plan: Plan,
    kind: str,
    base: Points,
    directions: Sequence[Points],
    lengths: Sequence[float] | Points,
    widths: Points,
) -> None:
    start = base
    for number, (way, length) in enumerate(zip(directions, lengths, strict=True)):
        end = start + length * way
        # Each piece is narrowest at its joints.
        plan.limbs.append(capsule(start, end, 0.9 * widths[number], widths[number + 1]))
        ends = (float(widths[number]), float(widths[number + 1]))
        last = number == len(directions) - 1
        plan.pieces.append(Piece(kind, number, last, np.stack([start, end]), ends))
        half = 0.45 * widths[number + 1] * across(way)
        plan.joints.append(np.stack([end - half, end + half]))
        start = end
