"""The section ``painted``: its settings, and what its keys ask of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podura.configuration.study import PaintedSettings
from podura.configuration.wording import shown

_NUMBERS = (
    "um_per_pixel",
    "specimens_per_image",
    "other_animals_per_image",
    "single_share",
    "empty_share",
    "long_tail",
    "touching",
    "site_effect",
    "slide_effect",
    "site_species",
)


def painted_settings(values: Mapping[str, Any]) -> PaintedSettings:
    """The settings of a sound section ``painted``."""
    numbers = {key: None if values[key] is None else float(values[key]) for key in _NUMBERS}
    return PaintedSettings(**{**values, **numbers})


def painted_faults(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Dotted key and message of each fault of a painted study whose values have the right form."""
    painted = config["painted"]
    name, known = painted["others_name"], config["species"]["other"]
    if name is not None and name not in known:
        yield (
            "painted.others_name",
            f"{shown(name)} is not in species.other, so the import would refuse it. Write it there too, "
            "or null here.",
        )
    single = painted["single_share"]
    if single is None:
        return
    mean = painted["specimens_per_image"] + painted["other_animals_per_image"]
    if mean < 1 or (mean > 1 and mean < 2 - single):
        yield (
            "painted.single_share",
            f"{single} does not go with a mean of {mean:g} animals an image (specimens_per_image + "
            f"other_animals_per_image). Write means that add up to at least {2 - single:g}.",
        )


def painting_memory_mb(painted: PaintedSettings, threads: int) -> int:
    """Memory in MB that painting takes with so many images at a time: measured, and a third more."""
    megapixels = painted.width * painted.height / 1e6
    return round(500 + threads * (300 + 14 * megapixels))
