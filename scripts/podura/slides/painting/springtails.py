"""Paint one springtail as it looks cleared and mounted in brightfield."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podura.slides.painting.anatomy import plan_springtail
from podura.slides.painting.fine import paint_fine
from podura.slides.painting.patches import (
    Canvas,
    Layer,
    Patch,
    absorbance,
    blur,
    depth,
    rim,
    tinted,
)
from podura.slides.painting.plan import Plan
from podura.slides.painting.preparation import FINE_UM, Preparation
from podura.slides.painting.shapes import Axis, Points, turn
from podura.slides.painting.traits import SpeciesTraits

#: Density of unpigmented tissue and cuticle: slightly yellow, as in cleared animals.
_TISSUE = (0.13, 0.15, 0.20)
_CUTICLE = (0.92, 0.98, 1.08)
_EYE = (2.3, 2.2, 2.0)
_GUT = (0.55, 0.75, 1.05)


def draw_length_mm(traits: SpeciesTraits, rng: np.random.Generator) -> float:
    """Body length of one animal: most are grown, some are young."""
    share = rng.beta(2.0, 1.3)
    return float(traits.length_mm_min + share * (traits.length_mm_max - traits.length_mm_min))


def paint_springtail(
    traits: SpeciesTraits,
    length_mm: float,
    pixels_per_mm: float,
    preparation: Preparation,
    rng: np.random.Generator,
    step: int,
) -> Patch:
    """Paint one animal in any direction; the patch's sides are multiples of ``step`` pixels.

    The mask holds body, antennae, legs, furca and anal spines, but no hairs and no blur.
    """
    plan = plan_springtail(traits, length_mm, pixels_per_mm, rng)
    _turn_plan(plan, rng.uniform(0, 2 * np.pi), bool(rng.random() < 0.5))
    um = pixels_per_mm / 1000
    if step == 1 and um >= 1 / FINE_UM:
        return paint_fine(plan, length_mm, um, preparation, rng)
    canvas = Canvas(plan.points(), margin=12 * um + 4, step=step)
    line = max(7 * um, 0.9)

    limbs = canvas.fill(plan.limbs)
    head = canvas.fill([plan.head])
    trunk = canvas.fill([plan.trunk])
    body = np.maximum(head, trunk)
    trunk_depth, trunk_distance = depth(trunk)
    head_depth, head_distance = depth(head)
    limb_depth, limb_distance = depth(limbs)
    body_depth = np.maximum(trunk * trunk_depth, 0.9 * head * head_depth)

    edges = rim(trunk, trunk_distance, line) + rim(head, head_distance, line)
    edges += 0.85 * rim(limbs, limb_distance, 0.75 * line)
    edges += 0.55 * canvas.lines(plan.joints, 0.8 * line) * limbs
    sutures = canvas.lines(plan.sutures, line)
    hairs = canvas.lines(plan.hairs, 0.45 * line)
    mouth = canvas.lines(plan.mouthparts, 2.2 * line) * head
    scalar = preparation.contrast * (0.60 * edges + 0.40 * sutures * trunk) + 0.30 * hairs
    density = tinted(scalar, _CUTICLE)
    tissue = np.asarray(_TISSUE, np.float32) + np.asarray(preparation.stain, np.float32)
    density += tinted(body_depth + 0.22 * body + 0.55 * limbs * limb_depth, tissue)
    density += tinted(mouth, (0.30, 0.42, 0.60))
    density += _pigment(plan, canvas, body_depth, limbs * limb_depth, preparation, length_mm, rng)
    if plan.gut is not None:
        fill = rng.beta(1.2, 2.2)
        gut = blur(canvas.fill([plan.gut]), 2.5 * line) * trunk
        grain = np.clip(1 + 0.35 * canvas.noise(rng, 3 * line), 0.2, 2)
        density += tinted(0.75 * fill * gut * grain, _GUT)
    if plan.eyes:
        density += tinted(0.50 * blur(canvas.discs(plan.eyes), 0.8 * line) * body, _EYE)
        density += tinted(0.75 * canvas.discs(plan.ocelli) * body, _EYE)
    # The bright line of refraction around a body that breaks light more than its medium.
    mask = np.maximum(body, limbs)
    halo = np.clip(blur(mask, 2.0 * line) - mask, 0, None)
    density -= tinted(0.16 * preparation.contrast * halo, (1, 1, 1))
    sigma = um * preparation.blur_um * rng.lognormal(0, 0.25)
    return Patch(blur(density, sigma), mask > 0.35)


def _pigment(
    plan: Plan,
    canvas: Canvas,
    body_depth: Layer,
    limbs: Layer,
    preparation: Preparation,
    length_mm: float,
    rng: np.random.Generator,
) -> Layer:
    traits = plan.traits
    low, high = traits.pigment_min, traits.pigment_max
    grown = (length_mm - traits.length_mm_min) / max(traits.length_mm_max - traits.length_mm_min, 1e-6)
    # Animals darken as they grow, but age is not all of it.
    share = float(np.clip(0.65 * grown + 0.35 * rng.random() + rng.normal(0, 0.08), 0, 1))
    strength = (low + share * (high - low)) * preparation.clearing
    if strength <= 0:
        return np.zeros((*canvas.shape, 3), np.float32)
    line = plan.width * 0.03
    tergites = np.zeros(canvas.shape, np.float32)
    for tergite in plan.tergites:
        middle = tergite.mean(axis=0)
        plate = canvas.fill([middle + 0.93 * (tergite - middle)])
        tergites = np.maximum(tergites, plate * np.float32(rng.normal(1.0, 0.05)))
    head = canvas.fill([plan.head])
    tergites = np.maximum(blur(tergites, line), 0.95 * head)
    amount = (0.25 * body_depth + 0.75 * np.sqrt(body_depth)) * (0.35 + 0.65 * tergites)
    amount = _patterned(plan, canvas, amount, rng)
    # The roots of the limbs are hidden under the pigment of the body.
    amount = amount + 0.38 * limbs * (1 - 0.8 * np.sqrt(body_depth))
    colour = absorbance(traits.pigment_colour)
    if traits.cover == "scales":
        return strength * _scales(canvas, amount, colour, plan.width, rng)
    return strength * tinted(amount, colour)


def _patterned(plan: Plan, canvas: Canvas, amount: Layer, rng: np.random.Generator) -> Layer:
    width = plan.width
    if plan.traits.pigment_pattern == "mottled":
        # Pale round spots where muscles are attached, in a dark net.
        spots = np.clip(canvas.noise(rng, 0.07 * width) - 0.45, 0, 1.2)
        clouds = 1 + 0.10 * canvas.noise(rng, 0.5 * width)
        return amount * np.clip(clouds - 0.30 * spots, 0.15, 1.6)
    if plan.traits.pigment_pattern == "dotted":
        dots = np.clip(canvas.noise(rng, 0.07 * width), -0.6, 1.4)
        return amount * np.clip(0.95 + 0.42 * dots, 0.1, 1.8)
    if plan.traits.pigment_pattern == "patches":
        # Pale, with pigment at the brow, at the roots of the legs and on the antennae.
        brow = plan.head_centre + 0.30 * plan.head_length * plan.head_forward
        discs = [(brow, 0.24 * plan.head_length)]
        discs += [(centre, 1.1 * radius) for centre, radius in plan.coxae]
        return 0.12 * amount + 1.1 * blur(canvas.discs(discs), 0.05 * width) * (amount > 0.05)
    return amount * np.clip(1 + 0.07 * canvas.noise(rng, 0.4 * width), 0.5, 1.5)


def _scales(canvas: Canvas, amount: Layer, colour: Layer, width: float, rng: np.random.Generator) -> Layer:
    """Pigment under scales that shimmer: their colour wanders between violet and steel blue."""
    hue = np.clip(canvas.noise(rng, 0.45 * width), -1.5, 1.5)[:, :, None]
    shimmer = np.asarray((0.09, 0.02, -0.10), np.float32) * hue
    fine = 1 + 0.16 * canvas.noise(rng, max(0.045 * width, 1.5))
    return tinted(amount * fine, colour) * (1 + shimmer)


def _turn_plan(plan: Plan, angle: float, mirrored: bool) -> None:
    """Turn, and perhaps mirror, every outline of the plan."""

    def moved(points: Points) -> Points:
        flipped = points * np.array([1.0, -1.0]) if mirrored else points
        return turn(flipped, angle)

    plan.axis = Axis(moved(plan.axis.points), moved(plan.axis.tangents))
    if mirrored:
        # The upper side lies along the normals, which mirroring turns to the other side.
        plan.upper, plan.lower = plan.lower, plan.upper
    plan.pieces = [replace(piece, line=moved(piece.line)) for piece in plan.pieces]
    plan.head_centre, plan.head_forward = moved(plan.head_centre), moved(plan.head_forward)
    plan.trunk, plan.head = moved(plan.trunk), moved(plan.head)
    if plan.gut is not None:
        plan.gut = moved(plan.gut)
    for name in ("tergites", "sutures", "limbs", "joints", "mouthparts", "hairs", "spines"):
        setattr(plan, name, [moved(points) for points in getattr(plan, name)])
    for name in ("eyes", "ocelli", "coxae"):
        setattr(plan, name, [(moved(centre), radius) for centre, radius in getattr(plan, name)])
