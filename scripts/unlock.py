"""Remove the lock that a killed Snakemake left in this folder, unless it or a job of its is at work here."""

from __future__ import annotations

import argparse
import logging
import shutil
import subprocess
from pathlib import Path

import psutil

from podura import jobs
from podura.errors import UserError

log = logging.getLogger("unlock")

SQUEUE = ["squeue", "--me", "--noheader", "--format=%i|%Z"]


def snakemakes_at_work(folder: Path) -> list[int]:
    """Process ids of every Snakemake whose working directory is ``folder``."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        try:
            if any(Path(word).name == "snakemake" for word in words[:2]) and Path(process.cwd()) == folder:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def cluster_jobs(folder: Path) -> list[str]:
    """Ids of the jobs in SLURM's queue that work in ``folder``; none where there is no SLURM."""
    if shutil.which(SQUEUE[0]) is None:
        return []
    try:
        done = subprocess.run(SQUEUE, capture_output=True, text=True, timeout=120, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("SLURM does not say whether jobs of the killed run are still at work: %s", error)
        return []
    rows = [line.split("|", 1) for line in done.stdout.splitlines() if "|" in line]
    return [job for job, place in rows if Path(place).resolve() == folder]


def main(arguments: argparse.Namespace) -> None:
    locks = sorted((arguments.folder / ".snakemake" / "locks").glob("*"))
    if not locks:
        return
    folder = arguments.folder.resolve()
    if running := snakemakes_at_work(folder):
        raise UserError(
            f"Snakemake is at work in this folder already (process {running[0]}). Wait until it is done, or "
            "end it."
        )
    if queued := cluster_jobs(folder):
        raise UserError(
            f"Jobs of a killed run are still in SLURM's queue ({len(queued)}: {', '.join(queued[:5])}"
            f"{' ...' if len(queued) > 5 else ''}). Wait until they are done: what they finish is kept. Or "
            f"end them: scancel {' '.join(queued[:50])}"
        )
    for lock in locks:
        lock.unlink()
    log.info("Removed the lock of a run that was killed; this run continues it.")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path())
    jobs.run(main, parser)
