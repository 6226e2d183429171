"""Let training begin, or refuse it where parts of the split share what they show."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.errors import UserError
from podura.leakage.leaks import refusal
from podura.tables import LEAKAGE, SPLIT, write_json

log = logging.getLogger("check_leakage")


def main(arguments: argparse.Namespace) -> None:
    leakage, split = LEAKAGE.read_csv(arguments.leakage), SPLIT.read_csv(arguments.split)
    found = refusal(leakage, split, arguments.leakage)
    if found and arguments.action == "stop":
        raise UserError(found)
    if found:
        log.warning("%s", found)
    # Always the same words: training depends on the permission, not on how it came about.
    write_json({"training": "may begin"}, arguments.output)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--leakage", type=Path, required=True, help="leakage.csv")
    parser.add_argument("--split", type=Path, required=True, help="split.csv")
    parser.add_argument("--action", choices=["stop", "report"], required=True, help="what leaks do")
    parser.add_argument("--output", type=Path, required=True, help="file that permits training")
    jobs.run(main, parser)
