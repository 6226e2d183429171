"""What HTCondor's scheduler does for its executor plugin, on this machine alone: jobs run at once.

What describes a job and what reads the log of events are HTCondor's own (PyPI htcondor); only ``Schedd`` is
played. The environment names its folder, where what each job asked for is kept.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = "HTCONDOR_STAND_IN"
# Numbers of events in HTCondor's logs.
SUBMIT, EXECUTE, TERMINATED, ABORTED = "000", "001", "005", "009"


class Result:
    """What a submission gives back."""

    def __init__(self, number: int) -> None:
        self.number = number

    def cluster(self) -> int:
        return self.number


class Schedd:
    """Submit, and remove; a job that has ended is in the log only."""

    def submit(self, description) -> Result:
        folder = Path(os.environ[FOLDER])
        asked = dict(description)
        for path in ("log", "output", "error"):
            asked[path] = str(Path(asked[path]).resolve())
        number = len(list(folder.iterdir())) + 1
        job = folder / str(number)
        job.mkdir()
        (job / "asked.json").write_text(json.dumps(asked))
        write_event(asked["log"], SUBMIT, number, "Job submitted from host: <127.0.0.1:9618>")
        # With getenv the environment is that of the submission, without it none.
        environment = dict(os.environ) if asked.get("getenv", "").lower() == "true" else {}
        process = subprocess.Popen(
            [sys.executable, __file__, str(job)],
            env={**environment, FOLDER: str(folder)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        (job / "pid").write_text(str(process.pid))
        return Result(number)

    def query(self, *arguments, **more) -> list:
        return []

    def history(self, *arguments, **more) -> list:
        return []

    def act(self, action, jobs) -> None:
        for name in jobs:
            remove(Path(os.environ[FOLDER], str(name).split(".")[0]))


def remove(job: Path) -> None:
    """End a job as condor_rm does."""
    os.killpg(int((job / "pid").read_text()), signal.SIGKILL)
    asked = json.loads((job / "asked.json").read_text())
    write_event(asked["log"], ABORTED, int(job.name), "Job was aborted.\n\tvia condor_rm (by user root)")


def write_event(log: str, kind: str, number: int, text: str) -> None:
    moment = time.strftime("%Y-%m-%d %H:%M:%S")
    with Path(log).open("a") as file:
        file.write(f"{kind} ({number:03d}.000.000) {moment} {text}\n...\n")


def run(job: Path) -> None:
    """Run a job where it was submitted, as on a shared file system, and write what happens to the log."""
    asked = json.loads((job / "asked.json").read_text())
    number = int(job.name)
    write_event(asked["log"], EXECUTE, number, "Job executing on host: <127.0.0.1:9618>")
    with Path(asked["output"].replace("$(ClusterId)", job.name)).open("w") as output:
        # Arguments are split at spaces: quotes are no part of HTCondor's old syntax.
        command = [asked["executable"], *asked["arguments"].split()]
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    usage = "\n".join(
        f"\tUsr 0 00:00:00, Sys 0 00:00:00  -  {kind} Usage"
        for kind in ("Run Remote", "Run Local", "Total Remote", "Total Local")
    )
    kinds = ("Run Bytes Sent", "Run Bytes Received", "Total Bytes Sent", "Total Bytes Received")
    traffic = "\n".join(f"\t0  -  {kind} By Job" for kind in kinds)
    ended = f"Job terminated.\n\t(1) Normal termination (return value {code})\n{usage}\n{traffic}"
    write_event(asked["log"], TERMINATED, number, ended)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
