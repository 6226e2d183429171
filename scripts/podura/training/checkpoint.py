"""Where a training stands, in one safetensors file that appears whole or not at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.optim import Optimizer

from podura.detectors.weights import load_tensors, save_tensors
from podura.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name (model., average., best., optimiser.) and the plain values that go with them."""

    tensors: dict[str, Tensor]
    progress: dict[str, Any]

    def section(self, prefix: str) -> dict[str, Tensor]:
        start = f"{prefix}."
        return {n[len(start) :]: t for n, t in self.tensors.items() if n.startswith(start)}


def save_checkpoint(
    path: Path,
    sections: Mapping[str, Mapping[str, Tensor]],
    progress: Mapping[str, Any],
    identity: str,
) -> None:
    """Write a checkpoint. ``identity`` names the training: another one must not continue from it."""
    tensors = {
        f"{prefix}.{name}": tensor for prefix, section in sections.items() for name, tensor in section.items()
    }
    save_tensors(tensors, path, {"identity": identity, "progress": json.dumps(progress)})


def load_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """Read the checkpoint of this very training; None, with a word in the log, where there is none."""
    if not path.is_file():
        return None
    try:
        tensors = load_tensors(path)
        with safe_open(path, framework="pt") as handle:
            metadata = handle.metadata() or {}
    except UserError as error:
        log.warning("Starting afresh: %s", error)
        return None
    if metadata.get("identity") != identity:
        log.info("Starting afresh: the checkpoint found is of other settings, data or code.")
        return None
    return Checkpoint(tensors, json.loads(metadata["progress"]))


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as tensors named "<parameter number>.<name>"."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimiser_tensors`` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
