"""Finished trainings, kept beside their outputs for a run that never heard of their end.

Where Snakemake is killed while its jobs go on (on a cluster they do), the next run finds outputs that nobody
has noted as complete, removes them and starts the job again. The job then finds here what it had made.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from podura.fingerprints import file_digest
from podura.tables import read_json, whole_file, whole_folder, write_json

log = logging.getLogger(__name__)

#: Name of the folder beside the outputs. Its files are second names of theirs and take no room.
FOLDER = ".finished"
_FACTS = "training.json"


def keep_finished(folder: Path, names: Sequence[str], identity: str) -> None:
    """Keep the files of those names in ``folder``; ``identity`` names the training that made them."""
    with whole_folder(folder / FOLDER) as kept:
        for name in names:
            try:
                os.link(folder / name, kept / name)
            except OSError:
                # A file system without hard links.
                shutil.copyfile(folder / name, kept / name)
        digests = {name: file_digest(kept / name) for name in names}
        write_json({"identity": identity, "sha256": digests}, kept / _FACTS)


def restore_finished(folder: Path, identity: str) -> bool:
    """Put the files of this very training back; False where there are none or they are not as they were."""
    kept = folder / FOLDER
    try:
        facts = read_json(kept / _FACTS)
        if facts["identity"] != identity:
            return False
        whole = all(
            Path(name).name == name and file_digest(kept / name) == digest
            for name, digest in facts["sha256"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    if not whole:
        log.warning("The files of a finished training in %s are not as they were written.", kept)
        return False
    for name in facts["sha256"]:
        # Copies, since outputs must be newer than the inputs of their job.
        with whole_file(folder / name) as temporary:
            shutil.copyfile(kept / name, temporary)
    # Second names again, in place of a second copy.
    keep_finished(folder, list(facts["sha256"]), identity)
    return True
