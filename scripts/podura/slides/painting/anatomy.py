"""The outlines of one mounted springtail, drawn from the traits of its species."""

from __future__ import annotations

import numpy as np

from podura.slides.painting.limbs import add_anal_spines, add_antennae, add_furca, add_legs
from podura.slides.painting.plan import Plan
from podura.slides.painting.shapes import Axis, Points, across, bent_axis, ellipse, turn
from podura.slides.painting.traits import SpeciesTraits

#: Where ocelli lie in their patch (forward, outward), in patch radii: six around two.
_OCELLI = np.array(
    [
        *[[np.cos(a), 0.85 * np.sin(a)] for a in np.arange(6) * np.pi / 3 + 0.4],
        [0.28, 0.12],
        [-0.30, -0.10],
    ]
)
#: Up to four ocelli stand in a square.
_FEW_OCELLI = np.array([[0.6, 0.6], [-0.6, 0.6], [0.6, -0.6], [-0.6, -0.6]])


def plan_springtail(
    traits: SpeciesTraits, length_mm: float, pixels_per_mm: float, rng: np.random.Generator
) -> Plan:
    """Lay out one animal whose body (without antennae and furca) is ``length_mm`` long."""
    length = length_mm * pixels_per_mm
    lateral = bool(rng.random() < traits.lateral_share)
    width = traits.width_to_length * length * rng.normal(1.0, 0.06)
    parts = np.array(traits.segment_lengths) / sum(traits.segment_lengths)
    # Young springtails have large heads.
    youth = 1 - (length_mm - traits.length_mm_min) / max(traits.length_mm_max - traits.length_mm_min, 1e-6)
    head_length = parts[0] * length * (1 + 0.12 * youth)
    stiff = traits.body_form == "Poduromorpha"
    bend = rng.normal(0, 0.30 if stiff else 0.22)
    if lateral:
        # A flexed animal curves around its belly, which lies at low y.
        bend = -abs(rng.normal(0.35, 0.30))
    axis = bent_axis(length - 0.92 * head_length, bend, rng.normal(0, 0.05))
    bounds = np.cumsum(parts[1:] / parts[1:].sum())
    upper, lower = _half_widths(traits, axis, bounds, width, lateral)
    trunk = np.concatenate(
        [axis.points + upper[:, None] * axis.normals, (axis.points - lower[:, None] * axis.normals)[::-1]]
    )
    centre, forward = _head_pose(traits, axis, head_length, width, lateral, rng)
    head_width = traits.segment_widths[0] / 100 * width * (1 + 0.08 * youth)
    plan = Plan(
        traits=traits,
        axis=axis,
        lateral=lateral,
        length=length,
        width=width,
        boundaries=tuple(float(b) for b in bounds),
        head_centre=centre,
        head_forward=forward,
        head_length=head_length,
        head_width=head_width,
        trunk=trunk,
        head=ellipse(centre, head_length, head_width, forward, 0.16),
    )
    plan.upper, plan.lower = upper, lower
    _segments(plan, upper, lower)
    _gut(plan, upper, lower, rng)
    _eyes(plan)
    _mouthparts(plan, rng)
    add_antennae(plan, rng)
    add_legs(plan, rng)
    add_furca(plan, rng)
    add_anal_spines(plan, pixels_per_mm / 1000)
    _hairs(plan, pixels_per_mm / 1000, upper, lower, rng)
    return plan


def _half_widths(
    traits: SpeciesTraits, axis: Axis, bounds: Points, width: float, lateral: bool
) -> tuple[Points, Points]:
    t = axis.t
    starts = np.concatenate([[0], bounds[:-1]])
    present = bounds > starts
    middles = ((starts + bounds) / 2)[present]
    widths = np.array(traits.segment_widths[1:])[present] / 100
    neck = 0.85 * widths[0]
    profile = np.interp(t, [0, *middles, 1], [neck, *widths, 0.8 * widths[-1]])
    profile = np.convolve(np.pad(profile, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    for bound in bounds[present][:-1]:
        profile = profile * (1 - traits.segment_constriction * np.exp(-(((t - bound) / 0.016) ** 2)))
    # The last segment closes roundly, the neck less so.
    last = starts[present][-1]
    end = np.clip((t - last) / (1 - last), 0, 1)
    start = np.clip(1 - t / 0.05, 0, 1)
    profile = profile * np.sqrt(np.clip(1 - end**3, 0, 1)) * np.sqrt(1 - 0.75 * start**2)
    half = profile * width / 2
    if not lateral:
        return half, half
    hump = traits.mesothorax_hump * np.exp(-(((t - bounds[1] * 0.55) / 0.11) ** 2))
    return half * (1.08 + hump), half * 0.92


def _head_pose(
    traits: SpeciesTraits,
    axis: Axis,
    head_length: float,
    width: float,
    lateral: bool,
    rng: np.random.Generator,
) -> tuple[Points, Points]:
    point, tangent, normal = axis.frame(0.0)
    if not lateral:
        forward = turn(-tangent, rng.normal(0, 0.10))
        return point + 0.42 * head_length * forward, forward
    # Poduromorpha hold the mouth forward, Entomobryomorpha down.
    droop = rng.normal(0.30, 0.12) if traits.body_form == "Poduromorpha" else rng.normal(0.75, 0.15)
    forward = turn(-tangent, droop)
    below = 0.10 + 0.25 * traits.mesothorax_hump
    return point - tangent * 0.34 * head_length - normal * below * width, forward


def _segments(plan: Plan, upper: Points, lower: Points) -> None:
    axis, steps = plan.axis, len(plan.axis.points) - 1
    left = axis.points + upper[:, None] * axis.normals
    right = axis.points - lower[:, None] * axis.normals
    start = 0
    across_body = np.linspace(-1, 1, 11)
    for bound in plan.boundaries:
        stop = min(round(bound * steps), steps)
        if stop == start:
            continue  # fused with the segment before
        plan.tergites.append(np.concatenate([left[start : stop + 1], right[start : stop + 1][::-1]]))
        if stop < steps:
            # Hind margins of tergites bow backwards.
            bow = 0.07 * plan.width * (1 - across_body**2)
            share = ((across_body + 1) / 2)[:, None]
            line = left[stop] * share + right[stop] * (1 - share)
            plan.sutures.append(line + bow[:, None] * axis.tangents[stop])
        start = stop


def _gut(plan: Plan, upper: Points, lower: Points, rng: np.random.Generator) -> None:
    axis = plan.axis
    first, last = rng.uniform(0.10, 0.30), rng.uniform(0.70, 0.90)
    inside = (axis.t >= first) & (axis.t <= last)
    t = axis.t[inside]
    ends = np.sqrt(np.clip(1 - np.abs(2 * (t - first) / (last - first) - 1) ** 4, 0, 1))
    waves = 1 + 0.25 * np.sin(t * rng.uniform(14, 30) + rng.uniform(0, 6))
    half = rng.uniform(0.20, 0.38) * (upper + lower)[inside] / 2 * ends * waves
    middle = axis.points[inside] + axis.normals[inside] * ((upper - lower)[inside] / 2)[:, None]
    side = half[:, None] * axis.normals[inside]
    plan.gut = np.concatenate([middle + side, (middle - side)[::-1]])


def _eyes(plan: Plan) -> None:
    number = plan.traits.ocelli_per_side
    if number == 0:
        return
    forward, side = plan.head_forward, across(plan.head_forward)
    radius = plan.head_length * (0.075 + 0.008 * number)
    ocellus = plan.head_length * 0.034
    layout = _FEW_OCELLI if number <= len(_FEW_OCELLI) else _OCELLI
    for sign in (-1.0,) if plan.lateral else (-1.0, 1.0):
        out = sign * side
        offset = 0.20 if plan.lateral else 0.34
        centre = plan.head_centre + 0.16 * plan.head_length * forward + offset * plan.head_width * out
        plan.eyes.append((centre, radius))
        places = layout[:number] * 0.70 * radius
        plan.ocelli += [(centre + a * forward + b * out, ocellus) for a, b in places]


def _mouthparts(plan: Plan, rng: np.random.Generator) -> None:
    forward, side = plan.head_forward, across(plan.head_forward)
    for sign in (-1.0, 1.0):
        tip = plan.head_centre + plan.head_length * (0.42 * forward + sign * 0.03 * side)
        root = plan.head_centre + plan.head_length * (0.10 * forward + sign * 0.13 * side)
        plan.mouthparts.append(np.stack([tip, root + rng.normal(0, 0.01, 2) * plan.head_length]))


def _hairs(plan: Plan, pixels_per_um: float, upper: Points, lower: Points, rng: np.random.Generator) -> None:
    longest = plan.traits.longest_hair_um * pixels_per_um
    axis = plan.axis
    for outline, sign in ((upper, 1.0), (lower, -1.0)):
        for place in rng.uniform(0.02, 1.0, 26):
            # The longest hairs stand on the last segments.
            size = longest * (0.22 + 0.78 * place**3) * rng.uniform(0.5, 1.0)
            step = round(place * (len(axis.points) - 1))
            normal = sign * axis.normals[step]
            root = axis.points[step] + 0.96 * outline[step] * normal
            way = turn(normal, -sign * rng.normal(0.55, 0.25))
            plan.hairs.append(np.stack([root, root + size * way]))
    edge = plan.head[rng.integers(0, len(plan.head), 12)]
    away = (edge - plan.head_centre) / np.linalg.norm(edge - plan.head_centre, axis=1)[:, None]
    plan.hairs += list(np.stack([edge, edge + 0.25 * longest * away], axis=1))
