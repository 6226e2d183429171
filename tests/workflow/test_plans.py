"""Every shipped configuration plans, every rule is complete, and bad input is refused before any job."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from workflow.conftest import REPOSITORY, snakemake

pytestmark = pytest.mark.workflow

OVERLAYS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for folder in ("config/studies", "tests/studies")
    for path in (REPOSITORY / folder).glob("*.yaml")
    if "study" in yaml.safe_load(path.read_text(encoding="utf-8"))
)


REAL = ("tests/studies/asthma.yaml", "tests/studies/bccd.yaml")


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_every_shipped_study_plans(overlay, tmp_path):
    if overlay and overlay in REAL and not (REPOSITORY.parent / "shared/data").is_dir():
        pytest.skip("../shared/data is not here")
    printed = snakemake(
        REPOSITORY, *(["--configfile", overlay] if overlay else []), "-n", "--forceall", "--quiet", "reason"
    )
    for rule in ("train", "detect", "match", "score", "merge", "report"):
        assert re.search(rf"^{rule} +[1-9]", printed, re.M)


def rules() -> dict[str, str]:
    found = {}
    for file in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text("utf-8"), re.M | re.S):
            found[name] = body
    return found


@pytest.mark.parametrize("name", sorted(rules()))
def test_every_rule_is_complete(name):
    body = rules()[name]
    for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "params", "shell"):
        assert re.search(rf"^    {directive}:", body, re.M), f"rule {name} has no {directive}"
    for resource in ("mem_mb", "runtime"):
        assert resource in body
    assert (REPOSITORY / "scripts" / f"{name}.py").is_file()
    assert f"{name}.py" in body
    assert not re.search(r"config\[", body), "configuration goes through params"


def test_every_environment_file_is_pinned_and_named_by_a_rule():
    text = "\n".join(rules().values())
    for file in (REPOSITORY / "envs").glob("*.yaml"):
        environment = yaml.safe_load(file.read_text(encoding="utf-8"))
        pinned = [entry for entry in environment["dependencies"] if isinstance(entry, str) and entry != "pip"]
        assert all("=" in entry for entry in pinned), file
        assert f"envs/{file.name}" in text or "adapter}.yaml" in text


REFUSED = [
    ("seeds: [1, 2]", "seeds: [1, 1]", "seeds"),
    ("seeds: [1, 2]", "sedes: [1, 2]", "seeds"),
    ("include: [fasterrcnn_lite0, yolov5n]", "include: [fasterrcnn_lite0, yolov5m]", "yolov5n"),
    ("train: 0.4", "train: 0.5", "1.1"),
    ("tests/studies/tiny_images.tsv", "tests/studies/tiny_imgs.tsv", "tiny_imgs.tsv"),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED)
def test_bad_configurations_are_refused_before_any_job(old, new, said, tmp_path):
    text = (REPOSITORY / "tests/studies/tiny.yaml").read_text(encoding="utf-8")
    assert old in text
    overlay = tmp_path / "bad.yaml"
    overlay.write_text(text.replace(old, new), encoding="utf-8")
    printed = snakemake(REPOSITORY, "--configfile", str(overlay), check=False)
    assert "cannot run as it is configured" in printed
    assert said in printed
    assert "bad.yaml" in printed
    assert "Traceback" not in printed
    assert "Job stats" not in printed


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"/(?:home|root|Users)/\w")
    for folder in ("config", "envs", "resources", "scripts", "workflow"):
        for path in (REPOSITORY / folder).rglob("*"):
            if path.suffix in {".py", ".smk", ".yaml", ".tsv", ".md", ".lock", ".in", ".html"}:
                assert not pattern.search(Path(path).read_text(encoding="utf-8")), path
