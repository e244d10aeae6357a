"""The bias of a piece-wise affine network, from its parameters alone: what VGatt's contributions leave over.

Above a layer such a network is an affine function of the layer's values. Its bias is the sum of what each
addition of a constant does to the score: <dS/d output, constant> (the bias terms of FullGrad).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stages.classifier.network import ClassifierNet
from stages.seeds.layers import values_and_scores

CLOSE = 0.01  # of the largest score or bias


def bias_of_parameters(model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str) -> Tensor:
    """The bias [B, K] of the scores of the classes [B, K] (0-based) above `layer`."""
    total = torch.zeros(classes.shape, dtype=pictures.dtype, device=pictures.device)
    for k, parts in enumerate(fields(model, pictures, classes, layer)):
        for _, field in parts[1:]:
            total[:, k] += field.flatten(1).sum(1)
    return total


def fields(
    model: ClassifierNet, pictures: Tensor, classes: Tensor, layer: str
) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """For k = 0..K-1 the parts of each picture's score of its k-th class, as pairs of (place, part).

    First the layer's values and gradient times value, then for each constant above the layer what it is
    added to and slope times constant; all are [B, C, h, w]. The score is the sum of all parts.
    """
    with torch.enable_grad(), Constants() as constants:
        values, scores = values_and_scores(model, pictures, layer)
    found = [(values, values.detach()), *constants.found]
    for k in range(classes.shape[1]):
        chosen = scores.gather(1, classes[:, k : k + 1]).sum()
        places = [place for place, _ in found]
        slopes = torch.autograd.grad(chosen, places, retain_graph=True, allow_unused=True)
        yield [
            (place, slope * constant)
            for slope, (place, constant) in zip(slopes, found, strict=True)
            if slope is not None  # None: below the layer
        ]


class Constants(TorchFunctionMode):
    """Collects each constant that a network adds, with a tensor of zeros that is added at its place.

    Constants are biases of convolutions and linear layers, beta - gamma mu / sigma of batch norm, and the
    bounds of saturated units (6 of ReLU6). The zeros' gradient is the score's slope there, even if what
    follows works in place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        rule = RULES.get(getattr(func, "__name__", ""))
        constant = rule(out, *args, **kwargs) if rule else None
        if constant is None:
            return out
        zeros = torch.zeros_like(out).requires_grad_()
        self.found.append((zeros, constant.detach()))
        return out + zeros


def conv2d(
    out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **named: Any
) -> Any:
    return None if bias is None else bias[:, None, None]


def linear(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    return bias


def batch_norm(out: Tensor, x: Tensor, mean: Tensor, var: Tensor, weight: Tensor | None,
               bias: Tensor | None, training: bool, momentum: float, eps: float) -> Tensor:  # fmt: skip
    shift = -mean * torch.rsqrt(var + eps)
    shift = shift if weight is None else shift * weight
    return (shift if bias is None else shift + bias)[:, None, None]


def hardtanh(out: Tensor, x: Tensor, min_val: float, max_val: float, inplace: bool) -> Tensor:
    return max_val * (out >= max_val) + min_val * (out <= min_val)


def relu6(out: Tensor, x: Tensor, inplace: bool) -> Tensor:
    return hardtanh(out, x, 0.0, 6.0, inplace)


# By the name of PyTorch's function. A mode is given all arguments of its Python functions, defaults too.
RULES = {rule.__name__: rule for rule in (conv2d, linear, batch_norm, hardtanh, relu6)}


def remark(own: Tensor, left: Tensor, scores: Tensor, layer: str) -> str:
    """One line where the bias `own` of the parameters is not what contributions leave over; "" where it is.

    `left` is what they leave of `scores`; all are [B, K]. Then the network is not piece-wise affine above it.
    """
    size = torch.maximum(scores.abs(), torch.maximum(left.abs(), own.abs()))
    apart = (left - own).abs()
    if apart.max() <= CLOSE * size.max():
        return ""
    worst = int(apart.argmax())
    return (
        f"seeds: the network is not piece-wise affine above {layer}: vgatt's contributions leave "
        f"{left.flatten()[worst]:.3g} of the score {scores.flatten()[worst]:.3g}, its parameters give "
        f"{own.flatten()[worst]:.3g}; take the maps as gradient times value, not as shares of the score"
    )
