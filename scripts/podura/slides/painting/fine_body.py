"""Body and head at high magnification: segments, pigment, scales, gut, eyes, mouthparts and hairs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from podura.slides.painting.patches import Canvas, Layer, absorbance, blur, tinted
from podura.slides.painting.plan import Plan
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.shapes import Points, across, blob, turn
from podura.slides.painting.texture import BodyFrame, hair, horn

_EYE = (1.9, 1.8, 1.6)
_HARD = (0.42, 0.58, 0.85)
#: Density of what lies in a gut: humus, fungus, algae, pollen.
_FOODS = ((0.55, 0.75, 1.05), (0.75, 0.80, 0.85), (0.62, 0.55, 0.95), (0.45, 0.62, 1.00))


@dataclass(frozen=True)
class Segmentation:
    """Over the trunk: lines at the hind margins, pale membranes before them, how each tergite bulges."""

    sutures: Layer
    membranes: Layer
    bulge: Layer


def segmentation(frame: BodyFrame, plan: Plan, um: float, rng: np.random.Generator) -> Segmentation:
    """Hind margins bow backwards; between two tergites lies thin and unpigmented membrane."""
    bow = 0.07 * plan.width / frame.length * (1 - np.clip(frame.u, -1.2, 1.2) ** 2)
    wander = 1.6 * um / frame.length * frame.noise(rng, 60 * um, 12 * um)
    place = frame.t - bow + wander
    strength = np.clip(0.75 + 0.35 * frame.noise(rng, 40 * um, 25 * um) + 0.25 * frame.u**2, 0.2, 1.4)
    sutures = np.zeros_like(frame.t)
    membranes = np.zeros_like(frame.t)
    bulge = np.ones_like(frame.t)
    start = 0.0
    for bound in plan.boundaries:
        if bound <= start:
            continue
        inside = (place >= start) & (place < bound)
        share = np.clip((place - start) / (bound - start), 0, 1)
        bulge = np.where(inside, 0.80 + 0.20 * (4 * share * (1 - share)) ** 0.4, bulge)
        if bound < 0.999:
            away = (place - bound) * frame.length
            sutures += np.exp(-np.square(away / (2.4 * um))) * 1.15 * strength
            sutures += 0.30 * np.exp(-np.square((away + 5 * um) / (4 * um)))
            membranes += np.exp(-np.square((away - 7 * um) / (7.5 * um)))
        start = bound
    return Segmentation(sutures, np.clip(membranes, 0, 1), blur(bulge, 2 * um))


def body_pigment(
    plan: Plan,
    canvas: Canvas,
    frame: BodyFrame,
    body_depth: Layer,
    head: Layer,
    limbs: Layer,
    parts: Segmentation,
    preparation: Preparation,
    length_mm: float,
    um: float,
    rng: np.random.Generator,
) -> Layer:
    """Density of pigment, of shape (height, width, 3): granules in the pattern of the species."""
    traits = plan.traits
    grown = (length_mm - traits.length_mm_min) / max(traits.length_mm_max - traits.length_mm_min, 1e-6)
    # Animals darken as they grow, but age is not all of it.
    share = float(np.clip(0.65 * grown + 0.35 * rng.random() + rng.normal(0, 0.08), 0, 1))
    strength = traits.pigment_min + share * (traits.pigment_max - traits.pigment_min)
    strength *= preparation.clearing
    if strength <= 0:
        return np.zeros((*canvas.shape, 3), np.float32)
    plates = 1 - 0.50 * parts.membranes * (1 - head)
    amount = (0.25 * body_depth + 0.75 * np.sqrt(body_depth)) * plates
    amount = amount * _pattern(plan, canvas, frame, um, rng)
    coarse = 0.10 if traits.cover == "scales" else 0.24
    granules = 1 + coarse * (canvas.noise(rng, max(2.8 * um, 1.2)) + 0.7 * canvas.noise(rng, 7 * um))
    amount = (amount + 0.36 * limbs * (1 - 0.8 * np.sqrt(body_depth))) * np.clip(granules, 0.15, 2.2)
    colour = absorbance(traits.pigment_colour)
    if traits.cover != "scales":
        return np.float32(strength) * tinted(amount, colour)
    hue = np.clip(frame.noise(rng, 0.5 * plan.width, 0.5 * plan.width), -1.5, 1.5)[:, :, None]
    shimmer = np.asarray((0.09, 0.02, -0.10), np.float32) * hue
    scales = _scales(plan, canvas, um, rng) * (body_depth > 0.1)
    pigment = tinted(amount * (1 + 1.2 * scales), colour) * (1 + shimmer)
    return np.float32(strength) * pigment + tinted(0.22 * scales * np.sqrt(body_depth), (0.9, 0.95, 0.9))


def _pattern(plan: Plan, canvas: Canvas, frame: BodyFrame, um: float, rng: np.random.Generator) -> Layer:
    clouds = 1 + 0.10 * frame.noise(rng, 0.5 * plan.width, 0.4 * plan.width, symmetric=True)
    if plan.traits.pigment_pattern == "mottled":
        # Pale spots where muscles are attached, alike on both sides, in a net of dark granules.
        spots = 0.75 * frame.noise(rng, 11 * um, 13 * um, symmetric=True) + 0.6 * canvas.noise(rng, 10 * um)
        pale = np.clip(spots - 0.35, 0, 1.3)
        net = np.clip(0.35 - np.abs(frame.noise(rng, 15 * um, 15 * um)), 0, 0.35)
        return np.clip(clouds - 0.48 * pale + 0.5 * net, 0.12, 1.6)
    if plan.traits.pigment_pattern == "dotted":
        dots = 0.8 * canvas.noise(rng, 9 * um) + 0.5 * frame.noise(rng, 20 * um, 12 * um, symmetric=True)
        return np.clip(0.90 * clouds + 0.45 * np.clip(dots, -0.9, 1.5), 0.1, 1.9)
    if plan.traits.pigment_pattern == "patches":
        # Pale, with pigment at the brow and at the roots of the legs.
        brow = plan.head_centre + 0.30 * plan.head_length * plan.head_forward
        discs = [(brow, 0.24 * plan.head_length)]
        discs += [(centre, 1.1 * radius) for centre, radius in plan.coxae]
        patches = blur(canvas.discs(discs), 0.06 * plan.width)
        ragged = np.clip(1 + 0.5 * canvas.noise(rng, 12 * um), 0.1, 2)
        return 0.14 * clouds + 1.1 * patches * ragged
    return np.clip(clouds + 0.06 * canvas.noise(rng, 0.4 * plan.width), 0.4, 1.5)


def _scales(plan: Plan, canvas: Canvas, um: float, rng: np.random.Generator) -> Layer:
    """Edges (above 0) and faces (below) of scales that overlap like tiles, some of them rubbed off."""
    image = np.full(canvas.shape, 128, np.uint8)
    spacing = 19 * um
    axis = plan.axis
    length = float(np.linalg.norm(np.diff(axis.points, axis=0), axis=1).sum())
    for t in np.arange(0.99, 0.0, -spacing * 0.62 / length):
        point, tangent, normal = axis.frame(t)
        step = round(t * (len(axis.points) - 1))
        low, high = -plan.lower[step], plan.upper[step]
        angle = float(np.degrees(np.arctan2(tangent[1], tangent[0])))
        for aside in np.arange(low, high, spacing):
            if rng.random() < 0.18:
                continue
            place = point + (aside + rng.normal(0, 0.25 * spacing)) * normal
            place = canvas.place(place + rng.normal(0, 0.2 * spacing) * tangent)
            size = rng.uniform(0.8, 1.25) * spacing
            box = ((float(place[0]), float(place[1])), (1.5 * size, 0.95 * size), angle + rng.normal(0, 8))
            cv2.ellipse(image, box, int(rng.integers(96, 150)), -1, cv2.LINE_AA)
            cv2.ellipse(image, box, int(rng.integers(165, 225)), 1, cv2.LINE_AA)
    return blur((image.astype(np.float32) - 128) / 128, 0.6 * um)


def gut_content(plan: Plan, canvas: Canvas, trunk: Layer, um: float, rng: np.random.Generator) -> Layer:
    """Density of the gut's content: lumps of food in a tube that shows as a faint line."""
    if plan.gut is None:
        return np.zeros((*canvas.shape, 3), np.float32)
    tube = canvas.fill([plan.gut]) * trunk
    soft = blur(tube, 5 * um)
    wall = blur(np.abs(tube - blur(tube, 2.5 * um)), 1.5 * um)
    fill = rng.beta(1.2, 2.0)
    boluses = np.clip(0.6 + 0.7 * canvas.noise(rng, 70 * um), 0.05, 1.8)
    lumps = np.clip(0.8 + 0.45 * canvas.noise(rng, 13 * um) + 0.35 * canvas.noise(rng, 5 * um), 0.05, 2.5)
    food = _FOODS[int(rng.integers(len(_FOODS)))]
    return tinted(1.4 * fill * soft * boluses * lumps, food) + tinted(0.12 * wall, (1, 1, 1))


def head_parts(plan: Plan, canvas: Canvas, head: Layer, um: float, rng: np.random.Generator) -> Layer:
    """Density of eye patches with their ocelli, of mandibles and maxillae, and of the labrum's edge."""
    density = np.zeros((*canvas.shape, 3), np.float32)
    patches = [centre + blob(rng, 1.05 * radius, 0.16, 20) for centre, radius in plan.eyes]
    if patches:
        ragged = np.clip(1 + 0.25 * canvas.noise(rng, 5 * um), 0.3, 1.6)
        density += tinted(0.42 * blur(canvas.fill(patches), 2.5 * um) * ragged, _EYE)
        rounded = blur(canvas.discs(plan.ocelli), 0.8 * um)
        gleam = [(centre + 0.25 * radius, 0.33 * radius) for centre, radius in plan.ocelli]
        density += tinted(0.85 * rounded - 0.75 * blur(canvas.discs(gleam), 0.8 * um), _EYE)
    mouth: list[Points] = []
    for line in plan.mouthparts:
        way = line[0] - line[1]
        length = float(np.linalg.norm(way))
        way = way / length
        mouth.append(horn(line[1], way, length, 0.30 * length, 0.10))
        mouth.append(horn(line[1] + 0.16 * length * across(way), way, 0.9 * length, 0.12 * length, -0.12))
    cover = blur(canvas.fill(mouth), 2.2 * um)
    density += tinted(0.34 * cover * np.clip(1 + 0.3 * canvas.noise(rng, 6 * um), 0.3, 2), _HARD)
    forward, side = plan.head_forward, across(plan.head_forward)
    arc = np.linspace(-0.9, 0.9, 12)[:, None]
    labrum = plan.head_centre + plan.head_length * (
        0.34 * np.cos(arc) * forward + 0.15 * np.sin(1.6 * arc) * side
    )
    density += tinted(0.16 * blur(canvas.lines([labrum], 1.6 * um), 1.0 * um), (0.9, 1.0, 1.1))
    return density * np.maximum(head, 0.0)[:, :, None]


def body_hairs(plan: Plan, um: float, rng: np.random.Generator) -> tuple[list[Points], list[Points]]:
    """Short and long hairs of trunk and head, each standing in rows and pointing backwards."""
    traits, axis = plan.traits, plan.axis
    short: list[Points] = []
    long: list[Points] = []
    rows = 2 if traits.body_form == "Poduromorpha" else 4
    number = 9 if traits.body_form == "Poduromorpha" else 12
    if traits.cover == "scales":
        rows, number = 1, 8
    start = 0.0
    for bound in plan.boundaries:
        for row in range(rows if bound > start else 0):
            t = start + (bound - start) * (row + 0.6) / (rows + 0.2)
            for angle in np.linspace(-1.45, 1.45, number) + rng.normal(0, 0.10, number):
                place = float(np.clip(t + rng.normal(0, 0.006), 0, 1))
                point, tangent, normal = axis.frame(place)
                step = round(place * (len(axis.points) - 1))
                u = np.sin(angle)
                half = plan.upper[step] if u >= 0 else plan.lower[step]
                # What stands towards the viewer looks short.
                way = tangent + 0.9 * u * normal
                way = turn(way / np.linalg.norm(way), rng.normal(0, 0.15))
                seen = 0.45 + 0.55 * abs(u)
                bend = float(0.18 * np.sign(u) * -1)
                root = point + 0.98 * half * u * normal
                if rng.random() < (0.10 + 0.22 * place):
                    size = traits.longest_hair_um * (0.25 + 0.75 * place**2) * rng.uniform(0.6, 1.0)
                    long.append(hair(root, way, size * um * seen, bend))
                else:
                    short.append(hair(root, way, rng.uniform(9, 17) * um * seen, bend))
        start = max(start, bound)
    for _ in range(46):
        angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        aside = np.array([np.cos(angle), np.sin(angle)]) * far
        offset = 0.48 * plan.head_length * aside[0] * plan.head_forward
        offset = offset + 0.48 * plan.head_width * aside[1] * across(plan.head_forward)
        out = offset / max(float(np.linalg.norm(offset)), 1e-6)
        size = rng.uniform(8, 15) * um * (0.4 + 0.6 * far)
        short.append(hair(plan.head_centre + offset, turn(out, rng.normal(0, 0.3)), size, 0.15))
    return short, long
