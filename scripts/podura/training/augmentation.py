"""The one augmentation policy, applied to every detector's images alike.

Specimens on slides have no up or left, so flips and quarter turns are always right; brightness, contrast
and colour vary with lamp, stain and camera.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from podura.configuration.study import AugmentationSettings
from podura.training.geometry import Sample, mirrored, quarter_turned, turned_and_scaled
from podura.training.photometry import blurred, noisy, recoloured


def reoriented(
    sample: Sample, settings: AugmentationSettings, generator: Generator, *, turned: bool
) -> Sample:
    """Mirror and turn by quarters, which is exact for pixels and boxes.

    ``turned`` makes it a quarter turn (one way or the other) instead of none or a half: images of one
    batch are turned alike, so that a batch of oblong images needs no padding.
    """
    half_turn, sideways, upside_down = generator.random(3) < 0.5
    if settings.quarter_turns:
        sample = quarter_turned(sample, int(turned) + 2 * int(half_turn))
    if settings.flips and sideways:
        sample = mirrored(sample)
    if settings.flips and upside_down:
        sample = quarter_turned(mirrored(sample), 2)
    return sample


def disturbed(sample: Sample, settings: AugmentationSettings, generator: Generator) -> Sample:
    """Turn freely, scale, recolour, blur and add noise, in the order of stage, lamp, lens and camera."""
    # All is drawn at once, so that one key of the settings does not change what the others do.
    angle, size, x_shift, y_shift, contrast, brightness, *colours = 2 * generator.random(9) - 1
    blur, blur_strength, noise, noise_strength = generator.random(4)
    degrees, scale = settings.rotation * angle, (1 + settings.scale) ** size
    if degrees != 0 or scale != 1:
        sample = turned_and_scaled(sample, degrees, scale, (x_shift, y_shift))
    gains = (1 + settings.brightness * brightness) * (1 + settings.colour * np.array(colours))
    pixels = recoloured(sample.pixels, 1 + settings.contrast * contrast, gains)
    if blur < settings.blur:
        pixels = blurred(pixels, blur_strength)
    if noise < settings.noise:
        pixels = noisy(pixels, noise_strength, generator)
    return replace(sample, pixels=pixels)
