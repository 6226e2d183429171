"""The optimiser and how its learning rate runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from podura.configuration.study import OptimiserSettings

_FINAL_SHARE = 0.02
#: Devices whose optimisers do all in one pass over the weights, without memory of their own.
_FUSED = {"cpu", "cuda"}


def make_optimiser(
    model: nn.Module, settings: OptimiserSettings, backbone: Iterable[nn.Parameter] = ()
) -> Optimizer:
    """Make AdamW or SGD; norms and biases are not decayed (Loshchilov & Hutter 2019; He et al. 2019).

    ``backbone`` are the parameters that learn at ``settings.backbone_share`` of the rate. All the memory
    that the optimiser needs is taken at once.
    """
    slow = {id(parameter) for parameter in backbone} if settings.backbone_share != 1 else set()
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = []
    for share, chosen in (
        (1.0, [p for p in trainable if id(p) not in slow]),
        (settings.backbone_share, [p for p in trainable if id(p) in slow]),
    ):
        if chosen:
            decayed, plain = [p for p in chosen if p.ndim > 1], [p for p in chosen if p.ndim <= 1]
            groups += [
                {"params": decayed, "weight_decay": settings.weight_decay, "share": share},
                {"params": plain, "weight_decay": 0.0, "share": share},
            ]
    optimiser: Optimizer
    fused = all(p.device.type in _FUSED for p in trainable)
    if settings.name == "adamw":
        optimiser = AdamW(groups, lr=settings.learning_rate, fused=fused)
    elif settings.name == "sgd":
        optimiser = SGD(groups, lr=settings.learning_rate, momentum=0.9, nesterov=True, fused=fused)
    else:
        raise ValueError(f"unknown optimiser {settings.name}")
    _take_memory(optimiser)
    return optimiser


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the rate of the next step; each group takes its share of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


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


def _take_memory(optimiser: Optimizer) -> None:
    """Let an optimiser make its state, which it otherwise does in its first step, when memory is scarcest.

    A step without gradient and at rate 0 moves nothing; what it left in the state is cleared.
    """
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
        group["lr"] = 0.0
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    for values in optimiser.state.values():
        for value in values.values():
            if isinstance(value, torch.Tensor):
                value.zero_()
