"""The drift check in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from podura.configuration.wording import listed

#: Of each measure: what it is, and what a sample is that lies below and above the study.
_WORDS = {
    "brightness": ("the brightness of its images", "darker", "brighter"),
    "contrast": ("the contrast of its images", "flatter", "richer in contrast"),
    "red_green": ("the balance of red and green", "greener", "redder"),
    "blue_green": ("the balance of blue and green", "yellower", "bluer"),
    "sharpness": ("the sharpness of its images", "more blurred", "sharper"),
    "noise": ("the noise of its images", "smoother", "noisier"),
    "embedding_distance": (
        "the look of its images as a whole",
        "nearer to the study",
        "farther from the study",
    ),
}


def measure_words(measure: str) -> str:
    """What a measure is, for people."""
    if measure in _WORDS:
        return _WORDS[measure][0]
    code = measure.removeprefix("scores").strip()
    return f"the scores of confident detections{f' of {code}' if code else ''}"


def sentence(
    *,
    sample: str,
    measure: str,
    value: float,
    reference_low: float,
    reference_high: float,
    unlike: bool,
    n_slides: int,
) -> str:
    """What the comparison of a sample in one measure means."""
    what = measure_words(measure)
    if math.isnan(reference_low):
        return f"Nothing can be said of {what}: the study has too few slides to compare with ({n_slides})."
    if math.isnan(value):
        return f"Nothing can be said of {what}: the sample has too little of it."
    _, below, above = _WORDS.get(measure, ("", "less sure", "surer"))
    if value < reference_low or value > reference_high:
        side = below if value < reference_low else above
        if measure.startswith("scores"):
            told = f"The detector is {side} of what it finds in {sample} than on any of the {n_slides} slides"
        else:
            told = f"The images of {sample} are {side} than those of any of the {n_slides} slides"
        chance = "by more than chance explains" if unlike else "though chance may explain it"
        return f"{told} of the study, {chance}."
    return f"In {what} the sample lies among the {n_slides} slides of the study."


def summary(sample: str, flagged: Sequence[str], tested: int) -> str:
    """What all measures together mean for a sample."""
    if not tested:
        return (
            f"Nothing can be said of {sample}: it has no image that could be read, or the study has too few "
            "slides."
        )
    if not flagged:
        return f"{sample} looks like the slides of the study in all {tested} measures."
    named = listed([measure_words(measure) for measure in flagged])
    return (
        f"{sample} is unlike the slides of the study in {named}. Thresholds and corrected counts may not "
        "hold "
        "for it: review a random part of its detections, or add slides like these to the study."
    )
