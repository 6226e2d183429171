"""Paint one springtail at high magnification, as it looks cleared and mounted in brightfield."""

from __future__ import annotations

import numpy as np

from podura.slides.painting.fine_body import body_hairs, body_pigment, gut_content, head_parts, segmentation
from podura.slides.painting.fine_limbs import fine_limbs
from podura.slides.painting.patches import Canvas, Layer, Patch, blur, depth, rim, tinted
from podura.slides.painting.plan import Plan
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.texture import BodyFrame, Warp, hair_layer

_TISSUE = (0.13, 0.15, 0.20)
_CUTICLE = (0.90, 0.98, 1.12)
_HARD = (0.42, 0.48, 0.58)
#: An objective that shows 2 µm a pixel has a larger aperture: it is sharper than the slide's blur says.
_SHARPER = 0.28
#: Blur in µm beyond which nobody would have kept the image.
_MOST_BLUR_UM = 4.0


def paint_fine(
    plan: Plan, length_mm: float, um: float, preparation: Preparation, rng: np.random.Generator
) -> Patch:
    """Paint a plan that has been turned; ``um`` is the number of pixels of a µm, at least a quarter.

    The mask holds body, antennae, legs, furca, claws and anal spines, but no hairs and no blur.
    """
    canvas = Canvas(plan.points(), margin=plan.traits.longest_hair_um * um + 14 * um + 4, step=1)
    frame = BodyFrame(canvas, plan.axis, plan.upper, plan.lower)
    limbs = fine_limbs(plan, um, rng)
    trunk, head = (_rounded(canvas.fill([part]), 3 * um) for part in (plan.trunk, plan.head))
    pair, hard = [canvas.fill(side) for side in (limbs.near, limbs.far)], canvas.fill(limbs.hard)
    soft = np.maximum(*pair)
    body = np.maximum(trunk, head)
    trunk_depth, trunk_distance = depth(trunk)
    head_depth, head_distance = depth(head)
    limb_flesh, limb_edges = (
        sum(layers) for layers in zip(*(_limbs(side, um) for side in pair), strict=True)
    )
    trunk_depth, head_depth = blur(trunk_depth, 4 * um), blur(head_depth, 4 * um)
    parts = segmentation(frame, plan, um, rng)
    body_depth = np.maximum(trunk * trunk_depth * parts.bulge, 0.92 * head * head_depth)

    # Cuticle: a thin dark line where it is seen edge on, and its shade inwards, nowhere quite even.
    uneven = np.clip(1 + 0.30 * canvas.noise(rng, 30 * um) + 0.15 * canvas.noise(rng, 8 * um), 0.25, 1.7)
    edges = thin_edge(trunk, trunk_distance, um) + thin_edge(head, head_distance, um)
    limb_edges = limb_edges * (1 - 0.60 * body * np.sqrt(body_depth))
    lines = 0.50 * parts.sutures * trunk + 0.22 * blur(canvas.lines(limbs.rings, 1.2 * um), 0.7 * um) * soft
    density = tinted(preparation.contrast * uneven * (0.60 * edges + 0.72 * limb_edges + lines), _CUTICLE)
    tissue = np.asarray(_TISSUE, np.float32) + np.asarray(preparation.stain, np.float32)
    flesh = body_depth + 0.15 * body + 0.80 * limb_flesh
    flesh = flesh * _inner_structure(canvas, frame, um, rng)
    cores = blur(canvas.lines(limbs.cores, 5 * um), 3 * um) * soft * (1 - 0.7 * body)
    density += tinted(flesh + 0.55 * cores, tissue)
    granules = canvas.noise(rng, max(3.2 * um, 1.1))
    grain = 0.05 if plan.traits.body_form == "Poduromorpha" else 0.022
    density += tinted(grain * granules * (body * np.sqrt(body_depth) + 0.5 * limb_flesh), _CUTICLE)
    density += body_pigment(
        plan, canvas, frame, body_depth, head, limb_flesh, parts, preparation, length_mm, um, rng
    )
    density += gut_content(plan, canvas, trunk, um, rng)
    density += tinted(0.32 * blur(hard, 0.5 * um) + 0.80 * thin_edge(hard, depth(hard)[1], 0.5 * um), _HARD)
    density += head_parts(plan, canvas, head, um, rng)
    hairs = hair_layer(canvas, limbs.hairs, 1.5 * um)
    short, long = body_hairs(plan, um, rng)
    hairs = np.maximum(hairs, hair_layer(canvas, short, 1.4 * um))
    hairs = np.maximum(hairs, hair_layer(canvas, long, 2.4 * um))
    density += tinted(0.42 * hairs, _CUTICLE)

    mask = np.maximum(np.maximum(body, soft), hard)
    # Becke's line: bright around what breaks light more than its medium.
    near = np.clip(blur(mask, 4 * um) - mask, 0, None)
    far = np.clip(blur(mask, 11 * um) - mask, 0, None)
    density -= tinted(preparation.contrast * (0.16 * near + 0.06 * far), (1.0, 1.0, 1.0))
    warp = Warp(rng, canvas.shape, plan.width)
    density, mask = warp(density), warp(mask)
    return Patch(focused(density, canvas, um, preparation, rng), mask > 0.35)


def _limbs(coverage: Layer, um: float) -> tuple[Layer, Layer]:
    """Thickness of limbs, and their cuticle seen edge on."""
    thick, distance = depth(coverage)
    return coverage * blur(thick, 1.5 * um), thin_edge(coverage, distance, 0.8 * um)


def _rounded(coverage: Layer, sigma: float) -> Layer:
    """The same shape with its corners rounded."""
    return np.clip((blur(coverage, sigma) - 0.5) * max(2.0 * sigma, 1.0) + 0.5, 0, 1)


def thin_edge(coverage: Layer, distance: Layer, um: float) -> Layer:
    """Cuticle seen edge on: a thin dark line, and a shade that fades inwards."""
    return 0.95 * rim(coverage, distance, max(2.4 * um, 0.9)) + 0.30 * rim(coverage, distance, 10 * um)


def _inner_structure(canvas: Canvas, frame: BodyFrame, um: float, rng: np.random.Generator) -> Layer:
    """Muscles along the body, lobes of fat, and grains, seen through the cuticle."""
    muscles = frame.noise(rng, 160 * um, 7 * um)
    fat = canvas.noise(rng, 26 * um)
    fine = canvas.noise(rng, 6 * um)
    lobes = np.clip(fat, -0.4, 1.2)
    return np.clip(1 + 0.16 * muscles + 0.24 * lobes + 0.12 * fine, 0.3, 2.2)


def focused(
    density: Layer, canvas: Canvas, um: float, preparation: Preparation, rng: np.random.Generator
) -> Layer:
    """Blur that differs over the animal, since no mounted animal lies flat, and between colours."""
    sigma = um * min(_SHARPER * preparation.blur_um * rng.lognormal(0, 0.2), _MOST_BLUR_UM)
    sharp = blur(density, sigma)
    sharp[:, :, 2] = blur(sharp[:, :, 2], 0.6 * sigma)
    soft = blur(density, 2.2 * sigma + 1.2 * um)
    out_of_focus = np.clip(0.25 + 0.45 * canvas.noise(rng, 0.7 * max(canvas.shape)), 0, 1)[:, :, None]
    return sharp + (soft - sharp) * out_of_focus
