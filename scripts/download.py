"""Check a file that was brought from elsewhere, and put it where the study looks for it."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from podura import jobs
from podura.archives import copy_whole, unpack
from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.tables import write_json

log = logging.getLogger("download")


def main(arguments: argparse.Namespace) -> None:
    found = file_digest(arguments.file)
    if found != arguments.sha256:
        raise UserError(
            f"{arguments.path}: what came ({arguments.file.stat().st_size} bytes) has the digest {found}, "
            f"not {arguments.sha256} as dataset.downloads says. The transfer broke off or the file was "
            "changed: run again, or find out whether the publisher replaced it."
        )
    most = int(arguments.most_gb * 1e9)
    if arguments.unpack:
        count = unpack(arguments.file, arguments.path, most_bytes=most)
    else:
        copy_whole(arguments.file, arguments.path)
        count = 1
    write_json({"path": str(arguments.path), "sha256": found, "files": count}, arguments.output)
    log.info("%s: %d files", arguments.path, count)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--file", type=Path, required=True, help="what was brought")
    parser.add_argument("--path", type=Path, required=True, help="file, or folder of an archive, to make")
    parser.add_argument("--sha256", required=True, help="digest of the file that was brought")
    parser.add_argument("--unpack", action="store_true", help="a ZIP or TAR archive")
    parser.add_argument("--most-gb", type=float, required=True, help="largest size when unpacked")
    parser.add_argument("--output", type=Path, required=True, help="note of what was checked")
    jobs.run(main, parser)
