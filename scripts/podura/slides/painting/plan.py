"""What the parts of a springtail are, before they are painted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from podura.slides.painting.shapes import Axis, Points
from podura.slides.painting.traits import SpeciesTraits


@dataclass(frozen=True)
class Piece:
    """One joint of a limb: start and end of its middle line, and its width at both."""

    kind: str  # antenna, leg, manubrium or furca
    number: int  # in its limb, from the body outwards
    last: bool
    line: Points
    widths: tuple[float, float]


@dataclass
class Plan:
    """Outlines and lines of one animal, in pixels of its own frame.

    The head is at low x and, in a lateral view, the back at high y.
    """

    traits: SpeciesTraits
    axis: Axis
    lateral: bool
    length: float  # of the body without antennae and furca
    width: float  # greatest width of the body
    boundaries: tuple[float, ...]  # hind margins of thorax I to abdomen VI, as t of the axis
    head_centre: Points
    head_forward: Points
    head_length: float
    head_width: float
    trunk: Points
    head: Points
    tergites: list[Points] = field(default_factory=list)
    sutures: list[Points] = field(default_factory=list)
    gut: Points | None = None
    limbs: list[Points] = field(default_factory=list)
    joints: list[Points] = field(default_factory=list)
    eyes: list[tuple[Points, float]] = field(default_factory=list)
    ocelli: list[tuple[Points, float]] = field(default_factory=list)
    mouthparts: list[Points] = field(default_factory=list)
    coxae: list[tuple[Points, float]] = field(default_factory=list)
    hairs: list[Points] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    spines: list[Points] = field(default_factory=list)  # middle lines of the anal spines
    # Half the width on either side of the axis, at its points.
    upper: Points = field(default_factory=lambda: np.zeros(0))
    lower: Points = field(default_factory=lambda: np.zeros(0))

    def points(self) -> Points:
        """Every point of every outline and hair."""
        return np.concatenate([self.trunk, self.head, *self.limbs, *self.hairs])
