"""A full disk, a folder that cannot be written and their like end a job with words, not with a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from podura.jobs import storage_trouble

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "not allowed"),
        (errno.ESTALE, "shared file system"),
    ],
)
def test_what_the_system_says_is_said_in_words_with_the_file(number, word):
    said = storage_trouble(OSError(number, os.strerror(number), "results/a.csv"))
    assert word in said
    assert "results/a.csv" in said
    assert "nothing that is finished is lost" in said


def test_libraries_wrap_it_in_errors_of_their_own():
    # As safetensors, a Rust library, says it.
    said = storage_trouble(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert "The disk is full" in said
    wrapped = ValueError("could not write")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "The disk is full" in storage_trouble(wrapped)


@pytest.mark.parametrize("error", [ValueError("no"), FileNotFoundError(errno.ENOENT, "none", "a")])
def test_other_errors_are_none_of_it(error):
    assert storage_trouble(error) is None


def test_a_job_ends_without_traceback(tmp_path):
    script = (
        "import errno\nfrom podura import jobs\n"
        "def main(arguments):\n    raise OSError(errno.ENOSPC, 'No space left on device', 'results/a.csv')\n"
        "jobs.run(main, jobs.parser(None))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The disk is full: results/a.csv." in done.stderr
    assert "Traceback" not in done.stderr
