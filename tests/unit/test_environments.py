"""The conda environments: what each rule can import is in its own, and versions agree with the pip lock.

No channel can be asked here. Whether a version exists is known only of those in the column ``seen`` of
envs/packages.tsv, which were read in recipes; that an environment can be solved is not tested.
"""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from imported_modules import third_party_modules

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
ADAPTERS = ["torchvision", "transformers", "ultralytics"]
#: Modules that a script imports by name at run time, and rooms that it never enters in an environment.
BY_NAME = {
    "fetch": ["podura.detectors.ultralytics_checkpoints"],
    "release": [f"podura.detectors.{adapter}_adapter" for adapter in ADAPTERS],
    "detect_survey": [f"podura.detectors.{adapter}_adapter" for adapter in ADAPTERS],
}
NOT_IN = {("similar_images", "leakage"): ["podura.detectors"]}
#: Needed though nothing imports them: of other packages at run time, and by pandas to read and write tables.
ALWAYS = {"python", "pyarrow"}
COMPANIONS = {"openslide-python": "openslide", "torch": "pytorch"}


@functools.cache
def packages() -> list[dict[str, str]]:
    with (REPOSITORY / "envs/packages.tsv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def of_module(module: str) -> dict[str, str]:
    found = [row for row in packages() if row["module"] == module]
    assert found, f"say in envs/packages.tsv which package has the module {module}"
    return found[0]


@functools.cache
def contents(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Versions of an environment's packages: those of conda, and those of pip."""
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    conda = dict(
        entry.split("=", 1) if "=" in entry else (entry, "")
        for entry in listed
        if not isinstance(entry, dict)
    )
    pip = [Requirement(line) for entry in listed if isinstance(entry, dict) for line in entry["pip"]]
    return conda, {one.name: str(one.specifier).removeprefix("==") for one in pip}


@functools.cache
def locked() -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for line in (REPOSITORY / "envs/requirements.lock").read_text("utf-8").splitlines():
        requirement = Requirement(line)
        found.setdefault(requirement.name, []).append(Version(str(requirement.specifier).removeprefix("==")))
    return found


def rules() -> list[tuple[str, str, tuple[str, ...]]]:
    """Each rule with each environment that it may run in, and the modules that it imports by name there."""
    found = []
    for file in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text("utf-8"), re.M | re.S):
            by_name = BY_NAME.get(name, [])
            if "{MODELS[wildcards.model].adapter}" in body:
                found += [(name, a, (*by_name, f"podura.detectors.{a}_adapter")) for a in ADAPTERS]
            found += [(name, env, tuple(by_name)) for env in re.findall(r"envs/(\w+)\.yaml", body)]
    return found


@pytest.mark.parametrize(("rule", "environment", "extra"), rules(), ids=lambda value: str(value)[:40])
def test_whatever_a_rule_can_import_is_in_its_environment(rule, environment, extra):
    conda, pip = contents(REPOSITORY / "envs" / f"{environment}.yaml")
    missing = set()
    for module in third_party_modules(
        REPOSITORY / "scripts" / f"{rule}.py", extra=extra, without=NOT_IN.get((rule, environment), ())
    ):
        row = of_module(module)
        if row["conda"] not in conda and row["pip"] not in pip:
            missing.add(row["conda"] or row["pip"])
        companion = COMPANIONS.get(row["pip"])
        if companion and companion not in conda:
            missing.add(companion)
    assert not missing, f"{environment}.yaml lacks {sorted(missing)}"


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_versions_agree_with_the_lock_within_the_stated_ranges(file):
    conda, pip = contents(file)
    by_conda = {row["conda"]: row for row in packages() if row["conda"]}
    for name, version in conda.items():
        if name in {"python", "pip"}:
            continue
        assert name in by_conda, f"say in envs/packages.tsv what {name} is for pip"
        row = by_conda[name]
        allowed = SpecifierSet(row["range"])
        assert Version(version) in allowed, f"{name} {version} is not {allowed}"
        for other in locked()[row["pip"]]:
            assert other in allowed, f"{row['pip']} {other} of the lock is not {allowed}"
        if row["seen"]:
            assert version == row["seen"], f"of {name} the version {row['seen']} is known to exist"
    for name, version in pip.items():
        assert [Version(version)] == locked()[name], f"{name}: through pip it is the version of the lock"


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_every_specification_parses_and_pins_one_version(file):
    rattler = pytest.importorskip("rattler")
    conda, _ = contents(file)
    for name, version in conda.items():
        spec = rattler.MatchSpec(f"{name}={version}" if version else name)
        assert spec.name is not None
        if name == "pip":
            continue
        rattler.Version(version)
        assert str(spec.version).removesuffix(".*") == version


def test_no_two_environments_have_different_versions_of_a_package():
    versions: dict[str, set[str]] = {}
    for file in ENVIRONMENTS:
        conda, pip = contents(file)
        for name, version in {**conda, **pip}.items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda file: file.stem)
def test_only_conda_forge_is_asked(file):
    environment = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert set(environment) == {"channels", "dependencies"}
    conda, pip = contents(file)
    assert set(conda) >= ALWAYS
    assert ("pip" in conda) == bool(pip)


def test_the_containers_hold_the_lock_and_nothing_that_is_not_there():
    base = "python:3.11-slim-bookworm"
    docker = (REPOSITORY / "envs/Dockerfile").read_text("utf-8")
    apptainer = (REPOSITORY / "envs/podura.def").read_text("utf-8")
    assert re.search(rf"^FROM {base}$", docker, re.M)
    assert re.search(rf"^From: {base}$", apptainer, re.M)
    source = re.search(r"^COPY (\S+) (\S+)$", docker, re.M)
    assert source
    assert (REPOSITORY / source[1]).is_file()
    assert f"    {source[1]} {source[2]}\n" in apptainer
    install = re.search(r"python -m pip install .*$", docker, re.M)
    assert install
    assert install[0] in apptainer
    assert install[0].endswith(f"-r {source[2]}")
    # What environments and containers are built for is the Python that the lock was made for.
    for file in ENVIRONMENTS:
        assert contents(file)[0]["python"] == "3.11"


def test_the_check_sees_what_is_imported_late_and_not_what_is_imported_for_types(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
        "from podura.leakage.search import find\ndef late():\n    import optuna.samplers\n"
    )
    found = third_party_modules(script)
    assert {"optuna", "faiss", "cv2"} <= found
    script.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n")
    assert third_party_modules(script) == set()
