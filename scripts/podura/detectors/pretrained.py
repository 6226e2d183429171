"""Published weights, brought once, checked, and kept as safetensors with JSON beside them.

Beside ``<name>.safetensors`` and ``<name>.json`` lies ``<publisher's file>.sha256``, in the form of the
program sha256sum: the digest of the publisher's file, by which a later one is known as the same.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import pickle
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from podura.configuration.pretrained import address, by_hand, how_to_fetch
from podura.configuration.study import PretrainedFile, WeightSettings
from podura.detectors.weights import facts_file, load_tensors, save_tensors
from podura.downloads import DownloadFailed, Patience, discard, download
from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.tables import read_json, whole_file, write_json, write_text

log = logging.getLogger(__name__)

#: The largest published detector known has 0.5 GB; a server that sends more sends something else.
_MOST_BYTES = 4 << 30

_FETCH_AGAIN = "Delete both, and run 'snakemake --cores 1 fetch_weights'."


def bring(file: PretrainedFile, settings: WeightSettings, *, patience: Patience | None = None) -> Path:
    """Make sure that published weights lie in the folder of weights, and return their file.

    What is there already is checked against its JSON. Otherwise the publisher's file is taken from the
    folder of weights or of the mirror, where someone put it, else downloaded; its digest must be the
    known or recorded one. Two processes may bring the same file at once: one waits. Raises UserError
    where the file cannot be had, is not the one that it should be, or holds anything but tensors.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.folder / f".{file.name}.lock"):
        kept = file.kept_in(settings.folder)
        if kept.is_file():
            _check_kept(file, kept, settings.folder)
            log.info("%s is there.", kept)
            return kept
        with _publishers_file(file, settings, patience) as (path, source):
            digest = _checked_digest(file, path, settings.folder, source)
            tensors = _tensors(file, path)
            # The weights appear last: what lies there without its JSON was put there by hand.
            with whole_file(kept) as temporary:
                if file.format == "safetensors":
                    shutil.copyfile(path, temporary)
                else:
                    save_tensors(tensors, temporary)
                _write_facts(file, temporary, settings.folder, digest, source, len(tensors))
        log.info("%s: %d tensors from %s", kept, len(tensors), source)
        return kept


@contextlib.contextmanager
def _publishers_file(
    file: PretrainedFile, settings: WeightSettings, patience: Patience | None
) -> Iterator[tuple[Path, str]]:
    """The publisher's file, and from where it comes; what was downloaded is removed in the end."""
    if (given := by_hand(file, settings)) is not None:
        yield given, str(given)
        return
    help_ = how_to_fetch(file, settings)
    url = address(file, settings)
    if settings.offline or url is None:
        why = "weights.offline is true" if settings.offline else f"it is not in the mirror {settings.mirror}"
        raise UserError(f"{file.published_name} is not there and is not fetched ({why}). {help_}")
    part = settings.folder / f".{file.published_name}.part"
    # A little more than is known, so that a larger file is told apart from this one by its digest.
    most = _MOST_BYTES if file.size is None else file.size + (1 << 20)
    log.info("Fetching %s", url)
    try:
        download(url, part, most_bytes=most, patience=patience)
    except DownloadFailed as error:
        raise UserError(f"{error}. {help_}") from error
    try:
        yield part, url
    finally:
        discard(part)


def _checked_digest(file: PretrainedFile, path: Path, folder: Path, source: str) -> str:
    """SHA-256 of the publisher's file; a UserError where it is not the known or recorded one."""
    digest = file_digest(path)
    recorded = _recorded_digest(file, folder)
    if file.sha256 is not None and digest != file.sha256:
        known, expected = "sources.yaml", file.sha256
    elif file.sha256_start is not None and not digest.startswith(file.sha256_start):
        known, expected = "its publisher", f"{file.sha256_start}..."
    elif recorded is not None and digest != recorded:
        known, expected = f"{_record_file(file, folder)}, written when it was first used", recorded
    else:
        return digest
    raise UserError(
        f"{source} is not {file.published_name} as {known} knows it: its SHA-256 is {digest} and should be "
        f"{expected}. It may have been cut off, replaced or tampered with, and is not used. Fetch it from "
        f"another place, or ask those who run {source}."
    )


def _tensors(file: PretrainedFile, path: Path) -> Mapping[str, Tensor]:
    if file.format == "safetensors":
        return load_tensors(path)
    if file.format == "ultralytics":
        # By name, since the file is to be read without Ultralytics where that is not installed.
        module = importlib.import_module("podura.detectors.ultralytics_checkpoints")
        checkpoint: Mapping[str, Tensor] = module.read_ultralytics_checkpoint(path)
        return checkpoint
    return read_state_dictionary(path, file.published_name)


def read_state_dictionary(path: Path, name: str) -> dict[str, Tensor]:
    """Read tensors by their names as ``torch.save`` wrote them, running nothing that the file holds.

    Raises UserError, which calls the file ``name``, for one that holds anything else.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    # What a broken or foreign file makes the reader raise is not documented and differs by place.
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        EOFError,
        OSError,
    ) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"{name}: this is no whole file of tensors, or holds more than tensors; it is not used, and "
            f"nothing of it was run ({reason[:200]})."
        ) from error
    by_name = isinstance(values, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in values.items()
    )
    if not by_name or not values:
        raise UserError(f"{name}: this file does not hold tensors by their names; it is not used.")
    return dict(values)


def _check_kept(file: PretrainedFile, kept: Path, folder: Path) -> None:
    facts = facts_file(kept)
    digest = file_digest(kept)
    if facts.is_file():
        told = read_json(facts)
        if told["weights_sha256"] != digest:
            raise UserError(
                f"{kept} is not the file that {facts.name} beside it describes (its SHA-256 differs). "
                f"{_FETCH_AGAIN}"
            )
        published = told["published_sha256"]
        if file.sha256 is not None and published not in (None, file.sha256):
            raise UserError(
                f"{kept} was made from a file whose SHA-256 is {published}; sources.yaml by now says that it "
                f"is to be {file.sha256}. {_FETCH_AGAIN}"
            )
        return
    # Put there by hand. Only where publishers offer safetensors does their digest tell anything of it.
    published = None
    if file.format == "safetensors":
        published = _checked_digest(file, kept, folder, str(kept))
    else:
        log.warning("%s was put there by hand and cannot be compared with %s.", kept, file.published_name)
    _write_facts(file, kept, folder, published, str(kept), len(load_tensors(kept)))


def _write_facts(
    file: PretrainedFile, weights: Path, folder: Path, published: str | None, source: str, tensors: int
) -> None:
    if published is not None and _recorded_digest(file, folder) is None:
        write_text(f"{published}  {file.published_name}\n", _record_file(file, folder))
    write_json(
        {
            "name": file.name,
            "url": file.url,
            "source": source,
            "published_sha256": published,
            "known_before": file.sha256 is not None,
            "weights_sha256": file_digest(weights),
            "tensors": tensors,
            "licence": file.licence,
            "fetched": datetime.now(UTC).date().isoformat(),
        },
        facts_file(file.kept_in(folder)),
    )


def _record_file(file: PretrainedFile, folder: Path) -> Path:
    return folder / f"{file.published_name}.sha256"


def _recorded_digest(file: PretrainedFile, folder: Path) -> str | None:
    """The digest that was written down on first use."""
    record = _record_file(file, folder)
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = re.match(r"([0-9a-f]{64})\b", text)
    if found is None:
        raise UserError(f"{record}: it does not begin with a SHA-256. Delete it, or mend it.")
    return found[1]
