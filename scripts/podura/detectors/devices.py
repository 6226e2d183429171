"""On which device a job computes: one GPU a job, and not the GPU of another job."""

from __future__ import annotations

import logging

import torch

from podura.errors import UserError
from podura.jobs import claim_slot

log = logging.getLogger(__name__)


def choose_device(wanted: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``mps`` into a device; UserError where it is not there.

    Of several GPUs that this process sees (a scheduler may show it only its own, by CUDA_VISIBLE_DEVICES)
    it takes one that no other job of Podura on this machine has, and keeps it until it ends.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, there in present.items() if there)
    if not present.get(wanted, False):
        raise UserError(
            f"training.device: this machine has no '{wanted}' that PyTorch can use. Write auto or cpu."
        )
    return _claimed_gpu() if wanted == "cuda" else torch.device(wanted)


def device_name(device: torch.device) -> str:
    """Name of a device for people, such as "cuda:1 (NVIDIA A40)"."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def gpu_identity(device: torch.device) -> str | None:
    """The serial identity of a GPU, by which its meters know it; None for another device."""
    return f"GPU-{_identity(device.index or 0)}" if device.type == "cuda" else None


def _claimed_gpu() -> torch.device:
    # By its serial identity, since the same GPU has another number in each job of a scheduler.
    names = [f"gpu-{_identity(index)}" for index in range(torch.cuda.device_count())]
    index, others = claim_slot(names)
    if others:
        log.warning(
            "GPU %d is shared with %d other job(s): each is slower and has less memory. As many jobs as "
            "there are GPUs run at once with training.device: cuda and snakemake --resources gpu=%d.",
            index,
            others,
            len(names),
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _identity(index: int) -> str:
    return str(getattr(torch.cuda.get_device_properties(index), "uuid", index))
