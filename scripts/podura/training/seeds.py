"""Everything random in a training follows from its seed, step by step.

No generator lives from one step to the next: each is made from the seed and the place where it is used,
so that a resumed training continues exactly as the unbroken one would have.
"""

from __future__ import annotations

import os

import torch

from podura.seeds import generator


def seed_torch(seed: int, *place: int | str) -> None:
    """Seed torch's global generators, which frameworks use for weights and sampling, for one place."""
    torch.manual_seed(int(generator(seed, *place).integers(0, 2**63 - 1)))


def be_deterministic(device: torch.device, threads: int) -> str:
    """Ask for deterministic algorithms and fix the number of threads; return a sentence on it.

    Sums over threads are added in an order that depends on their number, so results do as well.
    """
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        return f"deterministic algorithms, {threads} CPU threads"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Some operations (RoIAlign's gradient) have no deterministic form on GPUs: they warn and run.
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    return f"deterministic algorithms on {device} where they exist"
