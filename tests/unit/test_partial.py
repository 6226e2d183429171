"""A partial study is what has ended: runs with detections of every part, and sentences on the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podura.configuration.load import load_study
from podura.configuration.partial import finished_part
from podura.configuration.run import SCHEMAS
from podura.configuration.sources import read_yaml
from podura.configuration.study import EnsembleSpecification, Study
from podura.tables import ALL_SEEDS, run_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def study() -> Study:
    files = [ROOT / "config/config.yaml", ROOT / "tests/studies/tiny.yaml"]
    merged: dict = {}
    for file in files:
        for key, value in read_yaml(file).values.items():
            merged[key] = {**merged[key], **value} if isinstance(value, dict) and key in merged else value
    return load_study(
        merged, config_files=files, schemas=SCHEMAS, folder=ROOT, painted_folder=ROOT / "painted"
    )


def ended(results: Path, model: str, seed: int, fold: int = 0, *, detected: bool = True) -> None:
    run = run_folder(seed, fold)
    for folder, files in (
        ("models", ["model.json"]),
        ("detections", ["run.json", "validation.parquet", "calibration.parquet", "test.parquet"]),
    ):
        if folder == "models" or detected:
            (results / folder / model / run).mkdir(parents=True)
            for file in files:
                (results / folder / model / run / file).touch()


def test_runs_that_have_detected_everywhere_stay(study: Study, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    ended(tmp_path, "fasterrcnn_lite0", 1)
    ended(tmp_path, "fasterrcnn_lite0", 2, detected=False)
    (logs / "train" / "yolov5n").mkdir(parents=True)
    (logs / "train" / "yolov5n" / "seed-1.log").touch()
    part, missing = finished_part(study, tmp_path, logs)
    assert [model.name for model in part.models] == ["fasterrcnn_lite0"]
    assert [one.name for one in part.included] == ["fasterrcnn_lite0"]
    assert part.seeds_of("fasterrcnn_lite0") == (1,)
    assert part.seeds_of("control_truth") == study.seeds
    first, *of_yolo = missing
    assert "seed 2: it is trained, but has not detected" in first
    assert len(of_yolo) == 2
    assert "seed 1: its training has not ended" in of_yolo[0]
    assert "train/yolov5n/seed-1.log" in of_yolo[0]
    assert "log" not in of_yolo[1]


def test_a_run_needs_every_part(study: Study, tmp_path: Path) -> None:
    ended(tmp_path, "yolov5n", 1)
    assert finished_part(study, tmp_path, tmp_path)[0].seeds_of("yolov5n") == (1,)
    (tmp_path / "detections/yolov5n/seed-1/calibration.parquet").unlink()
    part, missing = finished_part(study, tmp_path, tmp_path)
    assert part.models == ()
    assert len(missing) == 4


def test_a_run_needs_every_fold(study: Study, tmp_path: Path) -> None:
    folded = replace(study, split=replace(study.split, folds=2))
    ended(tmp_path, "yolov5n", 1, 1)
    assert finished_part(folded, tmp_path, tmp_path)[0].models == ()
    ended(tmp_path, "yolov5n", 1, 2)
    assert finished_part(folded, tmp_path, tmp_path)[0].seeds_of("yolov5n") == (1,)


def test_an_ensemble_fuses_all_of_its_runs_or_is_left_out(study: Study, tmp_path: Path) -> None:
    ensembles = tuple(
        EnsembleSpecification(name, name, "ensemble", ("fasterrcnn_lite0", "yolov5n"), name, 0.55)
        for name in ("each", "all")
    )
    included = [*study.merged["models"]["include"], "each", "all"]
    merged = {**study.merged, "models": {**study.merged["models"], "include": included}}
    fused = replace(study, ensembles=ensembles, merged=merged)
    for model, seed in (("fasterrcnn_lite0", 1), ("fasterrcnn_lite0", 2), ("yolov5n", 2)):
        ended(tmp_path, model, seed)
    part, missing = finished_part(fused, tmp_path, tmp_path)
    assert [one.name for one in part.ensembles] == ["each"]
    assert part.seeds_of("each") == (2,)
    assert "all, all seeds: not every run that it fuses has ended." in missing
    assert "each, seed 1: not every run that it fuses has ended." in missing
    ended(tmp_path, "yolov5n", 1)
    whole, missing = finished_part(fused, tmp_path, tmp_path)
    assert missing == ()
    assert whole.seeds_of("all") == (ALL_SEEDS,)
    assert whole.included == fused.included
