"""What LSF's programs do for its executor plugin, on this machine alone: jobs run at once, in the background.

    python tests/schedulers/lsf_stand_in.py PROGRAM FOLDER ARGUMENTS ...     # PROGRAM: bsub, bjobs, bkill ...

FOLDER holds what each job asked for and how it stands. Options that the real bsub does not know, queues that
are not there and requests that are not of its form are refused, as there. No limit of memory or time is kept.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

CLUSTER = "stand_in"
QUEUES = ("normal", "gpu")
PROGRAMS = ("bsub", "bjobs", "bkill", "bhist", "badmin", "lsclusters")

# Of what LSF is asked to bound memory, time and hosts by: the forms of its manual.
REQUEST = re.compile(r"rusage\[mem=\d+(\.\d+)?\]|span\[hosts=1\]")
GPU = re.compile(r"num=\d+(/(task|host))?(:(mode=\w+|j_exclusive=(yes|no)|gmodel=[\w-]+|mps=(yes|no)))*")


def write_programs(folder: Path) -> Path:
    """Write the programs and the files of a cluster's configuration; the folder for PATH."""
    place = folder / "bin"
    place.mkdir(parents=True)
    (folder / "jobs").mkdir()
    for name in PROGRAMS:
        program = place / name
        words = f'"{sys.executable}" "{Path(__file__).resolve()}" {name} "{folder}"'
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
    settings = folder / "conf/lsbatch" / CLUSTER / "configdir"
    settings.mkdir(parents=True)
    (settings / "lsb.params").write_text("Begin Parameters\nDEFAULT_QUEUE = normal  # of all\n")
    events = folder / "work" / CLUSTER / "logdir"
    events.mkdir(parents=True)
    (events / "lsb.events").touch()
    return place


def bsub(folder: Path, words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bsub", prefix_chars="-", allow_abbrev=False)
    for option in ("-J", "-o", "-e", "-env", "-P", "-q", "-cwd", "-gpu"):
        parser.add_argument(option, default="")
    parser.add_argument("-W", type=int)
    parser.add_argument("-n", type=int, default=1)
    parser.add_argument("-R", action="append", default=[])
    parser.add_argument("command", nargs="+")
    asked = vars(parser.parse_args(words))
    asked["q"] = asked["q"] or QUEUES[0]
    if asked["q"] not in QUEUES:
        sys.exit(f"{asked['q']}: No such queue. Job not submitted.")
    if wrong := [text for text in asked["R"] if not REQUEST.fullmatch(text)]:
        sys.exit(f"Bad resource requirement syntax: {wrong[0]}. Job not submitted.")
    if asked["gpu"] and not GPU.fullmatch(asked["gpu"]):
        sys.exit(f"Bad GPU requirement: {asked['gpu']}. Job not submitted.")
    number = len(list((folder / "jobs").iterdir())) + 1
    job = folder / "jobs" / str(number)
    job.mkdir()
    command = " ".join(asked.pop("command"))
    (job / "asked.json").write_text(json.dumps(asked | {"submitted_in": str(Path.cwd())}))
    # bsub's shell for the command; how it ended is written last, and by no other.
    script = f'({command})\necho $? > "{job}/code.new" && mv "{job}/code.new" "{job}/code"\n'
    with Path(asked["o"] or os.devnull).open("a") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=asked["cwd"] or None,
            env={**os.environ, "LSB_JOBID": str(number)},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    (job / "pid").write_text(str(process.pid))
    print(f"Job <{number}> is submitted to queue <{asked['q']}>.")


def state(job: Path) -> str:
    """PEND, RUN, DONE or EXIT."""
    if (job / "killed").exists():
        return "EXIT"
    if (job / "code").exists():
        return "DONE" if (job / "code").read_text().strip() == "0" else "EXIT"
    return "RUN" if (job / "pid").exists() else "PEND"


def bjobs(folder: Path, words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bjobs", allow_abbrev=False)
    parser.add_argument("-noheader", action="store_true", required=True)
    parser.add_argument("-o", required=True)
    # The plugin writes -a -J in one word.
    parser.add_argument("-aJ", dest="name")
    options = parser.parse_args(words)
    format_ = re.fullmatch(r"([\w ]+?)(?: delimiter='(.)')?", options.o)
    rows = []
    for job in sorted((folder / "jobs").iterdir(), key=lambda path: int(path.name)):
        asked = json.loads((job / "asked.json").read_text())
        if options.name and not fnmatch.fnmatchcase(asked["J"], options.name):
            continue
        if not options.name and state(job) not in {"PEND", "RUN"}:
            continue
        facts = {"jobid": job.name, "stat": state(job), "sub_cwd": asked["submitted_in"]}
        rows.append((format_[2] or " ").join(facts[name] for name in format_[1].split()))
    if not rows:
        sys.exit("No unfinished job found")
    print("\n".join(rows))


def bkill(folder: Path, words: list[str]) -> None:
    for number in words:
        job = folder / "jobs" / number
        if not job.is_dir() or state(job) in {"DONE", "EXIT"}:
            print(f"Job <{number}>: Job has already finished", file=sys.stderr)
            continue
        (job / "killed").touch()
        os.killpg(int((job / "pid").read_text()), signal.SIGKILL)
        print(f"Job <{number}> is being terminated")


def bhist(folder: Path, words: list[str]) -> None:
    """No job had a project so far."""


def badmin(folder: Path, words: list[str]) -> None:
    print("MBD configuration at Thu Jan  1 00:00:00 1970")
    for name, value in {
        "LSB_SHAREDIR": folder / "work",
        "LSF_CONFDIR": folder / "conf",
        "LSF_UNIT_FOR_LIMITS": "MB",
    }.items():
        print(f"\t{name} = {value}")


def lsclusters(folder: Path, words: list[str]) -> None:
    print(f"CLUSTER_NAME   STATUS   MASTER_HOST   ADMIN\n{CLUSTER}   ok   here   lsfadmin")


def main() -> None:
    program, folder, *words = sys.argv[1:]
    if program not in PROGRAMS:
        sys.exit(__doc__)
    globals()[program](Path(folder), words)


if __name__ == "__main__":
    main()
