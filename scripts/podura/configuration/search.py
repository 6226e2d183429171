"""The section ``search``: whether what it asks for can be searched, and what it sets of a model's entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podura.configuration.study import SearchSettings

#: What a search may set of a model's entry.
SETTINGS = ("learning_rate", "weight_decay", "warmup", "average_decay")
_FACTORS = ("learning_rate_factors", "weight_decay_factors")
_RANGES = (*_FACTORS, "warmup_range", "average_decay_range")

Settings = Mapping[str, float]


def search_settings(values: Mapping[str, Any]) -> SearchSettings:
    """The section as typed settings."""

    def range_of(key: str) -> tuple[float, float] | None:
        return None if values[key] is None else (float(values[key][0]), float(values[key][1]))

    return SearchSettings(
        trials=values["trials"],
        epochs_per_trial=values["epochs_per_trial"],
        sampler=values["sampler"],
        learning_rate_factors=range_of("learning_rate_factors"),
        weight_decay_factors=range_of("weight_decay_factors"),
        warmup_range=range_of("warmup_range"),
        average_decay_range=range_of("average_decay_range"),
    )


def search_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of a section of sound form at fault, each with what is wrong and what to write instead."""
    for key in _RANGES:
        if values[key] is None:
            continue
        low, high = values[key]
        if low >= high:
            yield f"search.{key}", f"{low} is not below {high}. Write the lower number first."
        elif key in _FACTORS and not low <= 1 <= high:
            yield (
                f"search.{key}",
                f"these are factors of what a model's entry says, and 1, the entry itself, is not between "
                f"{low} and {high}. Write a range around 1, such as [0.1, 10].",
            )
    if values["trials"] is not None and all(values[key] is None for key in _RANGES):
        yield (
            "search.trials",
            f"nothing is searched. Write a range for one of {', '.join(_RANGES)}, or null.",
        )


def settings_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """What a search may change of a model's entry, as it has it; ``entry`` has the keys of models.yaml."""
    return {name: float(entry["optimiser"].get(name, entry.get(name))) for name in SETTINGS}


def with_settings(entry: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A model's entry with these settings in place of its own.

    Raises ValueError for a setting that a search does not set.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"a search sets no {sorted(unknown)}")
    optimiser = {name: settings.get(name, value) for name, value in entry["optimiser"].items()}
    own = {name: settings.get(name, value) for name, value in entry.items() if name != "optimiser"}
    return {**own, "optimiser": optimiser}
