"""Everything random in a training follows from its seed, step by step.

No generator lives from one step to the next: each is made from the seed and the place where it is used,
so that a resumed training continues exactly as the unbroken one would have.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from podura.seeds import generator

log = logging.getLogger(__name__)

_NONDETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


def seed_torch(seed: int, *place: int | str) -> None:
    """Seed torch's global generators, which frameworks use for weights and sampling, for one place."""
    torch.manual_seed(int(generator(seed, *place).integers(0, 2**63 - 1)))


def be_deterministic(device: torch.device, threads: int) -> str:
    """Ask for deterministic algorithms and fix the number of threads; return a sentence on it.

    Sums over threads are added in an order that depends on their number, so results do as well.
    """
    torch.set_num_threads(threads)
    # It fills new memory so that reading it too early gives the same each time: for hunting bugs, and slow.
    settings: Any = torch.utils.deterministic
    settings.fill_uninitialized_memory = False
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        return f"deterministic algorithms, {threads} CPU threads"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Some operations (RoIAlign's gradient) have no deterministic form on GPUs: they warn and run.
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    # TensorFloat-32 keeps ten bits of 23: who wants fewer bits asks for them by training.precision.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return f"deterministic algorithms on {device} where they exist, no TensorFloat-32"


@contextmanager
def noting_nondeterminism(operations: list[str]) -> Iterator[None]:
    """Add to ``operations`` the name of each operation that ran without a deterministic form.

    torch warns of it at every call; the log is told once of each.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=".*does not have a deterministic implementation.*")
        show = warnings.showwarning

        def note(message: Warning | str, *rest: Any, **options: Any) -> None:
            found = _NONDETERMINISTIC.match(str(message))
            if found is None:
                show(message, *rest, **options)
            elif found[1] not in operations:
                operations.append(found[1])
                log.info("%s has no deterministic form here: runs may differ in the last digits.", found[1])

        warnings.showwarning = note
        yield
