"""The search: the same budget for all, the same proposals from the same seed, and nothing lost."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podura.configuration.search import settings_of, with_settings
from podura.configuration.study import SearchSettings
from podura.errors import DivergedError, UserError
from podura.tables import TRIALS, read_json
from podura.training.search import (
    FAILED,
    FINISHED,
    Outcome,
    Trial,
    best_trial,
    propose,
    run_search,
    search_seed,
)

ROOT = Path(__file__).parents[2]
ENTRY = {"learning_rate": 0.001, "weight_decay": 0.0005, "warmup": 0.1, "average_decay": 0.98}
SEARCH = SearchSettings(
    trials=8,
    epochs_per_trial=2,
    sampler="tpe",
    learning_rate_factors=(0.1, 10.0),
    weight_decay_factors=(0.1, 10.0),
    warmup_range=(0.0, 0.3),
    average_decay_range=(0.9, 0.999),
)


ONLY_RATE: dict[str, Any] = dict.fromkeys(("weight_decay_factors", "warmup_range", "average_decay_range"))


class Landscape:
    """A made-up training whose mAP is best at a learning rate of 0.004; it diverges above ``limit``."""

    def __init__(self, limit: float = math.inf, stop_before: int = 10**9) -> None:
        self.limit, self.stop_before = limit, stop_before
        self.asked: list[int] = []

    def __call__(self, number: int, settings: Any) -> Outcome:
        if number == self.stop_before:
            raise InterruptedError
        self.asked.append(number)
        if settings["learning_rate"] > self.limit:
            raise DivergedError("the loss was not finite")
        value = math.exp(-(math.log(settings["learning_rate"] / 0.004) ** 2))
        return Outcome(min(1.0, 1.2 * value), value, 1.5)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / ".trials" / "trials.json"


def searched(record: Path, objective: Any, search: SearchSettings = SEARCH, **changed: Any) -> list[Trial]:
    options = {"seed": 7, "identity": "this one", **changed}
    return run_search(objective, ENTRY, search, record=record, **options)


# --- seeds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_proposes_the_same_and_another_other_settings(tmp_path, sampler):
    search = dataclasses.replace(SEARCH, sampler=sampler)
    runs = [
        searched(tmp_path / f"{k}.json", Landscape(), search, seed=seed) for k, seed in enumerate((7, 7, 8))
    ]
    assert runs[0] == runs[1]
    assert runs[0][0].settings == runs[2][0].settings == ENTRY
    assert all(one.settings != other.settings for one, other in zip(runs[0][1:], runs[2][1:], strict=True))
    assert len({json.dumps(trial.settings) for trial in runs[0]}) == search.trials


def test_the_seed_of_trials_is_none_of_the_studys():
    first = search_seed(20261124, [])
    assert first == search_seed(20261124, [1, 2, 3])
    assert search_seed(20261124, [first]) != first
    assert search_seed(1, []) != first
    assert 1 <= first < 2**32


# --- budget ----------------------------------------------------------------------------------------


def test_every_model_gets_as_many_trials_whatever_they_reach(tmp_path):
    for number, limit in enumerate((math.inf, 0.002, 0.0)):
        objective = Landscape(limit)
        trials = searched(tmp_path / f"{number}.json", objective)
        assert objective.asked == [trial.trial for trial in trials] == list(range(1, 9))


def test_proposals_stay_within_their_ranges_and_are_written_briefly(record):
    trials = searched(record, Landscape(), dataclasses.replace(SEARCH, trials=30, sampler="random"))
    for trial in trials[1:]:
        settings = trial.settings
        assert 0.0001 <= settings["learning_rate"] <= 0.01
        assert 0.00005 <= settings["weight_decay"] <= 0.005
        assert 0 <= settings["warmup"] <= 0.3
        assert 0.9 <= settings["average_decay"] <= 0.999
        assert len(f"{settings['learning_rate']:.12g}".strip("0.")) <= 4
    rates = sorted(trial.settings["learning_rate"] for trial in trials[1:])
    assert 0.0004 < rates[len(rates) // 2] < 0.0025, "factors are drawn evenly on their logarithm"


def test_what_is_not_searched_stays_as_in_the_entry(record):
    only_rate = dataclasses.replace(SEARCH, **ONLY_RATE)
    for trial in searched(record, Landscape(), only_rate):
        assert {**trial.settings, "learning_rate": 0.001} == ENTRY


def test_a_weight_decay_of_zero_stays_zero(record):
    entry = {**ENTRY, "weight_decay": 0.0}
    for trial in run_search(Landscape(), entry, SEARCH, seed=7, record=record, identity=""):
        assert trial.settings["weight_decay"] == 0


def test_an_entry_outside_the_range_is_tried_and_the_others_are_inside(record):
    entry = {**ENTRY, "warmup": 0.45}
    trials = run_search(Landscape(), entry, SEARCH, seed=7, record=record, identity="")
    assert trials[0].settings == entry
    assert all(trial.settings["warmup"] <= 0.3 for trial in trials[1:])


def test_tpe_learns_from_the_trials_before(tmp_path):
    search = dataclasses.replace(SEARCH, trials=24, **ONLY_RATE)
    late = {}
    for sampler in ("tpe", "random"):
        trials = searched(
            tmp_path / f"{sampler}.json", Landscape(), dataclasses.replace(search, sampler=sampler)
        )
        late[sampler] = sum(trial.map50_95 or 0 for trial in trials[12:])
    assert late["tpe"] > 1.3 * late["random"]


# --- nothing is lost -------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("stop", [1, 2, 5, 8])
def test_a_search_cut_off_goes_on_as_the_unbroken_one(tmp_path, sampler, stop):
    search = dataclasses.replace(SEARCH, sampler=sampler)
    unbroken = searched(tmp_path / "unbroken.json", Landscape(0.006), search)
    record = tmp_path / "broken.json"
    with pytest.raises(InterruptedError):
        searched(record, Landscape(0.006, stop_before=stop), search)
    rest = Landscape(0.006)
    assert searched(record, rest, search) == unbroken
    assert rest.asked == list(range(stop, 9))


def test_more_trials_continue_only_a_search_of_the_same_identity(record):
    searched(record, Landscape(), identity="one")
    again = Landscape()
    searched(record, again, identity="one")
    assert again.asked == []
    searched(record, again, identity="other")
    assert again.asked == list(range(1, 9))


# --- failures and the best -------------------------------------------------------------------------


def test_a_trial_that_diverges_fails_and_the_search_goes_on_elsewhere(record):
    search = dataclasses.replace(SEARCH, trials=20)
    trials = searched(record, Landscape(limit=0.002), search)
    failed = [trial for trial in trials if trial.state == FAILED]
    assert failed
    assert all(trial.settings["learning_rate"] > 0.002 for trial in failed)
    assert all(trial.map50_95 is None and "not finite" in (trial.message or "") for trial in failed)
    assert len(trials) == 20
    assert best_trial(trials).settings["learning_rate"] <= 0.002


def test_proposals_keep_away_from_where_trainings_diverged():
    only_rate = dataclasses.replace(SEARCH, trials=13, **ONLY_RATE)
    trials = []
    for number, rate in enumerate((0.001, *(0.0001 * 1.5**k for k in range(11))), start=1):
        value = None if rate > 0.001 else 0.5
        state = FAILED if value is None else FINISHED
        trials.append(Trial(number, state, {**ENTRY, "learning_rate": rate}, value, value, 1.0, None))
    proposed = [propose(trials, ENTRY, only_rate, seed=seed)["learning_rate"] for seed in range(60)]
    # Half of the range, on its logarithm, lies above.
    assert sum(rate > 0.001 for rate in proposed) < 0.4 * len(proposed)


def trial(number: int, value: float | None, state: str = FINISHED) -> Trial:
    return Trial(number, state, dict(ENTRY), value, value, 1.0, None if state == FINISHED else "not finite")


def test_the_best_is_the_highest_and_of_equal_ones_the_first():
    assert best_trial([trial(1, 0.2), trial(2, 0.5), trial(3, 0.5), trial(4, None, FAILED)]).trial == 2
    assert best_trial([trial(1, 0.0), trial(2, 0.0)]).trial == 1


def test_trials_that_cannot_be_compared_are_refused_with_what_to_do():
    with pytest.raises(UserError, match="No validation slide shows a species"):
        best_trial([trial(1, None), trial(2, None, FAILED)])
    with pytest.raises(UserError, match=r"All 2 trials failed \(not finite\).*lower"):
        best_trial([trial(1, None, FAILED), trial(2, None, FAILED)])


def test_a_validation_part_without_truth_gives_no_score(record):
    trials = searched(record, lambda _number, _settings: Outcome(math.nan, math.nan, 1.0))
    assert {trial.map50_95 for trial in trials} == {None}
    assert "NaN" not in record.read_text()


def test_the_first_proposal_is_the_entry():
    assert propose([], ENTRY, SEARCH, seed=1) == ENTRY


# --- entries ---------------------------------------------------------------------------------------


def test_settings_go_into_an_entry_and_change_nothing_else():
    entry = {
        "name": "m",
        "epochs": 9,
        "average_decay": 0.98,
        "optimiser": {"name": "sgd", "learning_rate": 0.001, "weight_decay": 0.0005, "warmup": 0.1},
    }
    assert settings_of(entry) == ENTRY
    found = with_settings(entry, {"learning_rate": 0.5, "average_decay": 0.9})
    assert found["optimiser"] == {**entry["optimiser"], "learning_rate": 0.5}
    assert (found["name"], found["epochs"], found["average_decay"]) == ("m", 9, 0.9)
    assert settings_of(entry) == ENTRY
    with pytest.raises(ValueError, match="momentum"):
        with_settings(entry, {"momentum": 0.9})


# --- the script, with a training of a moment -------------------------------------------------------

TRAINING = """
import argparse, json, math, pathlib, sys, time
sys.path.insert(0, "SCRIPTS")
from podura.tables import HISTORY
parser = argparse.ArgumentParser()
for name in ("--model", "--seed", "--output", "--log", "--given"):
    parser.add_argument(name, required=True)
a = parser.parse_args()
entry = json.loads(a.model)
rate = entry["optimiser"]["learning_rate"]
with open(a.given, "a") as calls:
    print(json.dumps({"rate": rate, "epochs": entry["epochs"], "seed": int(a.seed)}), file=calls)
if pathlib.Path(a.given + ".slow").exists():
    time.sleep(60)
if rate > 0.004:
    sys.exit(3)
if pathlib.Path(a.given + ".refused").exists():
    sys.exit(1)
row = dict.fromkeys(HISTORY.names)
rows = [
    {**row, "epoch": epoch, "validation_map50": value, "validation_map50_95": value}
    for epoch, value in enumerate((rate * 100, rate * 50), start=1)
]
HISTORY.write_csv(rows, pathlib.Path(a.output) / "history.csv")
"""


class Script:
    """scripts/search.py at work in a folder."""

    def __init__(self, folder: Path) -> None:
        self.output, self.calls = folder / "search", folder / "calls.jsonl"
        (folder / "train.py").write_text(TRAINING.replace("SCRIPTS", str(ROOT / "scripts")))
        entry = {
            "name": "m", "epochs": 9, "average_decay": 0.98,
            "optimiser": {"name": "sgd", "learning_rate": 0.001, "weight_decay": 0.0005, "warmup": 0.1},
        }  # fmt: skip
        search = {**dataclasses.asdict(SEARCH), "trials": 6, "sampler": "random"}
        self.command = [
            sys.executable, str(ROOT / "scripts/search.py"), "--model", json.dumps(entry),
            "--search", json.dumps(search), "--seed", "11", "--output", str(self.output),
            "--", str(folder / "train.py"), "--given", str(self.calls),
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)

    def run(self) -> tuple[int, str]:
        process = self.start()
        _, told = process.communicate(timeout=120)
        return process.returncode, told

    def called(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.calls.read_text().splitlines()]


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    return Script(tmp_path)


def test_the_script_trains_each_trial_alike_and_leaves_the_best_and_the_table(script):
    code, told = script.run()
    assert code == 0, told
    calls = script.called()
    assert len(calls) == 6
    assert {(call["epochs"], call["seed"]) for call in calls} == {(2, 11)}
    table = TRIALS.read_csv(script.output / "trials.csv")
    assert list(table["trial"]) == list(range(1, 7))
    assert list(table["learning_rate"]) == [call["rate"] for call in calls]
    diverged = table["learning_rate"] > 0.004
    assert diverged.any()
    assert ((table["state"] == "failed") == diverged).all()
    assert table.loc[diverged, "validation_map50_95"].isna().all()
    finished = table[~diverged]
    assert list(finished["validation_map50_95"]) == pytest.approx(list(100 * finished["learning_rate"]))
    best = read_json(script.output / "best.json")
    assert best["settings"]["learning_rate"] == finished["learning_rate"].max()
    assert list(table.loc[table["best"], "trial"]) == [best["trial"]]
    assert sorted(path.name for path in script.output.iterdir()) == ["best.json", "trials.csv"]


def test_a_stopped_script_stops_its_trial_and_the_next_goes_on(script):
    slow = Path(f"{script.calls}.slow")
    slow.touch()
    process = script.start()
    deadline = time.monotonic() + 60
    while not script.calls.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert not (script.output / "best.json").exists()
    slow.unlink()
    code, told = script.run()
    assert code == 0, told
    assert len(script.called()) == 7
    assert script.called()[0] == script.called()[1]


def test_a_refused_training_ends_the_search_and_keeps_what_was_done(script):
    refused = Path(f"{script.calls}.refused")
    refused.touch()
    code, told = script.run()
    assert code == 1
    assert "could not be trained" in told
    assert "Traceback" not in told
    refused.unlink()
    assert script.run()[0] == 0
    assert (script.output / "trials.csv").is_file()
