"""Search a model's learning rate and schedule on the validation part: best.json, trials.csv.

A trial is a training by the very command that the study's own trainings use, in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from podura import jobs
from podura.configuration.search import Settings, settings_of, with_settings
from podura.configuration.study import SearchSettings
from podura.errors import DivergedError, UserError
from podura.fingerprints import file_digest
from podura.provenance import versions
from podura.tables import HISTORY, TRIALS, write_json
from podura.training.search import (
    FAILED,
    Outcome,
    best_trial,
    run_search,
)

log = logging.getLogger("search")

_STOPPED = 130


class Stopped(Exception):
    """The search was asked to stop; finished trials and the checkpoint of the last one are kept."""


def main(arguments: argparse.Namespace) -> None:
    entry = json.loads(arguments.model)
    search = SearchSettings(**json.loads(arguments.search))
    kept = arguments.output / ".trials"
    should_stop = jobs.stop_request()

    def objective(number: int, settings: Settings) -> Outcome:
        tried = {**with_settings(entry, settings), "epochs": search.epochs_per_trial}
        return trained(arguments, tried, kept / f"trial-{number}", should_stop)

    budget = f"{search.trials} trials of {search.epochs_per_trial} epochs"
    log.info("%s: %s, %s", entry["name"], budget, versions(["optuna"]))
    try:
        trials = run_search(
            objective,
            settings_of(entry),
            search,
            seed=arguments.seed,
            record=kept / "trials.json",
            identity=identity(arguments),
        )
    except Stopped:
        log.warning("Stopped; the next run continues from there.")
        sys.exit(_STOPPED)
    best = best_trial(trials)
    TRIALS.write_csv(
        pd.DataFrame(
            [
                {
                    "trial": trial.trial,
                    "state": trial.state,
                    **trial.settings,
                    "validation_map50": trial.map50,
                    "validation_map50_95": trial.map50_95,
                    "best": trial is best,
                    "seconds": trial.seconds,
                    "message": trial.message,
                }
                for trial in trials
            ]
        ),
        arguments.output / "trials.csv",
    )
    # Nothing that varies from run to run: the same settings, found again, train nothing again.
    write_json(
        {
            "model": entry["name"],
            "fold": arguments.fold,
            "trial": best.trial,
            "settings": best.settings,
            "validation_map50_95": best.map50_95,
            "epochs": search.epochs_per_trial,
            "seed": arguments.seed,
        },
        arguments.output / "best.json",
    )
    shutil.rmtree(kept, ignore_errors=True)
    log.info(
        "Trial %d of %d is best, mAP50:95 %.3f on validation; the entry's own settings reach %s; %d failed.",
        best.trial,
        len(trials),
        best.map50_95,
        "nothing" if trials[0].map50_95 is None else f"{trials[0].map50_95:.3f}",
        sum(trial.state == FAILED for trial in trials),
    )


def trained(
    arguments: argparse.Namespace, entry: dict[str, Any], folder: Path, should_stop: Callable[[], bool]
) -> Outcome:
    """Train with the settings of a trial and read what it reached on validation.

    Raises DivergedError where the loss was not finite, Stopped when asked to stop, UserError where the
    training was refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            *arguments.training,
            *("--model", json.dumps(entry, sort_keys=True)),
            *("--seed", str(arguments.seed), "--output", str(folder), "--log", str(folder / "train.log")),
        ]
    )
    while process.poll() is None:
        if should_stop():
            process.terminate()
            process.wait()
            raise Stopped
        time.sleep(0.2)
    if process.returncode == _STOPPED:
        raise Stopped
    if process.returncode == DivergedError.exit_code:
        shutil.rmtree(folder)
        raise DivergedError("the loss was not finite")
    if process.returncode:
        raise UserError(f"A trial could not be trained (see above, or {folder / 'train.log'}).")
    history = HISTORY.read_csv(folder / "history.csv")
    shutil.rmtree(folder)
    best = history["validation_map50_95"].fillna(-1).idxmax()
    return Outcome(
        float(history["validation_map50"][best]),
        float(history["validation_map50_95"][best]),
        time.monotonic() - started,
    )


def identity(arguments: argparse.Namespace) -> str:
    """Digest of all that decides the course of this search, so that no other one continues it."""
    # A setting as JSON may be longer than a path can be, and asking for such a file is an error.
    files = [word for word in arguments.training if word[:1] not in "{[-" and Path(word).is_file()]
    parts = [arguments.model, arguments.search, arguments.code, str(arguments.seed), *arguments.training]
    text = "\0".join([*parts, *(file_digest(file) for file in files)])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", required=True, help="entry of models.yaml as JSON, with its name")
    parser.add_argument("--search", required=True, help="section 'search' of the configuration as JSON")
    parser.add_argument("--seed", type=int, required=True, help="seed of every trial")
    parser.add_argument("--fold", type=int, default=0, help="number of the fold; 0 where there are none")
    parser.add_argument("--code", default="", help="digest of the code that searches")
    parser.add_argument("--output", type=Path, required=True, help="folder of the search")
    parser.add_argument(
        "training", nargs="+", help="after --: train.py and its arguments but model, seed, output and log"
    )
    jobs.run(main, parser)
