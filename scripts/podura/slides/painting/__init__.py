"""Painting synthetic brightfield slides of springtails, with boxes as truth."""

from podura.slides.painting.images import PaintedImage, Specimen, paint_image
from podura.slides.painting.settings import PaintSettings
from podura.slides.painting.study import ImageRow, paint_study
from podura.slides.painting.traits import SPRINGTAIL_TRAITS, SpeciesTraits, load_traits

__all__ = [
    "SPRINGTAIL_TRAITS",
    "ImageRow",
    "PaintSettings",
    "PaintedImage",
    "SpeciesTraits",
    "Specimen",
    "load_traits",
    "paint_image",
    "paint_study",
]
