"""How the animals of one slide were prepared, and from which magnification on they show detail."""

from __future__ import annotations

from dataclasses import dataclass

#: Up to this many µm a pixel animals are painted with hairs, claws, granules and scales.
FINE_UM = 4.0


@dataclass(frozen=True)
class Preparation:
    """How the animals of one slide were prepared."""

    clearing: float  # share of pigment left, about 0.6 to 1.1
    stain: tuple[float, float, float]  # density that a stain adds to tissue, a channel each
    contrast: float  # strength of refractive edges
    blur_um: float  # blur of an animal that lies in the plane of focus
