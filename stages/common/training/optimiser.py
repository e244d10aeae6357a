"""The optimizer of a network: four groups of weights, and the schedule of their learning rate."""

from typing import Any

import torch
from torch import Tensor, nn

from stages.common.training.params import Optimizer


def make_optimizer(model: nn.Module, encoder: nn.Module | None, params: Optimizer) -> torch.optim.Optimizer:
    """Four groups as in PSA: weights and biases, of the encoder and of the new layers.

    "Biases" are all tensors of one dimension, scales of norms included; they are decayed only if
    asked. Each group keeps its `multiple` of the learning rate. A network without an encoder is all
    new layers: `head_multiple` holds for all of it.
    """
    old = {id(p) for p in encoder.parameters()} if encoder is not None else set()
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in old, parameter.ndim <= 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": group,
            "multiple": (1.0 if of_encoder else params.head_multiple)
            * (params.bias_multiple if bias else 1.0),
            "weight_decay": 0.0 if bias and not params.decay_bias else params.weight_decay,
        }
        for (of_encoder, bias), group in groups.items()
    ]
    if params.name == "sgd":
        return torch.optim.SGD(settings, lr=params.lr, momentum=params.momentum)
    return torch.optim.AdamW(settings, lr=params.lr)


def set_rate(optimizer: torch.optim.Optimizer, params: Optimizer, done: float) -> None:
    """The poly schedule lr * (1 - done) ** power after a linear warm-up; `done` in [0, 1)."""
    rate = params.lr * (1 - done) ** params.poly_power
    if done < params.warmup:
        rate *= (done + 1e-3) / params.warmup
    for group in optimizer.param_groups:
        group["lr"] = rate * group["multiple"]
