"""What is compiled can be kept or not; a job runs either way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
USE = """
import sys
sys.path.insert(0, sys.argv[1])
from podura.compiled import compiled

if "full" in sys.argv:
    import tempfile

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    tempfile.TemporaryFile = full


@compiled()
def double(x):
    return 2 * x


print(double(21))
"""


@pytest.mark.parametrize("disk", ["roomy", "full"])
def test_a_disk_without_room_costs_only_time(tmp_path: Path, disk: str) -> None:
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "use.py").write_text(USE)
    done = subprocess.run(
        [sys.executable, "use.py", str(SCRIPTS), disk],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "42", done.stderr
    kept = list((tmp_path / ".snakemake").rglob("*.nbi"))
    assert bool(kept) is (disk == "roomy")
