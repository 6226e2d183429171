"""Executor plugins that users of a scheduler install beside Snakemake: here in a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def install(folder: Path, *pinned: str) -> Path:
    """Install packages of exact versions into a folder for PYTHONPATH, or skip the test that needs them."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--target", folder, *pinned], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip does not install {', '.join(pinned)} here: {done.stderr.strip()[-300:]}")
    return folder
