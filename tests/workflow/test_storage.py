"""A folder that cannot be written, a full disk, and two runs at once: told in words, and nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workflow.conftest import TINY, planned, snakemake, table_text

pytestmark = pytest.mark.workflow

SPECIES = "results/tiny/benchmark/species.csv"


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Mount something on a folder; a skip where this user may not."""
    done = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def another_precision(study: Path) -> None:
    tiny = study / TINY
    tiny.write_text(tiny.read_text() + "  target_precision: 0.9\n")


def weights(study: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in study.glob("results/tiny/models/*/*/weights.safetensors")}


def test_results_that_cannot_be_written_are_told_before_the_first_job(study):
    another_precision(study)
    results = study / "results"
    before, trained = (study / SPECIES).read_bytes(), weights(study)
    with mounted(results, "--bind", str(results)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(results)], check=True)
        printed = snakemake(study, "--configfile", TINY, check=False)
    assert "Write-protected output files" in printed
    assert "Traceback" not in printed
    assert (study / SPECIES).read_bytes() == before
    assert weights(study) == trained
    assert planned(study)["score"] == 8


def test_a_full_disk_is_told_and_the_next_run_goes_on(study):
    another_precision(study)
    trained = weights(study)
    scores = study / "results/tiny/scores"
    with mounted(scores, "-t", "tmpfs", "-o", "size=16k", "tmpfs"):
        printed = snakemake(study, "--configfile", TINY, "--", SPECIES, check=False)
        assert "The disk is full" in printed
        # Whole files or none.
        for path in scores.rglob("*"):
            assert path.is_dir() or (path.suffix == ".json" and path.read_text().endswith("}\n")), path
        subprocess.run(["mount", "-o", "remount,size=64m", str(scores)], check=True)
        snakemake(study, "--configfile", TINY, "--", SPECIES)
        assert planned(study, "--", SPECIES) == {}
        assert table_text(study / SPECIES)
    assert weights(study) == trained


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(study):
    locks = study / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text(f"{SPECIES}\n")
    another_precision(study)
    printed = snakemake(study, "--configfile", TINY, check=False)
    assert "cannot be locked" in printed
    assert "Finished jobid" not in printed
    assert (locks / "0.output.lock").exists()
