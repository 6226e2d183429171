"""Where the animals of one image lie: apart, cut by the edge, touching, on top of each other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from podura.slides.painting.layers import DensityMap
from podura.slides.painting.others import paint_other_animal
from podura.slides.painting.patches import Mask, Patch, shrink
from podura.slides.painting.preparation import FINE_UM, Preparation
from podura.slides.painting.settings import PaintSettings
from podura.slides.painting.springtails import draw_length_mm, paint_springtail
from podura.slides.painting.traits import SpeciesTraits

#: An animal of which less than this share lies in the image is not painted.
LEAST_INSIDE = 0.4
#: Share of the smaller of two animals that the other may cover where they overlap.
MOST_COVERED = 0.35
_ATTEMPTS = 40

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Placed:
    """An animal that lies in the image: its box, and its mask with the place of its corner."""

    box: Box
    mask: Mask
    left: int
    top: int


class Scene:
    """The density of an image under way, and what lies where."""

    def __init__(self, settings: PaintSettings, preparation: Preparation, rng: np.random.Generator) -> None:
        self.settings = settings
        self.preparation = preparation
        self.rng = rng
        self.density = DensityMap(settings.height, settings.width)
        self.specimens: list[tuple[str, Box]] = []
        self.others: list[Box] = []
        self.placed: list[Placed] = []
        self.touching: set[int] = set()
        # Twice the resolution keeps thin legs smooth; fine pixels need no such help.
        self.factor = 2 if settings.um_per_pixel > FINE_UM else 1
        self.pixels_per_mm = self.factor * 1000 / settings.um_per_pixel

    def add_specimen(self, traits: SpeciesTraits) -> None:
        """Paint an animal of a species of the study; none where the image is full."""
        patch = paint_springtail(
            traits,
            draw_length_mm(traits, self.rng),
            self.pixels_per_mm,
            self.preparation,
            self.rng,
            self.factor,
        )
        box = self._put(patch)
        if box is not None:
            self.specimens.append((traits.code, box))

    def add_other_animal(self) -> None:
        """Paint an animal of no species of the study; none where the image is full."""
        box = self._put(paint_other_animal(self.pixels_per_mm, self.preparation, self.rng, self.factor))
        if box is not None:
            self.others.append(box)

    def _put(self, patch: Patch) -> Box | None:
        density = shrink(patch.density, self.factor)
        place = self._touching_place(patch.mask) if self._shall_touch() else None
        if place is None:
            place = self._free_place(patch.mask, density.shape[1], density.shape[0])
        if place is None:
            return None
        left, top, box = place
        self.density.add(density, left, top)
        self._remember(Placed(box, self._at_image_scale(patch.mask), left, top))
        return box

    def _free_place(self, mask: Mask, width: int, height: int) -> tuple[int, int, Box] | None:
        """A place mostly apart from the others; None if the image is full."""
        # A few animals are cut by the edge of the image, a few touch each other.
        overhang = 0.45 if self.rng.random() < 0.12 else 0.0
        crowding = 0.25 if self.rng.random() < 0.15 else 0.04
        for _ in range(_ATTEMPTS):
            left = self._place(self.settings.width, width, overhang)
            top = self._place(self.settings.height, height, overhang)
            box = self._box(mask, left, top)
            if box is not None and all(overlap(box, other.box) <= crowding for other in self.placed):
                return left, top, box
        return None

    def _place(self, room: int, size: int, overhang: float) -> int:
        low, high = -overhang * size, room - size + overhang * size
        return int(np.floor(self.rng.uniform(min(low, high), max(low, high) + 1)))

    def _shall_touch(self) -> bool:
        """Whether the next animal is laid onto another, so that the asked share is met on average."""
        if self.settings.touching == 0 or not self.placed:
            return False
        missing = self.settings.touching * (len(self.placed) + 1) - len(self.touching)
        # An animal that is laid onto one that lay alone makes two that touch.
        return bool(self.rng.random() < missing / 2)

    def _touching_place(self, mask: Mask) -> tuple[int, int, Box] | None:
        """A place at which the animal touches another or covers a part of it; None if there is none."""
        small = self._at_image_scale(mask)
        alone = [n for n in range(len(self.placed)) if n not in self.touching]
        for _ in range(_ATTEMPTS // 4):
            targets = alone or range(len(self.placed))
            target = self.placed[targets[int(self.rng.integers(len(targets)))]]
            wanted = self.rng.uniform(0, 0.7 * MOST_COVERED) * (self.rng.random() < 0.6)
            found = self._slid_onto(small, target, self.rng.uniform(0, 2 * np.pi), wanted)
            if found is None:
                continue
            box = self._box(mask, *found)
            others = (one for one in self.placed if one is not target)
            if box is not None and all(covered(small, *found, one) <= MOST_COVERED for one in others):
                return (*found, box)
        return None

    def _slid_onto(self, mask: Mask, target: Placed, angle: float, wanted: float) -> tuple[int, int] | None:
        """Move a mask towards a target from one side until it covers the wanted share of it."""
        way = np.array([np.cos(angle), np.sin(angle)])
        centre = np.array(target.mask.shape[::-1]) / 2 + (target.left, target.top)
        half = np.array(mask.shape[::-1]) / 2
        reach = float(np.hypot(*mask.shape) + np.hypot(*target.mask.shape)) / 2
        found = None
        # A pixel more than touching, so that the contact survives the blur of the picture.
        step = max(reach / 200, 1.0)
        for distance in np.arange(reach, 0, -step):
            left, top = (int(v) for v in np.round(centre + distance * way - half))
            share = covered(mask, left, top, target)
            if share > MOST_COVERED:
                return found
            if share > 0:
                found = (left, top)
                if share >= wanted:
                    return found
        return found

    def _remember(self, new: Placed) -> None:
        if self.settings.touching > 0:
            for number, other in enumerate(self.placed):
                if covered(new.mask, new.left, new.top, other) > 0:
                    self.touching |= {number, len(self.placed)}
        self.placed.append(new)

    def _at_image_scale(self, mask: Mask) -> Mask:
        if self.factor == 1:
            return mask
        size = (mask.shape[1] // self.factor, mask.shape[0] // self.factor)
        small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small) > 127

    def _box(self, mask: Mask, left: int, top: int) -> Box | None:
        """Box of the part of the mask that lies in the image; None if too little of it does."""
        factor = self.factor
        x_start, y_start = max(0, -left) * factor, max(0, -top) * factor
        x_stop = max(0, self.settings.width - left) * factor
        y_stop = max(0, self.settings.height - top) * factor
        inside = mask[y_start:y_stop, x_start:x_stop]
        if np.count_nonzero(inside) < LEAST_INSIDE * np.count_nonzero(mask):
            return None
        columns = np.flatnonzero(inside.any(axis=0)) + x_start
        rows = np.flatnonzero(inside.any(axis=1)) + y_start
        return (
            left + float(columns[0]) / factor,
            top + float(rows[0]) / factor,
            left + float(columns[-1] + 1) / factor,
            top + float(rows[-1] + 1) / factor,
        )


def covered(mask: Mask, left: int, top: int, other: Placed) -> float:
    """Pixels that two masks share, as a share of the smaller one."""
    x_min, y_min = max(left, other.left), max(top, other.top)
    x_max = min(left + mask.shape[1], other.left + other.mask.shape[1])
    y_max = min(top + mask.shape[0], other.top + other.mask.shape[0])
    if x_min >= x_max or y_min >= y_max:
        return 0.0
    first = mask[y_min - top : y_max - top, x_min - left : x_max - left]
    second = other.mask[y_min - other.top : y_max - other.top, x_min - other.left : x_max - other.left]
    smaller = min(np.count_nonzero(mask), np.count_nonzero(other.mask))
    return float(np.count_nonzero(first & second) / max(float(smaller), 1.0))


def overlap(first: Box, second: Box) -> float:
    """Area that two boxes share, as a share of the smaller one."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / min(areas)
