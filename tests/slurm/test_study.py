"""A tiny study through a real SLURM: the tables of one machine, GPU and CPU jobs apart, few submissions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slurm.conftest import as_a_lab_edits_it, one_detector
from workflow.conftest import TINY, copy_repository, planned, snakemake, table_text

pytestmark = pytest.mark.slurm

TABLES = ["species.csv", "models.csv", "comparisons.csv", "suspects.csv"]


def test_the_study_comes_out_as_on_one_machine(cluster, run, tmp_path):
    here, there = copy_repository(tmp_path / "here"), copy_repository(tmp_path / "there")
    for folder in (here, there):
        one_detector(folder)
    as_a_lab_edits_it(there)
    before = {job["id"] for job in cluster.jobs("all")}
    through = run(there)
    snakemake(here, "--configfile", TINY)
    through.succeed()

    for name in TABLES:
        path = Path("results/tiny/benchmark") / name
        assert table_text(here / path) == table_text(there / path), name
    assert planned(there) == {}

    submitted = {job["id"]: job["comment"] for job in cluster.jobs("all") if job["id"] not in before}
    rules = [re.sub(r"_wildcards.*", "", comment) for comment in submitted.values()]
    assert rules.count("rule_train") == rules.count("rule_detect") == 1
    # Three runs (a detector, two controls) are matched and scored by six jobs, which are one submission.
    assert "rule_match" not in rules
    assert "rule_score" not in rules
    assert sum(rule.startswith("rule_scoring") for rule in rules) == 1
    for job, comment in submitted.items():
        facts = cluster.facts(job)
        gpu = comment.startswith(("rule_train", "rule_detect"))
        assert facts["Partition"] == ("gpu" if gpu else "cpu"), comment
        assert ("gpu:1" in facts.get("TresPerJob", "")) == gpu, comment
