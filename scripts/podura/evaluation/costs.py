"""What detectors cost, from what their runs noted down: the table benchmark_costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from podura.tables import BENCHMARK_COSTS

MEASURED, PARTLY, NOT_MEASURABLE = "measured", "partly measured", "not measurable"
_PER_IMAGES = 1000  # detection_energy_wh is of so many

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class RunCost:
    """One run of a detector: with one seed, in one fold.

    trainings: model.json of each model that it uses (one, or those that an ensemble fuses); weights_bytes:
    size of each one's weights. detection: run.json of its test part; detections: those of what it fuses, or
    itself. megapixels: of the test images, failed ones aside.
    """

    trainings: Sequence[Facts]
    weights_bytes: Sequence[int]
    detection: Facts
    detections: Sequence[Facts]
    megapixels: float


def costs_table(runs: Mapping[str, Sequence[RunCost]]) -> pd.DataFrame:
    """The table benchmark_costs from the runs of each detector, in the order given.

    What was not noted down, by any of the runs that a figure is taken over, is missing. A run of an ensemble
    costs what the models that it fuses cost together; memory is that of the largest, since they may run one
    by one.
    """
    return BENCHMARK_COSTS.frame([_row(model, of_model) for model, of_model in runs.items()])


def _row(model: str, runs: Sequence[RunCost]) -> dict[str, Any]:
    trainings = [fact for run in runs for fact in run.trainings]
    detections = [fact for run in runs for fact in run.detections]
    seconds = _mean(_summed(run.trainings, "training_seconds") for run in runs)
    images = _mean(_summed(run.trainings, "images_seen") for run in runs)
    timed = [run for run in runs if run.detection["seconds"] and _read(run.detection)]
    spent = sum(run.detection["seconds"] for run in timed)
    training_energy = [_summed(run.trainings, "energy_wh") for run in runs]
    detection_energy = [_energy_of_images(run) for run in runs]
    return {
        "model": model,
        "n_runs": len(runs),
        "n_fused": max(len(run.trainings) for run in runs),
        "parameters": max(sum(fact["parameters"] for fact in run.trainings) for run in runs),
        "model_mb": max(sum(run.weights_bytes) for run in runs) / 1e6,
        "device": _several(fact["device"] for fact in trainings),
        "processor": _several(fact["machine"]["processor"] for fact in trainings),
        "cores": _several(fact["machine"]["cores"] for fact in trainings),
        "training_seconds": seconds,
        "training_images": images,
        "training_images_per_second": _images_per_second(trainings),
        "training_memory_mb": _highest(trainings, "peak_memory_mb"),
        "training_gpu_memory_mb": _highest(trainings, "peak_gpu_memory_mb"),
        "training_energy_wh": _mean(training_energy),
        "detection_images": sum(_read(run.detection) for run in runs),
        "detection_seconds": _mean(run.detection["seconds"] / run.detection["images"] for run in timed),
        "detection_images_per_second": sum(_read(run.detection) for run in timed) / spent if spent else None,
        "detection_megapixels_per_second": sum(run.megapixels for run in timed) / spent if spent else None,
        "detection_memory_mb": _highest(detections, "peak_memory_mb"),
        "detection_gpu_memory_mb": _highest(detections, "peak_gpu_memory_mb"),
        "detection_energy_wh": _mean(detection_energy),
        **_energy_words([*trainings, *detections]),
    }


def _read(detection: Facts) -> int:
    return int(detection["images"]) - len(detection["failed"])


def _summed(facts: Iterable[Facts], key: str) -> float | None:
    values = [fact.get(key) for fact in facts]
    known = [float(value) for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _mean(values: Iterable[float | None]) -> float | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return fmean(known) if every and len(known) == len(every) else None


def _highest(facts: Iterable[Facts], key: str) -> float | None:
    return max((float(fact[key]) for fact in facts if fact.get(key) is not None), default=None)


def _images_per_second(trainings: Sequence[Facts]) -> float | None:
    """Of all trainings together; the time of validation counts not."""
    seen = _summed(trainings, "images_seen")
    stepping = _summed(trainings, "stepping_seconds")
    return seen / stepping if seen and stepping else None


def _energy_of_images(run: RunCost) -> float | None:
    energy, images = _summed(run.detections, "energy_wh"), _read(run.detection)
    return None if energy is None or not images else _PER_IMAGES * energy / images


def _several(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values))


def _energy_words(facts: Sequence[Facts]) -> dict[str, str]:
    metered = [fact for fact in facts if fact.get("energy_wh") is not None]
    reasons = _several(
        fact.get("energy_unknown") or "it was not noted down"
        for fact in facts
        if fact.get("energy_wh") is None
    )
    sources = _several(source for fact in metered for source in fact["energy_metered"])
    if not metered:
        return {"energy_status": NOT_MEASURABLE, "energy_note": reasons}
    if len(metered) < len(facts):
        return {"energy_status": PARTLY, "energy_note": f"{sources}; in some runs {reasons}"}
    return {"energy_status": MEASURED, "energy_note": sources}
