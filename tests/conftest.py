"""Settings for every test."""

from __future__ import annotations

import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")
# No deadline: a shared machine is slow at times. Derandomised: a failure in CI can be had again at home.
settings.register_profile("podura", deadline=None, derandomize=True)
settings.load_profile("podura")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run Snakemake take minutes each: first, so that no process has one left at the end.

    It needs --no-loadscope-reorder, since pytest-xdist prefers files of many tests.
    """
    items.sort(key=lambda item: "workflow" not in item.path.parts)
