"""The tiny study from painted slides to the report: what it leaves, twice the same, and after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import psutil
import pytest

from workflow.conftest import TINY, copy_repository, snakemake, table_text

pytestmark = pytest.mark.workflow

MODELS = ["fasterrcnn_lite0", "yolov5n", "control_truth", "control_shuffled"]
TABLES = ["species.csv", "models.csv"]


def test_every_model_seed_and_species_has_its_row(finished):
    species = pd.read_csv(finished / "results/tiny/benchmark/species.csv")
    rows = {(row.model, row.seed, row.species) for row in species.itertuples()}
    assert rows == {(m, s, c) for m in MODELS for s in (1, 2) for c in ("CER-DEN", "ISO-MIN")}
    # Two calibration slides prove nothing.
    assert set(species["threshold_status"]) <= {"needs_more", "failed"}
    assert species["threshold"].isna().all()
    assert species["test_precision"].isna().all()
    score = json.loads((finished / "results/tiny/scores/yolov5n/seed-1/CER-DEN.json").read_text())
    (certificate,) = score["threshold_evidence"]["certificates"]
    assert re.fullmatch(r"[0-9a-f]{64}", certificate["pipeline"])


def test_the_controls_bound_the_scale(finished):
    models = pd.read_csv(finished / "results/tiny/benchmark/models.csv").set_index("model")
    assert models.loc["control_truth", "map50"] == 1
    assert models.loc["control_truth", "map50_95"] == 1
    assert models.loc["control_shuffled", "map50"] < 0.2
    assert models.loc["control_truth", "role"] == "control"
    assert pd.isna(models.loc["control_truth", "rank"])


def test_the_truth_has_no_errors_and_nothing_is_taken_for_another(finished):
    benchmark = finished / "results/tiny/benchmark"
    errors = pd.read_csv(benchmark / "errors.csv")
    assert set(errors["model"]) == {"fasterrcnn_lite0", "yolov5n", "control_truth", "control_shuffled"}
    truth = errors[(errors["model"] == "control_truth") & (errors["level"] == "floor")]
    assert (truth["n"] == 0).all()
    confusion = pd.read_csv(benchmark / "confusion.csv")
    of_truth = confusion[(confusion["model"] == "control_truth") & (confusion["level"] == "floor")]
    assert (of_truth["true_species"] == of_truth["found_species"]).all()
    assert set(pd.read_csv(benchmark / "by_size.csv")["range"]) == {"small", "medium", "large"}
    assert set(pd.read_csv(benchmark / "suspects.csv")["kind"]) <= {"unlabelled", "not_found"}


def test_no_part_shares_a_slide_with_another(finished):
    split = pd.read_csv(finished / "results/tiny/dataset/split.csv")
    assert (split.groupby("slide")["part"].nunique() == 1).all()
    assert set(split["part"]) == {"train", "validation", "calibration", "test"}


def test_detection_jobs_are_told_no_truth(finished):
    """Neither the command of a detection nor the files it is given hold a box."""
    smk = (finished / "workflow/rules/detect.smk").read_text()
    rule = smk[smk.index("rule detect:") : smk.index("rule control:")]
    assert "truth" not in rule
    columns = pd.read_csv(finished / "results/tiny/dataset/parts/test/images.csv").columns
    assert list(columns) == ["image", "path", "slide", "width", "height"]


def test_model_json_says_what_was_trained(finished):
    facts = json.loads((finished / "results/tiny/models/yolov5n/seed-2/model.json").read_text())
    assert facts["seed"] == 2
    assert facts["species"] == ["CER-DEN", "ISO-MIN"]
    assert facts["steps"] == facts["epochs"] * (facts["training_images"] // 2)
    assert {"torch", "ultralytics"} <= set(facts["versions"])
    assert not (finished / "results/tiny/models/yolov5n/seed-2/.checkpoint").exists()


def test_the_merged_configuration_stands_beside_the_results(finished):
    text = (finished / "results/tiny/config.yaml").read_text()
    assert "study: tiny" in text
    assert "target_precision: 0.95" in text


def test_the_page_needs_no_network(finished):
    page = (finished / "results/tiny/benchmark/report.html").read_text()
    assert not re.search(r"""(src|href)=["']https?:|url\(https?:|@import""", page)
    assert "Truth" in page


def test_logs_and_benchmarks_are_left(finished):
    assert (finished / "logs/tiny/train/yolov5n/seed-1.log").stat().st_size > 0
    assert (finished / "benchmarks/tiny/train/yolov5n/seed-1.jsonl").stat().st_size > 0


def test_snakemakes_own_report_is_made(study):
    snakemake(study, "--configfile", TINY, "--report", "report.zip")
    with zipfile.ZipFile(study / "report.zip") as report:
        names = report.namelist()
        # That of Snakemake; Podura's own lies among the results that it holds.
        page = min((name for name in names if name.endswith("report.html")), key=lambda name: name.count("/"))
        text = report.read(page).decode("utf-8")
    figures = {path.stem for path in (study / "results/tiny/benchmark/figures").glob("*.svg")}
    assert {"recall_at_precision", "speed", "overlays", "precision_recall"} <= figures
    held = {Path(name).name for name in names}
    assert {f"{figure}.svg" for figure in figures} <= held
    assert {"models.md", "costs.csv", "species.csv"} <= held
    # Captions and labels are filled from the configuration, and nothing of a template is left.
    assert "(50 resamples)" in text
    assert "certified for a precision of 95 %" in text
    assert "what each detector costs" in text
    assert "snakemake.config" not in text


def test_tables_for_papers_and_costs_are_left(finished):
    benchmark = finished / "results/tiny/benchmark"
    costs = pd.read_csv(benchmark / "costs.csv").set_index("model")
    assert list(costs.index) == MODELS[:2]
    assert (costs["training_seconds"] > 0).all()
    assert (costs["detection_megapixels_per_second"] > 0).all()
    assert (costs["model_mb"] > 1).all()
    measured = costs["energy_status"] == "measured"
    assert (costs["training_energy_wh"].notna() == measured).all(), "an estimate is no measurement"
    for name in ("models", "species", "comparisons", "dataset", "costs"):
        for ending in ("csv", "tex", "md", "xlsx"):
            assert (benchmark / f"tables/{name}.{ending}").stat().st_size > 0
    assert "*Ceratophysella denticulata*" in (benchmark / "tables/methods.md").read_text(encoding="utf-8")
    assert "@inproceedings{ren2015faster," in (benchmark / "tables/references.bib").read_text()


def test_a_study_beside_itself_differs_by_nothing(study):
    shutil.copytree(study / "results/tiny", study / "last_year")
    given = ("--configfile", TINY, "--config", "compare_with=last_year")
    snakemake(study, "compare_studies", *given)
    compared = pd.read_csv(study / "results/tiny/benchmark/compared/compared.csv")
    means = compared[compared["species"].isna()]
    assert means["paired"].all()
    assert (means["difference"] == 0).all()
    assert "nothing" in snakemake(study, "-n", "compare_studies", *given).lower()
    shutil.rmtree(study / "last_year/matches")
    refused = snakemake(study, "compare_studies", *given, check=False)
    assert "there is no such file, so this study cannot be compared" in refused
    assert "Traceback" not in refused


def test_from_scratch_again_the_tables_are_the_same_to_the_byte(finished, tmp_path):
    again = copy_repository(tmp_path)
    snakemake(again, "--configfile", TINY)
    for name in TABLES:
        path = Path("results/tiny/benchmark") / name
        assert table_text(finished / path) == table_text(again / path)
    weights = "results/tiny/models/{}/seed-1/weights.safetensors"
    for model in MODELS[:2]:
        path = weights.format(model)
        assert (finished / path).read_bytes() == (again / path).read_bytes()


def trainings_in(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if "scripts/train.py" in (process.info["cmdline"] or []) and Path(process.cwd()) == folder:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_a_run_cut_off_continues_where_it_was(study, number):
    folder = study
    target = "results/tiny/models/yolov5n/seed-1/weights.safetensors"
    shutil.rmtree(folder / "results/tiny/models/yolov5n")
    # A training long enough to be hit, that saves at every step.
    models = folder / "tests/studies/tiny_models.yaml"
    models.write_text(models.read_text().replace("epochs: 2", "epochs: 60"))
    tiny = folder / TINY
    tiny.write_text(
        tiny.read_text().replace("threads: 1", "threads: 1\n  checkpoint_seconds: 1\n  workers: 1")
    )
    process = subprocess.Popen(
        [Path(sys.executable).parent / "snakemake", "--cores", "2", "--configfile", TINY, "--", target],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    checkpoint = folder / "results/tiny/models/yolov5n/seed-1/.checkpoint/state.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # what Ctrl-C does: the whole foreground group is told
    else:
        process.kill()
    process.wait(timeout=60)
    # A training whose Snakemake is gone ends by itself: it must not run beside its successor.
    deadline = time.monotonic() + 60
    while trainings_in(folder):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert not (folder / target).exists()
    done = subprocess.run(
        [sys.executable, "scripts/unlock.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert number == signal.SIGINT or "killed" in done.stderr
    printed = snakemake(folder, "--configfile", TINY, "--rerun-incomplete", "--", target)
    assert re.search(r"Continuing after step [1-9]", printed)
    assert (folder / target).is_file()
