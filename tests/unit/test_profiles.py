"""The profiles for clusters differ in what their scheduler is asked, and in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PROFILES = Path(__file__).resolve().parents[2] / "workflow/profiles"
CLUSTERS = ("lsf", "sge", "htcondor")
SHARED = ("jobs", "retries", "rerun-incomplete", "keep-going", "show-failed-logs", "latency-wait", "groups")
SHARED += ("group-components", "resources", "set-resource-scopes", "max-checksum-file-size")
ON_GPUS = ("train", "search", "detect", "release", "detect_survey")


def profile(name: str, uncommented: bool = False) -> dict:
    text = (PROFILES / name / "config.yaml").read_text(encoding="utf-8")
    if uncommented:
        text = text.replace("    # ", "    ")
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", CLUSTERS)
def test_what_is_no_matter_of_the_scheduler_is_that_of_slurm(name):
    mine, slurm = profile(name), profile("slurm")
    assert {key: mine[key] for key in SHARED} == {key: slurm[key] for key in SHARED}
    assert mine["default-resources"]["mem_mb"] == slurm["default-resources"]["mem_mb"]
    if name != "htcondor":  # which has no limit of time
        for rule, asked in slurm["set-resources"].items():
            assert mine["set-resources"][rule].get("runtime") == asked.get("runtime"), rule


@pytest.mark.parametrize(
    ("name", "key"), [("lsf", "lsf_extra"), ("sge", "sge_extra"), ("htcondor", "request_gpus")]
)
def test_the_same_rules_may_ask_for_a_gpu(name, key):
    asked = profile(name, uncommented=True)["set-resources"]
    assert {rule for rule, resources in asked.items() if key in resources} == set(ON_GPUS)
