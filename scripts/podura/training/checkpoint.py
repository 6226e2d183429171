"""Where a training stands, in one safetensors file that appears whole or not at all.

The one before is kept beside it: where the newest is damaged, the training goes on from there.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from podura.detectors.weights import load_tensors
from podura.errors import UserError
from podura.tables import whole_file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name (model., average., best., optimiser.) and the plain values that go with them."""

    tensors: dict[str, Tensor]
    progress: dict[str, Any]

    def section(self, prefix: str) -> dict[str, Tensor]:
        start = f"{prefix}."
        return {n[len(start) :]: t for n, t in self.tensors.items() if n.startswith(start)}


def previous(path: Path) -> Path:
    """Where the checkpoint before the one at ``path`` is kept."""
    return path.with_name(f"previous_{path.name}")


def save_checkpoint(
    path: Path,
    sections: Mapping[str, Mapping[str, Tensor]],
    progress: Mapping[str, Any],
    identity: str,
) -> None:
    """Write a checkpoint. ``identity`` names the training: another one must not continue from it."""
    given = {
        f"{prefix}.{name}": tensor for prefix, section in sections.items() for name, tensor in section.items()
    }
    tensors = dict(_plain(given))
    facts = {"identity": identity, "progress": json.dumps(progress), "checksum": _checksum(tensors)}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, facts)
        # A name that reaches the disk before the content would be an empty file after a loss of power.
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        if path.exists():
            path.replace(previous(path))


def load_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """Read the newest whole checkpoint of this very training.

    None, with a word in the log, where there is none. Files that a killed job was writing are removed.
    """
    for unfinished in path.parent.glob(f".{path.name}.*"):
        unfinished.unlink(missing_ok=True)
    found = [file for file in (path, previous(path)) if file.is_file()]
    for file in found:
        try:
            checkpoint = _read(file, identity)
        except UserError as error:
            log.warning("A checkpoint is damaged and passed over: %s", error)
        else:
            if checkpoint is not None:
                return checkpoint
            log.info("The checkpoint %s is of other settings, data or code.", file.name)
    if found:
        log.warning("Starting afresh.")
    return None


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as tensors named "<parameter number>.<name>"."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimiser_tensors`` gave, into the memory that the optimiser has."""
    for name, tensor in optimiser_tensors(optimiser).items():
        tensor.copy_(tensors[name])


def _read(file: Path, identity: str) -> Checkpoint | None:
    tensors = load_tensors(file)
    with safe_open(file, framework="pt") as handle:
        facts = handle.metadata() or {}
    if facts.get("checksum") != _checksum(tensors):
        raise UserError(f"{file}: its content is not what was written.")
    return Checkpoint(tensors, json.loads(facts["progress"])) if facts["identity"] == identity else None


def _plain(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Tensors as safetensors takes them: contiguous, on the CPU, none sharing its memory with another."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        memory = plain.untyped_storage()
        if memory.data_ptr() in seen or memory.nbytes() != plain.nbytes:
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        yield name, plain


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
