"""The optimiser and how its learning rate runs."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from podura.configuration.study import OptimiserSettings

_FINAL_SHARE = 0.02


def make_optimiser(model: nn.Module, settings: OptimiserSettings) -> Optimizer:
    """Make AdamW or SGD; norms and biases are not decayed (Loshchilov & Hutter 2019; He et al. 2019)."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.name == "adamw":
        return AdamW(groups, lr=settings.learning_rate)
    if settings.name == "sgd":
        return SGD(groups, lr=settings.learning_rate, momentum=0.9, nesterov=True)
    raise ValueError(f"unknown optimiser {settings.name}")


def learning_rate(step: int, steps: int, settings: OptimiserSettings) -> float:
    """Rate of step ``step`` (from 0) of ``steps``: linear warm-up, then half a cosine to 2 %.

    The warm-up is the share ``settings.warmup`` of all steps.
    """
    warmup = max(1, round(settings.warmup * steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    share = _FINAL_SHARE + (1 - _FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))
    return settings.learning_rate * share
