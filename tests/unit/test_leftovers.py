"""What a killed process was writing is found and removed; what is being written, and all else, stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from podura.tables import remove_leftovers, whole_file, write_text

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
WRITER = """
import sys, time
from podura.tables import whole_file
with whole_file(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def writer(path: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_writer_left_is_removed_and_what_is_written_stays(tmp_path):
    write_text("whole", tmp_path / "models" / "done.csv")
    process = writer(tmp_path / "models" / "table.csv")
    files = set(tmp_path.rglob("*"))
    assert remove_leftovers(tmp_path) == []
    assert set(tmp_path.rglob("*")) == files
    process.send_signal(signal.SIGKILL)
    process.wait()
    (removed,) = remove_leftovers(tmp_path)
    assert removed.name.startswith(".table.csv.")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["done.csv"]


def test_files_of_other_programs_are_not_touched(tmp_path):
    names = [
        ".unfinished",
        ".settings.yaml",
        "table.unfinished-abcdefgh.csv",
        ".nfs0000abcd",
        ".a.unfinished-x.csv",
    ]
    for name in names:
        (tmp_path / name).write_text("theirs")
    assert remove_leftovers(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_file_that_fails_leaves_nothing(tmp_path):
    try:
        with whole_file(tmp_path / "table.csv") as temporary:
            temporary.write_text("half")
            raise OSError("the disk is full")
    except OSError:
        pass
    assert list(tmp_path.iterdir()) == []
