"""In which floating-point numbers a network is trained; weights and optimiser stay float32."""

from __future__ import annotations

from typing import Any

import torch
from torch.amp import GradScaler

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_precision(wanted: str, device: torch.device) -> str:
    """Turn ``auto`` into float32, bfloat16 or float16.

    On CUDA the shorter numbers are several times faster, and bfloat16 needs no scaling of the loss
    (Kalamkar et al. 2019); on CPU and MPS the gain is uncertain.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cuda":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def autocast(precision: str, device: torch.device) -> Any:
    """Return the context in which the loss is computed."""
    if precision == "float32":
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, dtype=_TYPES[precision])


def loss_scaler(precision: str, device: torch.device) -> GradScaler:
    """Return the scaler of the loss, which does nothing except for float16 (Micikevicius et al. 2018)."""
    return GradScaler(device.type, enabled=precision == "float16")
