"""Settings for every test."""

from __future__ import annotations

import matplotlib
from hypothesis import settings

matplotlib.use("Agg")
# No deadline: a shared machine is slow at times. Derandomised: a failure in CI can be had again at home.
settings.register_profile("podura", deadline=None, derandomize=True)
settings.load_profile("podura")
