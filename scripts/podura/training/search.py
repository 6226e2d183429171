"""A small search of learning rate and schedule, with the same budget for every model.

The first trial is the model's entry as it stands, so that a search cannot do worse than it on validation. The
others are proposed by Optuna (Akiba et al. 2019, doi:10.1145/3292500.3330701): at random, or by its tree of
Parzen estimators (Bergstra et al. 2011). A proposal follows from the seed, the number of the trial and the
trials before it alone, so a search that was cut off goes on as the unbroken one would have.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podura.configuration.search import Settings
from podura.configuration.study import SearchSettings
from podura.errors import DivergedError, UserError
from podura.seeds import generator
from podura.tables import read_json, write_json

log = logging.getLogger(__name__)

FINISHED, FAILED = "finished", "failed"
#: Digits of a setting: what is tried is what a person would write into an entry.
_DIGITS = 4


@dataclass(frozen=True)
class Outcome:
    """What a trial reached on validation; NaN where that part holds no truth."""

    map50: float
    map50_95: float
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One trial, numbered from 1; a failed one has no mAP, and a message that says why."""

    trial: int
    state: str
    settings: dict[str, float]
    map50: float | None
    map50_95: float | None
    seconds: float | None
    message: str | None


#: Trains with the settings of a trial, given its number, and says what came of it.
Objective = Callable[[int, Settings], Outcome]


def search_seed(random_seed: int, seeds: Collection[int]) -> int:
    """The seed of all trials of a study: none of the study's own, which stay unseen by the search."""
    return next(
        seed
        for attempt in itertools.count()
        if (seed := int(generator(random_seed, "search", attempt).integers(1, 2**32))) not in seeds
    )


def run_search(
    objective: Objective,
    entry: Settings,
    search: SearchSettings,
    *,
    seed: int,
    record: Path,
    identity: str,
) -> list[Trial]:
    """Run the trials that ``record`` does not hold yet, and return all of them in their order.

    ``entry`` gives all of ``SETTINGS``. ``record`` is a file that keeps each trial as soon as it is through;
    one of another ``identity`` is begun anew. A trial that raises DivergedError has failed and counts as
    one; whatever else is raised ends the search, and the trials before it are kept.
    """
    trials = _recorded(record, identity)
    if trials:
        log.info("Continuing after trial %d of %d.", len(trials), search.trials)
    for number in range(len(trials) + 1, (search.trials or 0) + 1):
        settings = propose(trials, entry, search, seed=seed)
        log.info("trial %d of %s: %s", number, search.trials, _words(settings))
        try:
            found = objective(number, settings)
        except DivergedError as error:
            log.warning("trial %d failed: %s", number, error)
            trials.append(Trial(number, FAILED, settings, None, None, None, str(error)))
        else:
            map50, map50_95 = _known(found.map50), _known(found.map50_95)
            trials.append(Trial(number, FINISHED, settings, map50, map50_95, found.seconds, None))
            log.info("trial %d: validation mAP50:95 %.3f", number, found.map50_95)
        write_json({"identity": identity, "trials": [asdict(trial) for trial in trials]}, record)
    return trials


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial of the highest mAP50:95 on validation, of equal ones the first.

    Raises UserError where no trial has one.
    """
    judged = [trial for trial in trials if trial.map50_95 is not None]
    if judged:
        return max(judged, key=lambda trial: (trial.map50_95 or 0.0, -trial.trial))
    if any(trial.state == FINISHED for trial in trials):
        raise UserError(
            "No validation slide shows a species of the study, so trials cannot be compared. Give the part "
            "validation more slides, or write search.trials: null."
        )
    raise UserError(
        f"All {len(trials)} trials failed ({trials[0].message}). Write a lower optimiser.learning_rate "
        "into the model's entry, or lower numbers into search.learning_rate_factors."
    )


def propose(
    trials: Sequence[Trial], entry: Settings, search: SearchSettings, *, seed: int
) -> dict[str, float]:
    """The settings of the trial that follows ``trials``; what is not searched stays as in ``entry``."""
    if not trials:
        return dict(entry)
    import optuna  # Only a search needs it.

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own_seed = int(generator(seed, "trial", len(trials) + 1).integers(2**32))
    sampler: Any
    if search.sampler == "random":
        sampler = optuna.samplers.RandomSampler(seed=own_seed)
    else:
        startup = min(10, max(3, (search.trials or 0) // 3))
        sampler = optuna.samplers.TPESampler(seed=own_seed, n_startup_trials=startup)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    scales = _scales(entry, search)
    distributions: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(scale.low, scale.high, log=scale.logarithmic)
        for name, scale in scales.items()
    }
    for trial in trials:
        inside = {name: scale.inside(trial.settings[name]) for name, scale in scales.items()}
        if any(value is None for value in inside.values()):
            continue  # an entry outside the range that is searched
        # A training that diverges finds nothing: told so, the search stays away from there.
        value = trial.map50_95 if trial.state == FINISHED else 0.0
        if value is not None:
            study.add_trial(
                optuna.trial.create_trial(params=inside, distributions=distributions, value=value)
            )
    found = study.ask(distributions).params
    return {**entry, **{name: scale.setting(found[name]) for name, scale in scales.items()}}


@dataclass(frozen=True)
class _Scale:
    """The axis on which a setting is searched, from ``low`` to ``high``.

    A setting is ``unit`` times the value on the axis, or 1 minus that where ``below_one``.
    """

    low: float
    high: float
    logarithmic: bool = False
    unit: float = 1.0
    below_one: bool = False

    def setting(self, value: float) -> float:
        rounded = float(f"{self.unit * value:.{_DIGITS}g}")
        return round(1 - rounded, 12) if self.below_one else rounded

    def inside(self, setting: float) -> float | None:
        """The value of a setting, None where it lies outside by more than rounding does."""
        value = 1 - setting if self.below_one else setting / self.unit
        nearest = min(max(value, self.low), self.high)
        return nearest if math.isclose(value, nearest, rel_tol=1e-3, abs_tol=1e-9) else None


def _scales(entry: Settings, search: SearchSettings) -> dict[str, _Scale]:
    scales = {}
    for name, factors in (
        ("learning_rate", search.learning_rate_factors),
        ("weight_decay", search.weight_decay_factors),
    ):
        # Times nothing it stays nothing.
        if factors is not None and entry[name] > 0:
            scales[name] = _Scale(*factors, logarithmic=True, unit=entry[name])
    if search.warmup_range is not None:
        scales["warmup"] = _Scale(*search.warmup_range)
    if search.average_decay_range is not None:
        low, high = search.average_decay_range
        scales["average_decay"] = _Scale(1 - high, 1 - low, logarithmic=True, below_one=True)
    return scales


def _recorded(record: Path, identity: str) -> list[Trial]:
    if not record.is_file():
        return []
    found = read_json(record)
    if found["identity"] != identity:
        log.info("Starting afresh: the trials found are of other settings, data or code.")
        return []
    return [Trial(**trial) for trial in found["trials"]]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _words(settings: Settings) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())
