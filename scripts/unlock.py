"""Remove the lock that a killed Snakemake left in this folder, unless it or a job of its is at work here."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import psutil

from podura import jobs, schedulers
from podura.errors import UserError

log = logging.getLogger("unlock")


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
    for scheduler, queued in schedulers.jobs_in(folder).items():
        raise UserError(
            f"Jobs of a killed run are still in {scheduler}'s queue ({len(queued)}: {', '.join(queued[:5])}"
            f"{' ...' if len(queued) > 5 else ''}). Wait until they are done: what they finish is kept. Or "
            f"end them: {schedulers.SCHEDULERS[scheduler].ends} {' '.join(queued[:50])}"
        )
    for lock in locks:
        lock.unlink()
    log.info("Removed the lock of a run that was killed; this run continues it.")


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path())
    jobs.run(main, parser)
