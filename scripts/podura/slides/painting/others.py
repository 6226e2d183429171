"""Paint other animals of the soil that come onto slides and are no springtails of interest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from podura.slides.painting.fine_others import paint_fine_other
from podura.slides.painting.patches import Canvas, Patch, absorbance, blur, depth, rim, tinted
from podura.slides.painting.preparation import FINE_UM, Preparation
from podura.slides.painting.shapes import Points, bent_axis, blob, capsule, ellipse, turn

_CUTICLE = (0.92, 0.98, 1.08)
_FORWARD = np.array([-1.0, 0.0])


def paint_other_animal(
    pixels_per_mm: float, preparation: Preparation, rng: np.random.Generator, step: int
) -> Patch:
    """Paint a mite, a worm, an insect's larva or a globular springtail, in any direction."""
    kinds: tuple[Callable[..., Patch], ...] = (_mite, _mite, _worm, _larva, _globular_springtail)
    kind = kinds[rng.integers(len(kinds))]
    return kind(pixels_per_mm, preparation, rng, step)


def _compose(
    body: list[Points],
    limbs: list[Points],
    *,
    lines: list[Points],
    discs: list[tuple[Points, float]],
    colour: tuple[float, float, float],
    strength: float,
    pixels_per_mm: float,
    preparation: Preparation,
    rng: np.random.Generator,
    step: int,
) -> Patch:
    """Turn the outlines and paint them: a rounded body, limbs, lines on it, dark discs."""
    angle = rng.uniform(0, 2 * np.pi)
    body, limbs, lines = ([turn(points, angle) for points in part] for part in (body, limbs, lines))
    discs = [(turn(centre, angle), radius) for centre, radius in discs]
    um = pixels_per_mm / 1000
    if step == 1 and um >= 1 / FINE_UM:
        return paint_fine_other(
            body,
            limbs,
            lines=lines,
            discs=discs,
            colour=colour,
            strength=strength,
            um=um,
            preparation=preparation,
            rng=rng,
        )
    line = max(7 * um, 0.9)
    canvas = Canvas(np.concatenate([*body, *limbs]), margin=12 * um + 4, step=step)
    trunk, appendages = canvas.fill(body), canvas.fill(limbs)
    thick, distance = depth(trunk)
    limb_thick, limb_distance = depth(appendages)
    edges = rim(trunk, distance, line) + 0.8 * rim(appendages, limb_distance, 0.75 * line)
    marks = canvas.lines(lines, line) * np.maximum(trunk, appendages)
    mottle = np.clip(1 + 0.12 * canvas.noise(rng, 40 * um), 0.4, 1.6)
    density = tinted(preparation.contrast * (0.5 * edges + 0.3 * marks), _CUTICLE)
    pigment = absorbance(colour) * np.float32(strength)
    density += tinted((0.75 * thick + 0.25) * trunk * mottle + 0.45 * limb_thick * appendages, pigment)
    tissue = np.asarray((0.08, 0.09, 0.12), np.float32) + np.asarray(preparation.stain, np.float32)
    density += tinted(thick * trunk + 0.5 * limb_thick * appendages, tissue)
    density += tinted(canvas.discs(discs) * trunk, (1.8, 1.75, 1.6))
    sigma = um * preparation.blur_um * rng.lognormal(0, 0.25)
    return Patch(blur(density, sigma), np.maximum(trunk, appendages) > 0.35)


def _mite(pixels_per_mm: float, preparation: Preparation, rng: np.random.Generator, step: int) -> Patch:
    """An oval body on eight legs: dark and hard (Oribatida) or amber (Mesostigmata)."""
    oribatid = rng.random() < 0.55
    length = rng.uniform(0.35, 0.8) * pixels_per_mm
    width = length * rng.uniform(0.55, 0.72)
    zero = np.zeros(2)
    body = [ellipse(zero, length, width, _FORWARD, rng.uniform(0.05, 0.25))]
    if oribatid:
        snout = _FORWARD * length * 0.45
        body.append(ellipse(snout, 0.42 * length, 0.5 * width, _FORWARD, 0.35))
    reach = length * rng.uniform(0.35, 0.6)
    thick = length * 0.07
    limbs: list[Points] = []
    for sign in (-1.0, 1.0):
        for degrees in (28, 62, 108, 142):
            angle = np.deg2rad(degrees + rng.normal(0, 7))
            out = turn(_FORWARD, sign * angle)
            base = out * np.array([length, width]) * 0.36
            knee = base + 0.55 * reach * out
            way = turn(out, -sign * rng.normal(0.5, 0.25) * np.sign(90 - degrees))
            limbs.append(capsule(base, knee, thick, 0.85 * thick))
            limbs.append(capsule(knee, knee + 0.6 * reach * way, 0.8 * thick, 0.25 * thick))
        palp = 0.5 * length * _FORWARD + sign * np.array([0, 0.06]) * length
        limbs.append(capsule(palp, palp + 0.14 * length * _FORWARD, 0.7 * thick, 0.4 * thick))
    arc = np.linspace(-1, 1, 13)
    shield = np.stack([-0.16 * length + 0.08 * length * arc**2, 0.4 * width * arc], axis=1)
    colours = ((0.42, 0.22, 0.10), (0.62, 0.36, 0.16)) if oribatid else ((0.80, 0.62, 0.36),) * 2
    return _compose(
        body,
        limbs,
        lines=[shield],
        discs=[],
        colour=colours[rng.integers(2)],
        strength=rng.uniform(0.6, 1.2),
        pixels_per_mm=pixels_per_mm,
        preparation=preparation,
        rng=rng,
        step=step,
    )


def _worm(pixels_per_mm: float, preparation: Preparation, rng: np.random.Generator, step: int) -> Patch:
    """A nematode, thin and glassy, or a piece of an enchytraeid, ringed and thicker."""
    nematode = rng.random() < 0.5
    length = rng.uniform(0.7, 1.6) * pixels_per_mm * (1.0 if nematode else 1.4)
    width = length * (0.03 if nematode else 0.055)
    axis = bent_axis(length, rng.normal(0, 1.4), rng.normal(0, 0.9))
    t = axis.t
    ends = np.clip(1 - np.abs(2 * t - 1) ** (3 if nematode else 8), 0, 1) ** 0.6
    side = (width / 2 * (0.08 + 0.92 * ends))[:, None] * axis.normals
    lines = [axis.points[8:-8] + 0.3 * side[8:-8]]
    if not nematode:
        rings = range(6, len(t) - 4, 5)
        lines = [np.stack([axis.points[i] - side[i], axis.points[i] + side[i]]) for i in rings]
    gut = [capsule(axis.points[i], axis.points[i + 3], 0.45 * width, 0.45 * width) for i in range(20, 100, 3)]
    return _compose(
        [np.concatenate([axis.points + side, (axis.points - side)[::-1]])],
        [] if nematode else gut,
        lines=lines,
        discs=[],
        colour=(0.86, 0.80, 0.66),
        strength=rng.uniform(0.5, 1.4),
        pixels_per_mm=pixels_per_mm,
        preparation=preparation,
        rng=rng,
        step=step,
    )


def _larva(pixels_per_mm: float, preparation: Preparation, rng: np.random.Generator, step: int) -> Patch:
    """A legless larva of a fly: a brown head capsule and twelve pale rings."""
    length = rng.uniform(1.0, 1.9) * pixels_per_mm
    width = length * rng.uniform(0.11, 0.16)
    axis = bent_axis(length, rng.normal(0, 0.9), rng.normal(0, 0.25))
    t = axis.t
    rings = np.abs(np.sin(np.pi * 12 * t)) ** 0.35
    shape = np.clip(1 - np.abs(2 * t - 1) ** 5, 0, 1) ** 0.5
    side = (width / 2 * shape * (0.86 + 0.14 * rings))[:, None] * axis.normals
    steps = np.linspace(0, len(t) - 1, 13).astype(int)[1:-1]
    lines = [np.stack([axis.points[i] - side[i], axis.points[i] + side[i]]) for i in steps]
    head = ellipse(axis.points[3], 0.09 * length, 0.62 * width, -axis.tangents[0], 0.2)
    jaws = [(axis.points[1] + sign * 0.1 * width * axis.normals[0], 0.07 * width) for sign in (-1, 1)]
    return _compose(
        [np.concatenate([axis.points + side, (axis.points - side)[::-1]])],
        [head, ellipse(axis.points[3], 0.07 * length, 0.5 * width, -axis.tangents[0], 0.2)],
        lines=lines,
        discs=jaws,
        colour=(0.80, 0.66, 0.45),
        strength=rng.uniform(0.4, 1.0),
        pixels_per_mm=pixels_per_mm,
        preparation=preparation,
        rng=rng,
        step=step,
    )


def _globular_springtail(
    pixels_per_mm: float, preparation: Preparation, rng: np.random.Generator, step: int
) -> Patch:
    """A springtail of the order Symphypleona: a globe, a head bent down, elbowed antennae."""
    length = rng.uniform(0.4, 0.9) * pixels_per_mm
    abdomen = blob(rng, 0.36 * length, 0.04, 40) * np.array([1.0, 0.9]) + [0.16 * length, 0.0]
    forward = turn(_FORWARD, rng.uniform(0.3, 0.7))
    centre = np.array([-0.30 * length, -0.08 * length])
    head = ellipse(centre, 0.34 * length, 0.27 * length, forward, 0.1)
    thick = 0.055 * length
    limbs: list[Points] = []
    for number in range(3):
        base = np.array([(-0.12 + 0.1 * number) * length, -0.22 * length])
        knee = base + turn(np.array([0.0, -0.20 * length]), rng.normal(0, 0.35))
        limbs.append(capsule(base, knee, 1.2 * thick, thick))
        foot = knee + turn(np.array([0.0, -0.22 * length]), rng.normal(0.2, 0.4))
        limbs.append(capsule(knee, foot, thick, 0.3 * thick))
    for tilt in (-0.5, -0.9):
        brow = centre + 0.14 * length * forward
        elbow = brow + 0.20 * length * turn(forward, tilt)
        tip = elbow + 0.32 * length * turn(forward, tilt + rng.uniform(0.6, 1.2))
        limbs += [capsule(brow, elbow, 0.8 * thick, 0.7 * thick)]
        limbs += [capsule(elbow, tip, 0.7 * thick, 0.25 * thick)]
    tail = np.array([0.36 * length, -0.22 * length])
    fork = tail + turn(np.array([0.25 * length, 0.0]), rng.uniform(-1.2, 0.2))
    limbs.append(capsule(tail, fork, thick, 0.5 * thick))
    colours = ((0.86, 0.74, 0.40), (0.42, 0.34, 0.50), (0.62, 0.44, 0.30))
    return _compose(
        [abdomen, head],
        limbs,
        lines=[],
        discs=[(centre + np.array([0.0, 0.06 * length]), 0.05 * length)],
        colour=colours[rng.integers(3)],
        strength=rng.uniform(0.4, 1.0),
        pixels_per_mm=pixels_per_mm,
        preparation=preparation,
        rng=rng,
        step=step,
    )
