"""The study as far as it has got: the runs that have ended, and what of it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from podura.configuration.study import Study
from podura.tables import PARTS, run_folder, seed_name

_HELD_OUT = tuple(part for part in PARTS if part != "train")


@dataclass(frozen=True)
class PartialStudy(Study):
    """A part of a study: ``finished`` has the seeds of each model's and ensemble's runs that have ended."""

    finished: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """As of a study; of a model or an ensemble those of the runs that have ended."""
        return self.finished.get(name, super().seeds_of(name))


def finished_part(study: Study, results: Path, logs: Path) -> tuple[PartialStudy, tuple[str, ...]]:
    """The study with those runs only that have detections of every held-out part, and sentences on the rest.

    A run is one model with one seed in all folds. A model without a finished run is left out; so is an
    ensemble that could not fuse all the runs that it is meant to. ``results`` and ``logs`` are the
    study's folders. Nothing is read but the names of files.
    """
    runs: dict[str, tuple[int, ...]] = {}
    missing: list[str] = []
    for model in study.models:
        ended = tuple(s for s in study.seeds if _detected(study, results, model.name, s))
        runs[model.name] = ended
        for seed in (seed for seed in study.seeds if seed not in ended):
            missing.append(
                f"{model.label}, seed {seed}: {_where_it_stands(study, results, logs, model.name, seed)}"
            )
    for ensemble in study.ensembles:
        seeds = study.seeds_of(ensemble.name)
        whole = tuple(
            seed for seed in seeds if all(of in runs[m] for m, of in study.fused_runs(ensemble, seed))
        )
        runs[ensemble.name] = whole
        missing += [
            f"{ensemble.label}, {'all seeds' if seed_name(seed) == 'all' else f'seed {seed}'}: not every "
            "run that "
            "it fuses has ended."
            for seed in seeds
            if seed not in whole
        ]
    whole_study = {one.name: getattr(study, one.name) for one in fields(Study)}
    ended_only = {
        "models": tuple(model for model in study.models if runs[model.name]),
        "ensembles": tuple(ensemble for ensemble in study.ensembles if runs[ensemble.name]),
    }
    return PartialStudy(**{**whole_study, **ended_only, "finished": runs}), tuple(missing)


def _runs(study: Study, seed: int) -> Iterable[str]:
    return (run_folder(seed, fold) for fold in study.folds or (0,))


def _detected(study: Study, results: Path, model: str, seed: int) -> bool:
    return all(
        (results / "detections" / model / run / name).is_file()
        for run in _runs(study, seed)
        for name in ("run.json", *(f"{part}.parquet" for part in _HELD_OUT))
    )


def _where_it_stands(study: Study, results: Path, logs: Path, model: str, seed: int) -> str:
    stages = (
        ("models", "model.json", "train", "its training has not ended"),
        ("detections", "run.json", "detect", "it is trained, but has not detected in every part"),
    )
    for run in _runs(study, seed):
        for folder, file, stage, state in stages:
            if not (results / folder / model / run / file).is_file():
                log = logs / stage / model / f"{run}.log"
                return f"{state}; {log.as_posix()} tells more." if log.is_file() else f"{state}."
    return "its detections are not complete."
