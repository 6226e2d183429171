"""Verify a folder of results: recompute every digest, and say what differs, is missing or is new.

  python scripts/verify.py results/demo

Ends with 0 where everything is as the manifest says, 1 where something differs or is missing (with --strict
also where something is new), 2 where there is no manifest.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from podura.errors import UserError
from podura.records.checking import Findings, verify

_MOST = 20


def told(found: Findings) -> list[str]:
    lines = []
    for what, names in (("differs", found.differing), ("missing", found.missing), ("new", found.new)):
        lines += [f"{what}: {name}" for name in names[:_MOST]]
        if len(names) > _MOST:
            lines.append(f"{what}: ... and {len(names) - _MOST} more")
    lines += [f"note: {note}" for note in found.notes]
    lines.append(
        f"{found.checked} files are as they were, {len(found.differing)} differ, {len(found.missing)} are "
        f"missing, {len(found.new)} are new."
    )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="+", help="results/<study>, or the folder of a survey")
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="FOLDER",
        nargs="?",
        const=Path(),
        help="also the files that went in; their paths are told from FOLDER (by default this one)",
    )
    parser.add_argument("--strict", action="store_true", help="new files count as well")
    arguments = parser.parse_args()
    code = 0
    for folder in arguments.folder:
        try:
            found = verify(folder, inputs_from=arguments.inputs)
        except UserError as error:
            print(error, file=sys.stderr)
            return 2
        print("\n".join(told(found)))
        if not found.sound or (arguments.strict and found.new):
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
