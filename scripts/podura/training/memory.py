"""How much memory a training takes, and how many images fit at once."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from podura.detectors.contract import Batch, Detector
from podura.training.precision import autocast

#: What the allocators and libraries of torch say beside raising OutOfMemoryError.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "STATUS_ALLOC_FAILED",
)
#: Share of a machine's memory that a training without a GPU may plan with: others run beside it.
_SHARE = 0.25
#: Peak memory of a step relative to what its forward pass keeps: gradients and workspace come on top.
_PEAK = 2.0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def peak_gpu_memory_mb(device: torch.device) -> float | None:
    """Peak memory that this process held on its GPU so far, in MB (10^6 bytes); None without a GPU.

    On MPS, which keeps no peak, the memory that is held now.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 1e6
    return torch.mps.driver_allocated_memory() / 1e6 if device.type == "mps" else None


def usable_memory() -> int:
    """Memory in bytes that this process may use: the machine's, or less where a control group says so."""
    limits = [psutil.virtual_memory().total]
    groups = Path("/proc/self/cgroup")
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.is_file() else ():
        _, controllers, name = line.split(":", 2)
        root = Path("/sys/fs/cgroup", *(["memory"] if controllers else []))
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        if controllers and "memory" not in controllers.split(","):
            continue
        own = root / name.lstrip("/")
        for folder in (own, *own.parents):
            limit = folder / file
            if limit.is_file() and (text := limit.read_text(encoding="utf-8").strip()).isdigit():
                limits.append(int(text))
    return min(limits)


def fitting_images(
    detector: Detector, batch: Batch, precision: str, device: torch.device, *, usable: int | None = None
) -> int:
    """How many images of a batch fit into memory at once: all of them, or a half, a quarter ... of them.

    On a GPU it is tried, with images padded to a square as in the worst case. Without one it is reckoned
    from what one image keeps and a quarter of ``usable`` (by default ``usable_memory``): a system that
    runs out of memory kills processes instead of telling them. Weights and buffers stay as they are.
    """
    detector.train()
    batch = _square(batch)
    buffers = [(buffer, buffer.clone()) for buffer in detector.buffers()]
    try:
        if device.type == "cpu":
            budget = _SHARE * (usable_memory() if usable is None else usable)
            densest = max(range(len(batch.boxes)), key=lambda place: len(batch.boxes[place]))
            needed = _PEAK * _kept_bytes(
                detector, part(batch, densest, densest + 1, device), precision, device
            )
            return _halved(len(batch.boxes), lambda count: count * needed <= budget)
        return _halved(len(batch.boxes), lambda count: _runs(detector, batch, count, precision, device))
    finally:
        detector.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        release_memory(device)


def fast_layout(device: torch.device) -> torch.memory_format:
    """Return the order of values in memory that convolutions are quickest with on a device."""
    return torch.channels_last if device.type in {"cpu", "cuda"} else torch.contiguous_format


def part(batch: Batch, start: int, stop: int, device: torch.device) -> Batch:
    """Images ``start`` to ``stop`` (without the last) of a batch, on a device, in its fast layout."""
    moved = Batch(batch.images[start:stop], batch.boxes[start:stop], batch.labels[start:stop]).to(device)
    images = moved.images.contiguous(memory_format=fast_layout(device))
    return Batch(images, moved.boxes, moved.labels)


def _halved(count: int, fits: Any) -> int:
    while count > 1 and not fits(count):
        count //= 2
    return count


def _square(batch: Batch) -> Batch:
    height, width = batch.images.shape[-2:]
    side = max(height, width)
    images = nn.functional.pad(batch.images, (0, side - width, 0, side - height), value=0.5)
    return Batch(images, batch.boxes, batch.labels)


def _runs(detector: Detector, batch: Batch, count: int, precision: str, device: torch.device) -> bool:
    try:
        with autocast(precision, device):
            loss = torch.stack(list(detector.loss(part(batch, 0, count, device)).values())).sum()
        loss.backward()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    # Only here the error, which holds the tensors of the pass, is gone.
    detector.zero_grad(set_to_none=True)
    release_memory(device)
    return False


def _kept_bytes(detector: Detector, batch: Batch, precision: str, device: torch.device) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights aside."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in detector.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), autocast(precision, device):
        torch.stack(list(detector.loss(batch).values())).sum()
    return sum(kept.values())
