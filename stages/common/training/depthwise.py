"""Gradients of dilated depthwise convolutions in bf16 on a CPU, where torch's own are slow.

Both are sums that run fast by other means: that of the input is a convolution with the turned kernel, that of
the weights a product of two shifted maps for each of the kernel's cells. The forward pass stays torch's.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Sizes = tuple[int, ...]


class Depthwise(nn.Conv2d):
    """A convolution of `quicken`: torch's, but for its gradients."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled():
            kind = torch.get_autocast_dtype("cpu")
            made: Tensor = _Convolution.apply(x.to(kind), self.weight.to(kind), self.dilation)
            return made
        return super().forward(x)


def quicken(network: nn.Module) -> None:
    """Give a network's dilated depthwise convolutions the gradients below; names and weights stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_dilated_depthwise(module):
            module.__class__ = Depthwise


def _is_dilated_depthwise(conv: nn.Conv2d) -> bool:
    """And of the kind that keeps the size of its input."""
    centred = tuple(d * (k // 2) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
    return (
        1 < conv.groups == conv.in_channels == conv.out_channels
        and max(conv.dilation) > 1
        and conv.stride == (1, 1)
        and conv.padding == centred
        and all(size % 2 for size in conv.kernel_size)
        and conv.padding_mode == "zeros"
        and conv.bias is None
    )


class _Convolution(torch.autograd.Function):
    """Of x [B, C, H, W] with weights [C, 1, h, w], both sides odd; the result has x's size."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, dilation: Sizes) -> Tensor:
        context.save_for_backward(x, weight)
        context.dilation = dilation
        return _convolve(x, weight, dilation)

    @staticmethod
    def backward(context: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (x, weight), (grad,) = context.saved_tensors, grads
        needs_x, needs_weight, _ = context.needs_input_grad
        of_x = _convolve(grad, weight.flip(2, 3), context.dilation) if needs_x else None
        of_weight = weight_gradient(x, grad, weight.shape[2:], context.dilation) if needs_weight else None
        return of_x, of_weight, None


def _convolve(x: Tensor, weight: Tensor, dilation: Sizes) -> Tensor:
    padding = tuple(d * (k // 2) for d, k in zip(dilation, weight.shape[2:], strict=True))
    return F.conv2d(x, weight, None, 1, padding, dilation, x.shape[1])


def weight_gradient(x: Tensor, grad: Tensor, kernel: Sizes, dilation: Sizes) -> Tensor:
    """[C, 1, h, w], for x and the gradient of the result [B, C, H, W]."""
    made = x.new_zeros(x.shape[1], 1, *kernel)
    for i in range(kernel[0]):
        rows, shifted_rows = _pairs(x.shape[2], (i - kernel[0] // 2) * dilation[0])
        for j in range(kernel[1]):
            columns, shifted_columns = _pairs(x.shape[3], (j - kernel[1] // 2) * dilation[1])
            product = grad[:, :, rows, columns] * x[:, :, shifted_rows, shifted_columns]
            made[:, 0, i, j] = product.sum((0, 2, 3))  # in float32 within
    return made


def _pairs(size: int, offset: int) -> tuple[slice, slice]:
    """Of a side: the cells whose neighbour at an offset is inside, and those neighbours; none if too far."""
    start, stop = max(0, -offset), min(size, size - offset)
    stop = max(start, stop)
    return slice(start, stop), slice(start + offset, stop + offset)
