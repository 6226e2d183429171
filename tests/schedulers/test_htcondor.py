"""The profile for HTCondor is accepted by its real plugin, in a dry run: no HTCondor is started here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plugins import install
from workflow.conftest import TINY, copy_repository

pytestmark = pytest.mark.schedulers

PROFILE = "workflow/profiles/htcondor"
PLUGINS = ["snakemake-executor-plugin-htcondor==0.3.0", "htcondor==24.12.24"]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("plugin"), *PLUGINS)


def resources_of_jobs(text: str) -> list[tuple[str, dict[str, str]]]:
    """Rule and resources of each job of a dry run."""
    found = re.findall(r"(?m)^ *rule (\w+):\n(?: +.*\n)*? +resources: (.*)$", text)
    return [(rule, dict(pair.split("=", 1) for pair in line.split(", "))) for rule, line in found]


def test_the_profile_is_accepted_and_each_job_asks_for_enough(plugin, tmp_path):
    folder = copy_repository(tmp_path / "study")
    profile = folder / PROFILE / "config.yaml"
    profile.write_text(profile.read_text().replace("    # request_gpus:", "    request_gpus:"))
    done = subprocess.run(
        [
            Path(sys.executable).parent / "snakemake",
            "--workflow-profile",
            PROFILE,
            "--configfile",
            TINY,
            "-n",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(plugin)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = resources_of_jobs(done.stdout + done.stderr)
    assert {"train", "detect", "match", "report"} <= {rule for rule, _ in jobs}
    for rule, resources in jobs:
        assert int(resources["htcondor_request_mem_mb"]) >= int(resources["mem_mb"]), rule
        assert resources["getenv"] == "true"
        assert resources.get("request_gpus") == ("1" if rule in {"train", "detect"} else None), rule


def test_its_plugin_reads_what_the_profile_writes(plugin):
    """Resources are free words for Snakemake: a misspelt one would be ignored by all."""
    (source,) = (plugin / "snakemake_executor_plugin_htcondor").glob("__init__.py")
    for name in ("htcondor_request_mem_mb", "getenv", "requirements", "request_gpus"):
        assert f'"{name}"' in source.read_text()
