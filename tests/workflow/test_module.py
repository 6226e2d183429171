"""Podura as a module of another workflow, from a folder of its own."""

from __future__ import annotations

import shutil

import pytest
import yaml

from workflow.conftest import REPOSITORY, snakemake

pytestmark = pytest.mark.workflow

HOST = """
configfile: "config.yaml"


module podura:
    snakefile:
        {snakefile!r}
    config:
        config["podura"]


use rule * from podura as podura_*


rule summary:
    default_target: True
    input:
        "results/mine/benchmark/models.csv",
        "results/mine/manifest.json",
    output:
        "summary.txt",
    shell:
        "wc -l {{input}} > {{output}}"
"""


@pytest.fixture
def host(tmp_path):
    """Another workflow that takes Podura with a study of its own, in a folder of its own."""
    tiny = yaml.safe_load((REPOSITORY / "tests/studies/tiny.yaml").read_text(encoding="utf-8"))
    study = {
        **tiny,
        "study": "mine",
        "seeds": [1],
        "species": {"table": "species.tsv", "include": ["CER-DEN", "ISO-MIN"]},
        "dataset": {"images": "images.tsv", "annotations": {"format": "painted"}},
        "models": {"table": "models.yaml", "include": ["yolov5n"]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"podura": study}), encoding="utf-8")
    text = HOST.format(snakefile=str(REPOSITORY / "Snakefile"))
    (tmp_path / "Snakefile").write_text(text, encoding="utf-8")
    shutil.copy(REPOSITORY / "config/species.tsv", tmp_path / "species.tsv")
    shutil.copy(REPOSITORY / "tests/studies/tiny_images.tsv", tmp_path / "images.tsv")
    shutil.copy(REPOSITORY / "tests/studies/tiny_models.yaml", tmp_path / "models.yaml")
    return tmp_path


def test_another_workflow_plans_with_podura(host):
    printed = snakemake(host, "-n", "--quiet", "reason")
    for rule in ("podura_train", "podura_score", "podura_manifest", "summary"):
        assert f"{rule} " in printed
    # Its own target is the default, and all rules of Podura have the prefix.
    assert "podura_all" not in printed
    assert "\nrule train" not in printed


def test_jobs_of_the_module_run_in_the_folder_of_the_other_workflow(host):
    snakemake(host, "results/mine/dataset/split.csv")
    assert (host / "results/mine/dataset/split.csv").is_file()
    assert yaml.safe_load((host / "results/mine/config.yaml").read_text(encoding="utf-8"))["study"] == "mine"
    assert (host / "logs/mine/split.log").is_file()
    assert "Nothing to be done" in snakemake(host, "results/mine/dataset/split.csv")


@pytest.mark.slow
def test_the_other_workflow_is_run_to_its_end_and_has_nothing_to_do_after(host):
    snakemake(host)
    assert "results/mine/benchmark/models.csv" in (host / "summary.txt").read_text(encoding="utf-8")
    assert (host / "results/mine/models/yolov5n/seed-1/weights.safetensors").is_file()
    assert not (REPOSITORY / "results/mine").exists()
    assert "Nothing to be done" in snakemake(host, "-n")
